"""The designs of the recording bench do the same work, and the scenario is what the figures claim it to be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from bench import recording
from bench.scenarios import ArticlePool
from cleaning import ship_templates
from exports.models import ExportRun, ManualExportBatch, ManualExportItem, ManualReview
from processes import ROOT

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("shipped_templates"),
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures through Linux's /proc"),
]

NOWHERE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture
def shipped_templates(db):
    """The templates that a migration ships; afterwards no session is left of those that Django does not know."""
    ship_templates()
    yield
    recording.sql.disconnect()


def left():
    """What one export of everything leaves, without what depends on time and text."""
    run = ExportRun.objects.get()
    return {
        "items": list(ManualExportItem.objects.order_by("order_index").values_list("article_id", "order_index")),
        "batches": list(ManualExportBatch.objects.values_list("report_tag", "report_date", "sequence_no")),
        "run": (run.status, run.kind, run.printed, run.recorded, run.manual_batch_id is not None),
        "reviews": set(ManualReview.objects.values_list("status", "version")),
    }


@pytest.mark.parametrize("design", ["sql", "naive"])
def test_every_design_leaves_what_ours_leaves(design):
    ArticlePool(1, own=40, shared=0).stage()
    # the other two print no order of their own
    with connection.cursor() as cursor:
        cursor.execute("UPDATE manual_reviews SET rank = id")
        cursor.execute("UPDATE news_articles SET region = 'internal', sentiment = 'positive'")
    recording.ALL_SELECTED["ours"](recording.TAG, recording.DAY)
    expected = left()
    assert expected["run"] == ("completed", "manual", 40, 40, True)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE manual_export_items, manual_export_batches, exports_exportrun CASCADE")
        cursor.execute("UPDATE manual_reviews SET status = 'selected', version = 1")
    recording.ALL_SELECTED[design](recording.TAG, recording.DAY)
    assert left() == expected


def test_half_of_what_each_writer_exports_is_its_own():
    pool = ArticlePool(2, own=100)
    portions = [list(pool.portions(writer, 10, seed=writer)) for writer in range(2)]
    assert [len(each) for each in portions] == [20, 20]
    own = [set(), set()]
    for writer, exports in enumerate(portions):
        for ids in exports:
            assert len(set(ids)) == 10
            numbers = {int(each.removeprefix("pool-")) for each in ids} - set(range(1, 201))
            assert len(numbers - own[writer]) == 5
            own[writer] |= numbers
    assert not own[0] & own[1]
    assert len(own[0]) == len(own[1]) == 100


@pytest.mark.long
def test_a_design_that_leaves_work_out_is_stopped(monkeypatch):
    monkeypatch.setitem(recording.ALL_SELECTED, "ours", lambda tag, day: (1, ""))
    with pytest.raises(AssertionError, match="ours: recorded 1 of 400"):
        list(recording.run("ours", 400))


@pytest.mark.long
@pytest.mark.benchmark
def test_recording_reports_every_design_and_pass_from_servers_of_its_own():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "recording", "--rows", "400", "--rounds", "1", "--json"],
        cwd=ROOT, env=os.environ | NOWHERE, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    found = {(result["design"], result["pass"]): result for result in report["results"]}
    assert set(found) == {
        (design, kind) for design in ("sql", "ours") for kind in ("record", "export", "one-export")
    } | {("naive", "record"), ("naive", "one-export")}  # fmt: skip
    assert all(result["perSecond"] > 0 and result["ratioToLimit"] > 0 for result in found.values())
    at_once = [result["notes"] for result in found.values() if result["pass"] != "one-export"]
    assert all(notes["deadlocks"] == 0 and notes["newPercent"] >= 50 for notes in at_once)
