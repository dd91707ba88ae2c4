"""The lists of the desk: every row once, whatever is decided while one reads; bounded counts; where an article was."""

import random
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from articles import article, many
from exports import listing
from exports.listing import Place, Wanted, appearances, page_of
from exports.models import BriefBatch, BriefItem, ManualExportBatch, ManualExportItem, ManualReview

pytestmark = pytest.mark.django_db

NOON = datetime.fromisoformat("2026-03-01T12:00:00+08:00")


@pytest.fixture
def awkward():
    """Selected articles with ties and gaps in everything they are ordered by."""
    chance = random.Random(7)  # noqa: S311 - the same awkward rows every time
    for number in range(60):
        article(
            f"a/{number}",
            status="selected",
            rank=chance.choice([None, 1, 1, 2]),
            score=chance.choice([None, Decimal(60), Decimal("60.5")]),
            published_at=chance.choice([None, NOON, NOON + timedelta(hours=1)]),
        )
    return [review.article_id for review in ManualReview.objects.selected().in_order()]


def ids(page):
    return [review.article_id for review in page.rows]


@pytest.mark.parametrize("size", [1, 7, 60, 100])
def test_pages_forward_show_every_row_once_in_the_order_of_the_list(size, awkward):
    rows = Wanted("selected").rows()
    seen, after = [], None
    while True:
        page = page_of(rows, size, after=after, before=None)
        seen += ids(page)
        if page.after is None:
            break
        after = Place.read(str(page.after))
    assert seen == awkward


def test_pages_backward_show_what_stood_before_them(awkward):
    rows = Wanted("selected").rows()
    first = page_of(rows, 7, after=None, before=None)
    second = page_of(rows, 7, after=first.after, before=None)
    third = page_of(rows, 7, after=second.after, before=None)
    assert first.before is None
    back = page_of(rows, 7, after=None, before=third.before)
    assert (ids(back), back.after, back.before) == (ids(second), second.after, second.before)
    assert ids(page_of(rows, 7, after=None, before=second.before)) == awkward[:7]


def test_a_page_too_near_to_the_beginning_is_the_whole_first_page(awkward):
    rows = Wanted("selected").rows()
    third = rows.get(article_id=awkward[2])
    page = page_of(rows, 7, after=None, before=Place.of(third))
    assert ids(page) == awkward[:7]
    assert page.before is None


def test_what_is_decided_meanwhile_pushes_no_row_past_the_reader():
    names = many(9, status="pending")
    rows = Wanted().rows()
    first = page_of(rows, 3, after=None, before=None)
    ManualReview.objects.filter(article_id__in=ids(first)).update(status="discarded")
    second = page_of(rows, 3, after=first.after, before=None)
    third = page_of(rows, 3, after=second.after, before=None)
    assert sorted(ids(first) + ids(second) + ids(third)) == sorted(names)


def test_a_place_survives_its_way_through_an_address():
    for place in (Place(None, None, None, "a/b 😀%"), Place(1.5, Decimal("60.125"), NOON, "x")):
        assert Place.read(str(place)) == place


@pytest.mark.parametrize(
    "text", ["", "x", "%%%", "bnVsbA", "WzEsMl0", "WyJhIiwiYiIsImMiLCJkIl0", "W251bGwsIk5hTiIsbnVsbCwiYSJd", "é"]
)
def test_an_address_somebody_made_up_names_no_place(text):
    assert Place.read(text) is None


def test_filters_narrow_a_list_together():
    article("hit", region="internal", sentiment="negative", score=80, published_at=NOON, title="校车班次调整方案")
    article("other-region", region="external", sentiment="negative", score=80, published_at=NOON, title="校车班次")
    article("too-low", region="internal", sentiment="negative", score=70, published_at=NOON, title="校车班次")
    article("too-old", region="internal", sentiment="negative", score=80, published_at=NOON - timedelta(days=9))
    wanted = Wanted(
        region="internal", sentiment="negative", min_score=Decimal(80), since=date(2026, 3, 1), until=date(2026, 3, 1),
        text="校车班",
    )  # fmt: skip
    assert [review.article_id for review in wanted.rows()] == ["hit"]


def test_a_day_is_a_day_of_the_papers_own_time_zone():
    article("early", published_at=datetime.fromisoformat("2026-03-01T00:00:00+08:00"))
    article("late", published_at=datetime.fromisoformat("2026-03-01T23:59:59+08:00"))
    article("next", published_at=datetime.fromisoformat("2026-03-02T00:00:00+08:00"))
    rows = Wanted(since=date(2026, 3, 1), until=date(2026, 3, 1)).rows()
    assert {review.article_id for review in rows} == {"early", "late"}
    assert Wanted(until=date.max).rows().count() == 3


def test_a_search_with_many_matches_finds_them_all(monkeypatch):
    monkeypatch.setattr(listing, "MATCHES_NAMED", 2)
    many(5, status="pending")
    assert Wanted(text="title").rows().count() == 5


def test_two_characters_are_searched_for_in_a_short_list_only(monkeypatch):
    article("hit", title="今年高考改革方案")
    article("miss", title="校车班次")
    assert [review.article_id for review in Wanted(text="高考").rows()] == ["hit"]
    assert [review.article_id for review in Wanted(text="高考 改革方").rows()] == ["hit"]
    monkeypatch.setattr(listing, "COUNTED_AT_MOST", 1)
    assert not Wanted(text="高考").rows().exists()


def test_tabs_are_counted_no_further_than_anyone_reads(monkeypatch, django_assert_num_queries):
    many(5, status="pending")
    many(2, prefix="b", status="backup")
    monkeypatch.setattr(listing, "COUNTED_AT_MOST", 3)
    with django_assert_num_queries(1):
        counted = listing.counts()
    assert counted == {"pending": 4, "selected": 0, "backup": 2, "discarded": 0, "exported": 0}


def test_an_article_knows_the_briefs_of_both_stores_it_was_in(django_assert_num_queries):
    made = article("a")
    common = {"report_tag": "2026-03-01", "report_date": date(2026, 3, 1), "generated_by": "2026-03-01"}
    by_hand = ManualExportBatch.objects.create(sequence_no=1, **common)
    of_worker = BriefBatch.objects.create(sequence_no=1, **common)
    rolled_back = BriefBatch.objects.create(sequence_no=2, source="manual", **common)
    now = timezone.now()
    ManualExportItem.objects.create(batch=by_hand, article=made, order_index=1, created_at=now)
    BriefItem.objects.create(batch=of_worker, article=made, order_index=1, created_at=now - timedelta(days=1))
    BriefItem.objects.create(
        batch=rolled_back, article=made, order_index=1, source="manual", created_at=now - timedelta(days=2)
    )
    with django_assert_num_queries(1):
        found = appearances(["a", "nobody"])
    assert [(each.store, each.source, each.batch_id) for each in found["a"]] == [
        ("manual", "manual", by_hand.pk), ("worker", "worker", of_worker.pk), ("worker", "manual", rolled_back.pk),
    ]  # fmt: skip
