"""An export by hand is killed at every marked place: nothing of it is there, or all of it; its file can be mended."""

from datetime import date

import pytest

from articles import many, statuses
from cleaning import ship_templates
from exports import files
from exports.models import ExportRun, IssueCounter, ManualExportBatch, ManualExportItem
from exports.printing import sha256_of
from invariants import assert_all_hold
from observed import everything
from processes import python

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

EXPORT = """
from exports.briefs import BriefOptions, export_by_hand
export_by_hand(BriefOptions("2026-03-01-x", template="zongbao", output_path="a/brief.txt"), actor="test")
"""
BEFORE = ["batch.before", "commit.before"]
AFTER = ["commit.after", "publish.before", "rename.before", "publish.after"]


@pytest.fixture
def folder(settings, tmp_path):
    """Where files of briefs go, in the other process too; three articles are selected."""
    settings.EXPORTS_DIR = tmp_path / "exports"
    ship_templates()
    many(3)
    return settings.EXPORTS_DIR


def exported(folder, place=None):
    """Whether an export in a process of its own came to its end."""
    extra = {"FAILPOINT": f"{place}:1"} if place else {}
    done = python(EXPORT, EXPORTS_DIR=str(folder), **extra)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == 0


def files_in(folder):
    return [each.name for each in folder.rglob("*") if each.is_file()]


@pytest.mark.long
@pytest.mark.parametrize("place", BEFORE)
def test_killed_before_its_commit_an_export_leaves_nothing_and_can_be_made_again(folder, place):
    before = everything()
    assert not exported(folder, place)
    assert everything() == before
    assert not folder.exists()
    assert exported(folder)
    assert_all_of_it(folder)


@pytest.mark.long
@pytest.mark.parametrize("place", AFTER)
def test_killed_after_its_commit_an_export_is_there_and_its_file_can_be_mended(folder, place):
    assert not exported(folder, place)
    run = ExportRun.objects.get()
    was_written = place == "publish.after"
    assert ("brief.txt" in files_in(folder)) == was_written
    for each in (run, run.batch):
        path = files.write_again(each)
        assert sha256_of(path.read_text(encoding="utf-8")) == run.sha256
    assert_all_of_it(folder)


def assert_all_of_it(folder):
    """Run, batch, items, number, marks and the file."""
    assert_all_hold()
    run, batch = ExportRun.objects.get(), ManualExportBatch.objects.get()
    assert (run.status, run.recorded, run.report_date) == ("completed", 3, date(2026, 3, 1))
    assert run.sha256 == batch.sha256 == sha256_of(run.content)
    assert sorted(ManualExportItem.objects.values_list("order_index", flat=True)) == [1, 2, 3]
    assert IssueCounter.objects.count() == 1
    assert set(statuses().values()) == {"exported"}
    assert (folder / "a" / "brief.txt").read_text(encoding="utf-8") == run.content
