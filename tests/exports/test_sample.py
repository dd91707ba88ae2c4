"""The sample workspace shows every kind of article, decision and brief, and is loaded once."""

import pytest

from exports import invented
from exports.clustering import cluster
from exports.listing import counts
from exports.models import Article, BriefBatch, ExportRun, ManualExportBatch, ManualReview
from exports.sample import load
from runs.querysets import database_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def loaded(shipped_templates, operator):
    return load(operator)


def everything():
    tables = (Article, ManualReview, ManualExportBatch, BriefBatch, ExportRun)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def test_there_is_something_of_every_kind(loaded):
    assert len(loaded) == 4
    assert Article.objects.count() >= 300
    assert Article.objects.filter(article_id__contains="-zh-").count() >= 100
    assert Article.objects.filter(article_id__contains="-en-").count() >= 100
    assert all(counts().values())
    for field in ("region", "sentiment"):
        assert Article.objects.values(field).distinct().count() == 3
    days = Article.objects.dates("published_at", "day")
    assert len(days) >= invented.DAYS
    assert Article.objects.filter(score=None).exists()
    assert Article.objects.filter(summary="").exists()


def test_both_lines_have_made_a_brief(loaded):
    by_hand, by_worker = ManualExportBatch.objects.get(), BriefBatch.objects.get()
    assert by_hand.items.count() == 8
    assert by_worker.items.count() == 20
    assert by_hand.content
    assert by_worker.content
    assert set(ExportRun.objects.values_list("status", flat=True)) == {"completed"}


def test_near_duplicates_are_found_and_stories_of_one_pattern_are_not_taken_for_them(loaded):
    found = cluster(Article.objects.all())
    copies = Article.objects.filter(article_id__endswith="-copy").count()
    assert copies >= 30
    together = sum(len(each.members) == 2 and f"{each.best}-copy" == each.members[1].article_id for each in found)
    assert together >= copies * 0.8
    assert sum(len(each.members) > 2 for each in found) == 0


def test_a_second_load_changes_nothing(loaded, operator):
    before = everything()
    assert load(operator) == []
    assert everything() == before


def test_a_load_that_was_cut_off_is_completed(loaded, operator):
    ManualReview.objects.exclude(status="exported").update(status="pending", rank=None)
    Article.objects.filter(article_id__endswith="-copy", brief_items=None, manual_export_items=None).delete()
    assert len(load(operator)) == 2
    assert Article.objects.filter(article_id__endswith="-copy").count() >= 30


def test_a_pool_with_articles_of_ones_own_is_left_alone(shipped_templates, operator):
    Article.objects.create(article_id="mine", title="Mine")
    assert load(operator) == []
    assert Article.objects.count() == 1


def test_the_articles_are_the_same_whenever_they_are_made():
    now = database_now()
    first, again = invented.articles(now), invented.articles(now)
    assert first == again
    assert len({row["article_id"] for row in first}) == len(first)
