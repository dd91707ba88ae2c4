"""The doctor and the metrics look at exports: sound first, then broken past the product."""

import pytest
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from exports.checkup import examine
from exports.models import BriefItem
from watch.findings import Up
from watch.mending import mend
from worker_briefs import articles, by_hand, exported

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shipped_templates")]


def broken():
    """Check → what is wrong."""
    return {each.check: each.text for each in examine(Up(database=True, redis=True)) if not each.ok}


def past_the_product(statement):
    """As somebody with psql would, triggers asleep."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("RESET session_replication_role")


@pytest.fixture
def made():
    """A brief of each line."""
    articles(10)
    by_hand("hand", "a-00001", "a-00002")
    exported(limit=5)


def test_what_is_sound_has_no_findings(made):
    assert broken() == {}
    assert len(list(examine(Up(database=True, redis=True)))) == 4
    assert not list(examine(Up(database=False, redis=True)))


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("DELETE FROM brief_items WHERE order_index = 2", "places"),
        ("DELETE FROM brief_items WHERE order_index = 1", "places"),
        ("DELETE FROM manual_export_items WHERE order_index = 1", "places"),
        ("UPDATE brief_batches SET content = content || 'x'", "texts"),
        ("UPDATE manual_export_batches SET sha256 = repeat('0', 64)", "texts"),
        ("UPDATE news_articles SET score = 99 WHERE article_id = 'a-00003'", "reviews"),
        ("UPDATE manual_reviews SET list_score = NULL WHERE article_id = 'a-00003'", "reviews"),
        ("UPDATE manual_reviews SET region = 'unknown' WHERE article_id = 'a-00001'", "reviews"),
        ("DELETE FROM manual_reviews WHERE article_id = 'a-00003'", "reviews"),
    ],
)
def test_damage_is_found(made, damage, check):
    past_the_product(damage)
    assert list(broken()) == [check]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE news_articles SET score = 99, region = 'unknown' WHERE article_id = 'a-00003'",
        "DELETE FROM manual_reviews WHERE article_id IN ('a-00003', 'a-00004')",
    ],
)
def test_what_the_doctor_can_mend_is_mended(made, damage):
    past_the_product(damage)
    before = BriefItem.objects.count()
    found = [each for each in examine(Up(database=True, redis=True)) if not each.ok]
    assert [failure for _statement, failure in mend(found, actor="test")] == [""]
    assert broken() == {}
    assert BriefItem.objects.count() == before


def test_metrics_tell_what_waits_and_how_old_the_newest_export_is(made, client_of, viewer):
    answer = client_of(viewer).get("/metrics")
    told = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }
    assert told["pressroom_reviews", ("pending",)] == 10
    assert told["pressroom_reviews", ("discarded",)] == 0
    assert 0 <= told["pressroom_export_age_seconds", ("worker",)] < 60
    assert ("pressroom_export_age_seconds", ("manual",)) not in told, "recorded without a run by this test"
