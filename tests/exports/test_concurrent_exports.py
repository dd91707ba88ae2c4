"""Both lines at once, in many processes: no article twice, no gap in places or numbers, no run's text lost."""

import os
from datetime import date

import pytest
from django.db import connection

from bench.recording import unsafe
from bench.recording.writers import Wish, at_once
from bench.scenarios import ArticlePool
from exports.models import BriefBatch, BriefItem, ExportRun, ManualExportBatch, ManualExportItem
from exports.printing import sha256_of
from faulting import how_often
from invariants import assert_all_hold
from processes import environment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

SECONDS = how_often(short=3, ci=10, full=30)
OWN = how_often(short=1_000, ci=5_000, full=15_000)
LINE = 8
TAG, DAY = "2026-03-01", date(2026, 3, 1)


def wishes(*, seconds=SECONDS, **changed):
    """Eight writers of each line, on one tag and, every fifth time, on new ones of the same date."""
    values = {"writers": LINE, "own": OWN, "tag": TAG, "day": DAY.isoformat(), "seconds": seconds, "new_tag_every": 5}
    return [
        Wish(**({"way": way, "writer": number, "seed": number * 7 + len(way)} | values | changed))
        for way in ("by-hand", "by-worker")
        for number in range(LINE)
    ]


def deadlocks():
    """How many the database has seen, its statistics up to date."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def percentile(seconds, share):
    """The value below which that share lies."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))]


COUNT_WRONGS = """
    SELECT (SELECT count(*) - count(DISTINCT (batch_id, article_id)) FROM unsafe_items) AS articles,
           (SELECT count(*) - count(DISTINCT (batch_id, order_index)) FROM unsafe_items) AS places,
           (SELECT count(*) - count(DISTINCT sequence_no) FROM unsafe_batches) AS numbers,
           (SELECT count(*) - count(DISTINCT report_tag) FROM unsafe_batches) AS tags
"""


@pytest.mark.long
def test_read_then_insert_and_max_plus_one_are_seen_to_fail(transactional_db):
    """The negative control: the same scenario catches the way it was done before."""
    with connection.cursor() as cursor:
        cursor.execute(unsafe.TABLES)
        try:
            alone = [wish for wish in wishes(seconds=1, way="read-then-insert") if wish.writer == 0][:1]
            at_once(alone, environment())
            cursor.execute(COUNT_WRONGS)
            assert set(cursor.fetchone()) == {0}, "alone it is right"
            cursor.execute("TRUNCATE unsafe_batches, unsafe_items")
            at_once(wishes(seconds=1, way="read-then-insert"), environment())
            cursor.execute(COUNT_WRONGS)
            wrong = cursor.fetchone()
        finally:
            cursor.execute("DROP TABLE unsafe_batches, unsafe_items")
    print("read, then insert by 16 processes: {} articles, {} places, {} numbers, {} tags doubled".format(*wrong))
    assert all(wrong)


@pytest.mark.parametrize("store", ["manual", pytest.param("brief", marks=pytest.mark.long)])
def test_eight_writers_of_each_line_double_nothing_and_leave_no_gap(shipped_templates, store):
    ArticlePool(LINE, OWN).stage()
    before = deadlocks()
    done = at_once(wishes(), environment(EXPORTS_MANUAL_STORE=store))
    by_line = {way: [each for each in done if each.way == way] for way in ("by-hand", "by-worker")}
    seconds = [each for one in done for each in one.seconds]
    print(
        f"store {store}: {len(seconds)} exports in {SECONDS} s by {len(done)} processes,"
        f" median {percentile(seconds, 0.5) * 1000:.0f} ms, p99 {percentile(seconds, 0.99) * 1000:.0f} ms,"
        f" at least {min(one.least_new for one in done):.0%} new"
    )
    assert not any(one.ran_out for one in done), "articles ran out: the scenario needs more of them"
    assert min(one.least_new for one in done) >= 0.5
    assert all(one.exports for one in done)

    assert_all_hold()
    assert deadlocks() == before
    runs = list(ExportRun.objects.values_list("sha256", "content", "payload", "report_tag"))
    assert sorted(row[0] for row in runs) == sorted(text for one in done for text in one.texts)
    assert all(sha256_of(content) == sha256 for sha256, content, *_ in runs)
    assert all(payload["report_tag"] == tag and payload["printed"] for _, _, payload, tag in runs)

    texts = {(tag, sha256) for sha256, _, _, tag in runs}
    batches = [*ManualExportBatch.objects.all(), *BriefBatch.objects.all()]
    assert {(each.report_tag, each.sha256) for each in batches} <= texts

    recorded = {way: sum(one.recorded for one in found) for way, found in by_line.items()}
    among_briefs = dict.fromkeys(("manual", "worker"), 0) | {
        source: BriefItem.objects.filter(source=source, batch__source=source).count() for source in ("manual", "worker")
    }
    by_hand = {"manual": ManualExportItem.objects.count(), "brief": among_briefs["manual"]}
    assert by_hand == {"manual": 0, "brief": 0} | {store: recorded["by-hand"]}
    assert among_briefs["worker"] == recorded["by-worker"] == BriefItem.objects.count() - among_briefs["manual"]
    if os.environ.get("FAULTS") == "full":
        assert percentile(seconds, 0.99) < 0.5
