"""Exports made by hand move out of the worker's tables, and nothing is lost on the way."""

import json
from datetime import date
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import transaction

from access.models import AuditEvent
from articles import many
from exports.choices import Source
from exports.models import BriefBatch, BriefItem, ManualExportBatch, ManualExportItem
from exports.moving import move_manual_exports
from exports.recording import Entry, record_export, record_manual_export
from observed import everything
from processes import manage

pytestmark = pytest.mark.django_db(transaction=True)

DAY = date(2026, 3, 1)


def record(line, tag, ids, *, day=DAY, content="x\n"):
    entries = [Entry(each, "section", f"Summary of {each}", {"n": each}) for each in ids]
    with transaction.atomic():
        done = line(tag, day, entries, template="brief", payload={"report_tag": tag}, content=content)
    return done.batch


@pytest.fixture
def old(transactional_db):
    """Before the split: everything is the worker's, a suffix tells what was made by hand."""
    many(8)
    record(record_export, "2026-03-01-auto", ["a-1", "a-2"])
    record(record_export, "2026-03-01-manual", ["a-2", "a-3"], content="by hand\n")
    record(record_export, "2026-03-02-manual", ["a-4"], day=date(2026, 3, 2))


def move(**which):
    return move_manual_exports(**which, actor="test")


def by_hand(tag):
    return list(
        ManualExportItem.objects.filter(batch__report_tag=tag).order_by("order_index").values_list(
            "article_id", "order_index", "final_summary", "section", "metadata"
        )
    )  # fmt: skip


def numbers(model):
    return list(model.objects.order_by("report_date", "sequence_no").values_list("report_tag", "sequence_no"))


def test_old_rows_move_by_suffix_and_their_batches_stay_behind_empty(old):
    before = numbers(BriefBatch)
    moved = move(suffix="-manual")
    assert [(each.tag, each.moved, each.duplicates) for each in moved] == [
        ("2026-03-01-manual", 2, []), ("2026-03-02-manual", 1, []),
    ]  # fmt: skip
    assert by_hand("2026-03-01-manual") == [
        ("a-2", 1, "Summary of a-2", "section", {"n": "a-2"}), ("a-3", 2, "Summary of a-3", "section", {"n": "a-3"}),
    ]  # fmt: skip
    assert numbers(BriefBatch) == before
    assert set(BriefItem.objects.values_list("batch__report_tag", flat=True)) == {"2026-03-01-auto"}
    left, made = BriefBatch.objects.get(report_tag="2026-03-01-manual"), ManualExportBatch.objects.get(report_date=DAY)
    assert left.export_payload == {
        "report_tag": "2026-03-01-manual",
        "moved": {"manual_export_batch_id": made.pk, "items": 2, "duplicates": []},
    }
    assert (made.content, made.sha256, made.template) == ("by hand\n", left.sha256, "brief")
    assert (made.export_payload, made.created_at) == ({"report_tag": "2026-03-01-manual"}, left.created_at)
    assert numbers(ManualExportBatch) == [("2026-03-01-manual", 1), ("2026-03-02-manual", 1)]
    assert AuditEvent.objects.filter(action="brief.moved").count() == 2


def test_moving_twice_is_moving_once(old):
    move(suffix="-manual")
    before = everything()
    assert [each.moved for each in move(suffix="-manual")] == [0, 0]
    assert everything() == before


def test_a_rehearsal_says_what_would_move_and_writes_nothing(old):
    record(record_manual_export, "2026-03-01-manual", ["a-3", "a-5"])
    before = everything()
    rehearsed = move(tags=["2026-03-01-manual"], dry_run=True)
    assert everything() == before
    moved = move(tags=["2026-03-01-manual"])
    assert [(each.moved, each.duplicates, each.manual_batch) for each in rehearsed] == [
        (each.moved, each.duplicates, each.manual_batch) for each in moved
    ] == [(1, ["a-3"], ManualExportBatch.objects.get().pk)]  # fmt: skip
    assert [row[:2] for row in by_hand("2026-03-01-manual")] == [("a-3", 1), ("a-5", 2), ("a-2", 3)]


def test_of_a_tag_with_two_batches_the_one_made_by_hand_moves(settings):
    many(4)
    record(record_export, "t", ["a-1"])
    settings.EXPORTS_MANUAL_STORE = "brief"
    record(record_manual_export, "t", ["a-1", "a-2"], content="newer\n")
    settings.EXPORTS_MANUAL_STORE = "manual"
    (moved,) = move(tags=["t"])
    assert (moved.source, moved.moved) == ("manual", 2)
    assert list(BriefItem.objects.values_list("article_id", "source")) == [("a-1", "worker")]
    (again,) = move(tags=["t"])
    assert (again.source, again.moved) == ("manual", 0)
    (worker,) = move(tags=["t"], source=Source.WORKER)
    assert (worker.moved, worker.duplicates) == (0, ["a-1"])
    assert not BriefItem.objects.exists()


def test_back_and_forth_over_the_switch_loses_nothing(settings):
    many(5)
    record(record_manual_export, "t", ["a-1", "a-2"], content="first\n")
    settings.EXPORTS_MANUAL_STORE = "brief"
    record(record_manual_export, "t", ["a-2", "a-3"], content="second\n")
    settings.EXPORTS_MANUAL_STORE = "manual"
    record(record_manual_export, "t", ["a-3", "a-4"], content="third\n")
    move(tags=["t"])
    assert [row[:2] for row in by_hand("t")] == [("a-1", 1), ("a-2", 2), ("a-4", 3), ("a-3", 4)]
    assert ManualExportBatch.objects.get().content == "third\n"
    settings.EXPORTS_MANUAL_STORE = "brief"
    record(record_manual_export, "t", ["a-4", "a-5"], content="fourth\n")
    move(tags=["t"])
    assert [row[0] for row in by_hand("t")] == ["a-1", "a-2", "a-4", "a-3", "a-5"]
    assert ManualExportBatch.objects.get().content == "fourth\n"


def test_a_tag_that_has_another_date_by_hand_is_refused_and_the_others_move(old):
    record(record_manual_export, "2026-03-01-manual", ["a-5"], day=date(2026, 4, 1))
    moved = move(suffix="-manual")
    assert [(each.moved, bool(each.refused)) for each in moved] == [(0, True), (1, False)]
    assert BriefItem.objects.filter(batch__report_tag="2026-03-01-manual").count() == 2
    assert [bool(each.refused) for each in move(suffix="-manual", dry_run=True)] == [True, False]


@pytest.mark.parametrize(
    "which", [{}, {"tags": ["2026-03-01-manual", "ghost"]}, {"tags": ["x"], "suffix": "y"}, {"tags": ["\0"]}]
)
def test_what_cannot_be_meant_is_refused_before_anything_moves(old, which):
    before = everything()
    with pytest.raises(ValidationError):
        move(**which)
    assert everything() == before


def run(*arguments):
    out = StringIO()
    call_command("move_manual_exports", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tells_what_moved(old):
    record(record_manual_export, "2026-03-01-manual", ["a-3"])
    said = json.loads(run("--suffix=-manual", "--dry-run", "--json"))
    assert said["dry_run"] is True
    assert [(each["tag"], each["moved"], each["duplicates"]) for each in said["batches"]] == [
        ("2026-03-01-manual", 1, ["a-3"]), ("2026-03-02-manual", 1, []),
    ]  # fmt: skip
    assert run("--tag", "2026-03-01-manual", "2026-03-02-manual") == (
        "2026-03-01-manual: 1 article moved\n  already there: a-3\n2026-03-02-manual: 1 article moved\n"
    )
    assert run("--suffix=-nothing") == "No brief has such a tag.\n"


@pytest.mark.long
def test_the_command_leaves_with_the_code_of_what_was_wrong(old):
    record(record_manual_export, "2026-03-01-manual", ["a-5"], day=date(2026, 4, 1))
    with pytest.raises(CommandError) as refused:
        run("--suffix=-manual")
    assert refused.value.returncode == 3
    with pytest.raises(CommandError) as unknown:
        run("--tag", "ghost")
    assert unknown.value.returncode == 2
    done = manage("move_manual_exports", "--tag", "x", "--suffix=y")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert manage("move_manual_exports").returncode == 2
