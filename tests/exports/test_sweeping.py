"""One decision about a whole list."""

import pytest

from articles import article, many, statuses
from exports.listing import Wanted
from exports.models import ManualReview
from exports.sweeping import decide_all, restore_all
from pool import listed

pytestmark = pytest.mark.django_db


def test_all_picked_rows_go_behind_the_list_in_the_order_they_were_seen(operator):
    article("there", status="selected", rank=4)
    for name, score in (("low", 61), ("high", 99), ("mid", 80)):
        article(name, score=score)
    assert decide_all(Wanted().rows(), "selected", actor=operator) == 3
    assert listed("selected") == ["there", "high", "mid", "low"]
    review = ManualReview.objects.get(article_id="low")
    assert (review.decided_by, review.version) == ("operator", 2)
    assert review.decided_at is not None


def test_discarded_rows_lose_their_place_and_those_discarded_already_are_left_alone(operator):
    article("a", status="backup", rank=3)
    article("b", status="discarded")
    assert decide_all(ManualReview.objects.all(), "discarded", actor=operator) == 1
    assert dict(ManualReview.objects.values_list("article_id", "version")) == {"a": 2, "b": 1}
    assert ManualReview.objects.get(article_id="a").rank is None


def test_what_is_exported_stays_exported_until_it_is_restored(operator):
    article("a", status="exported", rank=1)
    article("b")
    assert decide_all(ManualReview.objects.all(), "discarded", actor=operator) == 1
    assert statuses() == {"a": "exported", "b": "discarded"}
    assert restore_all(ManualReview.objects.all(), actor=operator) == 1
    assert statuses() == {"a": "pending", "b": "discarded"}


def test_a_whole_list_is_one_update(operator, django_assert_max_num_queries):
    many(300, status="pending")
    with django_assert_max_num_queries(3):
        assert decide_all(Wanted().rows(), "backup", actor=operator) == 300
    assert len(set(ManualReview.objects.values_list("rank", flat=True))) == 300
