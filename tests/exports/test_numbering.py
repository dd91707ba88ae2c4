"""Issue numbers go on from day to day, and a day keeps its own."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from exports.models import IssueCounter
from exports.numbering import numbers_of, take_numbers
from exports.printing import Layout

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 10)
DAILY = Layout("paper", "", "", "", (), is_numbered=True)
TWICE = replace(DAILY, issues_per_day=2)


def numbers(period, total_period):
    return {"period": period, "total_period": total_period}


def test_the_first_issue_has_number_one_unless_told():
    assert take_numbers(DAILY, DAY) == numbers(1, 1)
    assert take_numbers(DAILY, DAY + timedelta(days=1), total_period=300) == numbers(2, 300)
    assert numbers_of(DAILY, DAY + timedelta(days=2)) == numbers(3, 301)


def test_numbers_go_on_by_the_issues_of_the_days_between():
    take_numbers(TWICE, DAY, period=10, total_period=100)
    assert numbers_of(TWICE, DAY + timedelta(days=1)) == numbers(12, 102)
    assert numbers_of(TWICE, DAY + timedelta(days=3)) == numbers(16, 106)
    assert numbers_of(replace(TWICE, slug="other"), DAY + timedelta(days=3)) == numbers(1, 1)


def test_a_second_export_of_a_day_keeps_the_numbers_unless_told():
    take_numbers(DAILY, DAY, period=5, total_period=50)
    later = DAY + timedelta(days=1)
    assert take_numbers(DAILY, later) == take_numbers(DAILY, later) == numbers(6, 51)
    assert take_numbers(DAILY, later, period=8) == numbers(8, 51)
    assert take_numbers(DAILY, later) == numbers(8, 51)
    assert numbers_of(DAILY, DAY) == numbers(5, 50)
    assert IssueCounter.objects.count() == 2


def test_looking_at_numbers_takes_none():
    assert numbers_of(DAILY, DAY, period=4) == numbers(4, 1)
    assert not IssueCounter.objects.exists()


def test_a_template_without_numbers_has_none():
    assert take_numbers(replace(DAILY, is_numbered=False), DAY) is None
    assert not IssueCounter.objects.exists()


@pytest.mark.parametrize("wish", [{"period": 0}, {"total_period": -1}, {"period": 2**31}])
def test_numbers_that_cannot_be_are_refused(wish):
    with pytest.raises(ValidationError, match="issue number"):
        take_numbers(DAILY, DAY, **wish)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 3))
def test_later_days_have_higher_numbers(gaps, issues):
    own, day, last = replace(DAILY, slug=f"p{issues}", issues_per_day=issues), DAY, 0
    IssueCounter.objects.all().delete()
    for gap in gaps:
        day += timedelta(days=gap)
        taken = take_numbers(own, day)["total_period"]
        assert taken == (last + issues * gap if last else 1)
        last = taken
