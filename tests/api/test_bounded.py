"""Counts and searches that cost the same however large the table grows."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from api import bounded
from api.bounded import Count, count_of, narrowed
from api.pagination import cached_total

pytestmark = pytest.mark.django_db


@pytest.fixture
def groups():
    before = Group.objects.count()
    Group.objects.bulk_create(Group(name=f"{'even' if number % 2 == 0 else 'odd'} {number}") for number in range(3000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE auth_group")
    return before + 3000


def test_a_small_table_is_counted(groups):
    assert (count_of(Group.objects.all()), count_of(Group.objects.filter(name="even 2"))) == (groups, 1)
    assert count_of(Group.objects.none()).is_exact
    assert count_of(Group.objects.all()).is_exact


def test_what_would_cost_too_much_is_estimated_and_never_counted(groups, monkeypatch):
    monkeypatch.setattr(bounded, "COUNT_MAY_COST", 10)
    with CaptureQueriesContext(connection) as asked:
        count = count_of(Group.objects.all())
    assert (count.certainty, str(count)) == ("about", f"~{groups:,}")
    assert [query["sql"].split()[0] for query in asked] == ["EXPLAIN"]


def test_a_count_stops_where_the_planner_was_wrong(groups, monkeypatch):
    monkeypatch.setattr(bounded, "COUNTED_AT_LEAST", 5)
    with connection.cursor() as cursor:  # statistics of a time when nobody was odd
        cursor.execute("DELETE FROM auth_group WHERE name LIKE 'odd%'")
        cursor.execute("ANALYZE auth_group")
        cursor.execute("INSERT INTO auth_group (name) SELECT 'odd ' || g FROM generate_series(1, 2000) g")
    count = count_of(Group.objects.filter(name__startswith="odd"))
    assert count.certainty == "more"
    assert count < 2000
    assert str(count).endswith("+")


def test_an_estimate_reaches_the_api_as_one(groups, monkeypatch):
    monkeypatch.setattr(bounded, "COUNT_MAY_COST", 10)
    first, again = cached_total(Group.objects.all()), cached_total(Group.objects.all())
    assert (first, again, again.certainty) == (groups, groups, "about")


def test_few_matches_are_named_by_key_and_many_are_not(groups, monkeypatch):
    few = narrowed(Group.objects.order_by("pk"), Q(name="even 2"), Q(name="odd 3"))
    assert {each.name for each in few} == {"even 2", "odd 3"}
    assert '"id" IN' in str(few.query)
    many = narrowed(Group.objects.all(), Q(name__startswith="even"))
    assert '"id" IN' not in str(many.query)
    assert many.count() == 1500
    assert list(narrowed(Group.objects.all(), Q(name="nobody"))) == []
    assert list(narrowed(Group.objects.all(), Q(pk__in=[]))) == []


def test_a_count_looks_as_sure_as_it_is():
    shown = [str(Count(1234, certainty)) for certainty in ("exact", "about", "more")]
    assert shown == ["1,234", "~1,234", "1,234+"]
    assert Count(3) + 1 == 4
