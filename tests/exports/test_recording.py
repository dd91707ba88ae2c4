"""What is written down of an export, in which tables, and what is refused."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from articles import article, many
from exports import recording
from exports.models import BriefBatch, BriefItem, ManualExportBatch, ManualExportItem
from exports.printing import sha256_of
from exports.recording import Entry
from observed import physical
from processes import wait_until
from runs.errors import Conflict, Contention

pytestmark = pytest.mark.django_db(transaction=True)

DAY = date(2026, 3, 1)
BY_HAND, BY_WORKER = recording.record_manual_export, recording.record_export
TABLES = {
    BY_HAND: ("manual_export_batches", "manual_export_items"),
    BY_WORKER: ("brief_batches", "brief_items"),
}
lines = pytest.mark.parametrize("line", [BY_HAND, BY_WORKER], ids=["by hand", "by the worker"])


def record(line, tag, ids, *, day=DAY, content="text\n", **payload):
    entries = [Entry(each, "jingnei_positive", f"Summary {each}", {"score": 1, "title": each}) for each in ids]
    with transaction.atomic():
        return line(tag, day, entries, template="brief", payload={"report_tag": tag, **payload}, content=content)


@lines
def test_places_go_on_without_a_gap_and_what_is_known_is_listed(line):
    many(6)
    first = record(line, "t", ["a-1", "a-2"], content="one\n")
    second = record(line, "t", ["a-3", "a-1", "a-4", "a-2", "a-5"], content="two\n", output_path="x")
    assert first.items == [("a-1", 1), ("a-2", 2)]
    assert second.items == [("a-3", 3), ("a-4", 4), ("a-5", 5)]
    assert second.skipped_duplicates == ["a-1", "a-2"]
    assert first.batch == second.batch
    stored = type(second.batch).objects.get()
    assert (stored.content, stored.sha256, stored.sequence_no) == ("two\n", sha256_of("two\n"), 1)
    assert stored.export_payload == {"report_tag": "t", "output_path": "x"}
    assert (stored.generated_by, stored.report_date, stored.template) == ("t", DAY, "brief")
    for name in (field.attname for field in stored._meta.concrete_fields):
        assert getattr(stored, name) == getattr(second.batch, name), name
    item = stored.items.get(article_id="a-4")
    assert (item.section, item.final_summary, item.metadata) == (
        "jingnei_positive", "Summary a-4", {"score": 1, "title": "a-4"},
    )  # fmt: skip


@lines
def test_an_article_twice_in_one_export_takes_one_place(line):
    many(2)
    done = record(line, "t", ["a-1", "a-1", "a-2"])
    assert (done.items, done.skipped_duplicates) == ([("a-1", 1), ("a-2", 2)], ["a-1"])


@lines
def test_batches_of_a_day_are_numbered_from_one_for_each_day(line):
    many(1)
    made = [record(line, tag, ["a-1"], day=day).batch for tag, day in (("x", DAY), ("y", DAY), ("z", date(2026, 3, 2)))]
    assert [each.sequence_no for each in made] == [1, 2, 1]


@lines
def test_a_tag_keeps_its_date(line):
    many(2)
    record(line, "t", ["a-1"])
    before = physical(*TABLES[line])
    with pytest.raises(Conflict) as refused:
        record(line, "t", ["a-2"], day=date(2026, 3, 2))
    assert (refused.value.slug, refused.value.extra["date"]) == ("tag-has-other-date", "2026-03-01")
    assert physical(*TABLES[line]) == before


@lines
def test_articles_that_do_not_exist_are_named_and_nothing_is_written(line):
    many(1)
    with pytest.raises(ValidationError, match="no such article: ghost, 幽灵/1"):
        record(line, "t", ["a-1", "ghost", "幽灵/1"])
    assert not ManualExportBatch.objects.exists()
    assert not BriefBatch.objects.exists()


@lines
def test_ids_of_every_kind_are_recorded(line):
    ids = ["a/b/../c", "🙂", "'; --", "%s {x}", "x" * 512, " "]
    for each in ids:
        article(each)
    assert [each[0] for each in record(line, "t 🙂/%s", ids).items] == ids


@lines
def test_one_line_writes_nothing_in_the_tables_of_the_other(line):
    many(3)
    other = next(each for each in TABLES if each is not line)
    record(other, "t", ["a-1"])
    before = physical(*TABLES[other])
    record(line, "t", ["a-1", "a-2"])
    record(line, "new", ["a-3"])
    assert physical(*TABLES[other]) == before


def test_a_gap_that_somebody_writing_without_the_lock_would_make_is_refused():
    many(3)
    batch = record(BY_HAND, "t", ["a-1"]).batch
    stranger = connection.copy()
    with closing(stranger), stranger.cursor() as cursor, ThreadPoolExecutor(1) as elsewhere:
        cursor.execute("BEGIN")
        cursor.execute(
            "INSERT INTO manual_export_items (manual_export_batch_id, article_id, order_index) VALUES (%s, 'a-2', 99)",
            [batch.pk],
        )
        waiting = elsewhere.submit(_recorded_elsewhere, ["a-2", "a-3"])
        wait_until(_somebody_waits, what="the recording to meet the stranger's row")
        cursor.execute("COMMIT")
        with pytest.raises(Contention):
            waiting.result(timeout=30)
    assert set(ManualExportItem.objects.values_list("article_id", "order_index")) == {("a-1", 1), ("a-2", 99)}


def _recorded_elsewhere(ids):
    try:
        return record(BY_HAND, "t", ids)
    finally:
        connection.close()


def _somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


def test_recording_asks_for_a_transaction():
    with pytest.raises(AssertionError, match="locks last"):
        BY_HAND("t", DAY, [], template="", payload={}, content="")


def test_locks_are_taken_in_one_order_tag_before_date():
    many(1)
    with transaction.atomic(), connection.cursor() as cursor:
        recording.hold_manual_tag("t", DAY)
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone() == (2,)
    record(BY_HAND, "t", ["a-1"])
    with transaction.atomic(), connection.cursor() as cursor:
        recording.hold_manual_tag("t", DAY)
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone() == (1,), "a batch that exists needs no lock on its day"


# --- the switch of the store ---------------------------------------------------------------------


def test_by_hand_among_the_briefs_is_a_batch_of_its_own(settings):
    settings.EXPORTS_MANUAL_STORE = "brief"
    many(2)
    record(BY_WORKER, "t", ["a-1"], content="worker\n")
    done = record(BY_HAND, "t", ["a-1", "a-2"], content="hand\n")
    record(BY_WORKER, "t", ["a-2"], content="worker again\n")
    assert done.items == [("a-1", 1), ("a-2", 2)]
    found = BriefBatch.objects.order_by("sequence_no").values_list("source", "sequence_no", "content")
    assert list(found) == [("worker", 1, "worker again\n"), ("manual", 2, "hand\n")]
    assert set(BriefItem.objects.values_list("source", "batch__source", "article_id")) == {
        ("worker", "worker", "a-1"), ("worker", "worker", "a-2"),
        ("manual", "manual", "a-1"), ("manual", "manual", "a-2"),
    }  # fmt: skip
    assert not ManualExportBatch.objects.exists()


@pytest.mark.parametrize("stores", [("manual", "brief"), ("brief", "manual")])
def test_a_switch_in_the_middle_doubles_nothing_by_hand(settings, stores):
    many(3)
    record(BY_WORKER, "t", ["a-1", "a-2", "a-3"])
    settings.EXPORTS_MANUAL_STORE = stores[0]
    record(BY_HAND, "t", ["a-1", "a-2"])
    settings.EXPORTS_MANUAL_STORE = stores[1]
    done = record(BY_HAND, "t", ["a-2", "a-3"])
    assert (done.items, done.skipped_duplicates) == ([("a-3", 1)], ["a-2"])
    assert recording.recorded_by_hand("t", ["a-3", "a-9", "a-1"]) == ["a-3", "a-1"]
    by_hand = [*ManualExportItem.objects.values_list("article_id", flat=True)]
    by_hand += BriefItem.objects.filter(source="manual").values_list("article_id", flat=True)
    assert sorted(by_hand) == ["a-1", "a-2", "a-3"]


# --- tags ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "day", "expected"),
    [
        ("2026-03-05-manual", None, ("2026-03-05-manual", date(2026, 3, 5))),
        ("2026-03-05", DAY, ("2026-03-05", DAY)),
        ("", DAY, ("2026-03-01", DAY)),
        ("  x ", DAY, ("x", DAY)),
        ("2026-02-31-x", "today", ("2026-02-31-x", "today")),
        ("2026-03-051", "today", ("2026-03-051", "today")),
        ("早报", "today", ("早报", "today")),
    ],
)
def test_a_date_is_the_one_said_else_the_tags_else_today(tag, day, expected, monkeypatch):
    today = date(2026, 11, 23)
    monkeypatch.setattr(recording.timezone, "localdate", lambda: today)
    found = recording.resolve_tag(tag, None if day == "today" else day)
    assert found == (expected[0], today if expected[1] == "today" else expected[1])


def test_without_tag_and_date_both_are_today(monkeypatch):
    monkeypatch.setattr(recording.timezone, "localdate", lambda: date(2026, 11, 23))
    assert recording.resolve_tag(None) == ("2026-11-23", date(2026, 11, 23))


@pytest.mark.parametrize("tag", ["x" * 201, "a\0b", "a\nb", "\ud800"])
def test_what_cannot_be_a_tag_is_refused(tag):
    with pytest.raises(ValidationError) as refused:
        recording.resolve_tag(tag)
    assert list(refused.value.error_dict) == ["report_tag"]
