"""Replays read only the rows that were asked for, and the watermark neither moves nor matters."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import AuditEvent
from etl.models import StagingProduct, Watermark
from etl.products import services, sync
from etl.products.choices import Mode
from etl.products.local import LocalSource
from etl.products.positions import Position
from etl.products.rehearsal import rehearse
from etl.products.wishes import keys_asked, mode_asked
from observed import NOON, counts, log, open_rejects, physical, products

REPLAY = {"mode": Mode.REPLAY}
OUTCOME = ("read", "created", "updated", "unchanged", "superseded", "rejected", "batches", "waiting", "watermark")
DECOMPOSED, COMPOSED = "Cafe\N{COMBINING ACUTE ACCENT}", "Café"


def minute(number):
    return NOON + timedelta(minutes=number)


def change_quietly(**cells):
    """Change every source row without a new timestamp, so that no ordinary run would see it."""
    StagingProduct.objects.update(**cells)


@pytest.fixture
def ten(stage, synced):
    """Ten products, one a minute, all synchronised and then changed behind the watermark's back."""
    for number in range(10):
        stage(str(number), minute=number)
    synced()
    change_quietly(name="changed")


def changed():
    return {sku for sku, (name, _price) in products().items() if name == "changed"}


@pytest.mark.parametrize(
    ("window", "skus"),
    [
        ({"since": minute(7)}, "789"),
        ({"until": minute(1)}, "01"),
        ({"since": minute(3), "until": minute(5)}, "345"),
        ({"since": minute(4), "until": minute(4)}, "4"),
        ({"since": minute(20)}, ""),
        ({"since": minute(3), "until": minute(5), "keys": (("BRAND", "4"), ("BRAND", "9"))}, "4"),
        ({"keys": (("BRAND", "9"), ("BRAND", "0"))}, "09"),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 1000])
def test_it_reads_these_rows_only_and_leaves_the_watermark(ten, synced, window, skus, batch_size):
    before = physical("etl_watermark")
    run = synced(**REPLAY, **window, batch_size=batch_size)
    expected = {"read": len(skus), "updated": len(skus)} if skus else {}
    assert (run.status, counts(run), changed()) == ("completed", expected, set(skus))
    assert run.started_from == run.watermark == Position(minute(9), run.watermark.id)
    assert physical("etl_watermark") == before


def test_it_works_without_any_watermark_and_makes_none(stage, synced):
    stage("1")
    run = synced(**REPLAY, since=NOON)
    assert (counts(run), run.watermark) == ({"read": 1, "created": 1}, None)
    assert not Watermark.objects.exists()


def test_a_watermark_that_someone_moves_does_not_stop_it(ten, stage, runs):
    for number in range(20, 30):  # beyond the watermark, where a sync would move it
        stage(str(number), minute=number, name="changed")
    run = services.start_sync_here(services.SyncOptions(**REPLAY, since=NOON, batch_size=3), actor="test")
    sync.run_product_sync(run.pk, on_batch=lambda seen: Watermark.objects.update(last_processed_id=seen.batches))
    assert runs.get(pk=run.pk).status == "completed"
    assert len(changed()) == 20


def test_keys_are_found_however_the_source_spells_them_and_the_missing_are_told(stage, synced):
    stage(f" {DECOMPOSED}\n", name="A")
    stage("2")
    run = synced(**REPLAY, keys=keys_asked([("BRAND", COMPOSED), ("BRAND", "nope"), ("BRAND", "2 "), ("A", "2")]))
    assert counts(run) == {"read": 2, "created": 2}
    assert (run.keys_not_found, run.first_keys_not_found) == (2, [["A", "2"], ["BRAND", "nope"]])


def test_rows_that_wait_are_not_read_and_rows_without_a_time_are_rejected(stage, synced):
    stage("waits", src_updated_at=timezone.now() + timedelta(days=1))
    stage("untimed", src_updated_at=None)
    keys = (("BRAND", "waits"), ("BRAND", "untimed"))
    assert counts(synced(**REPLAY, since=NOON, keys=keys)) == {}
    run = synced(**REPLAY, keys=keys)
    assert (counts(run), run.keys_not_found) == ({"read": 1, "rejected": 1}, 0)
    assert open_rejects() == {"untimed": "missing-timestamp"}


def test_a_row_that_a_later_one_has_replaced_does_not_come_back(stage, synced):
    """What is stored keeps the place of its last change, so its version alone cannot tell."""
    stage("1", minute=0, name="A")
    synced()
    stage("1", minute=5, name="B")
    stage(" 1\u3000", minute=6, name="A")
    synced()
    assert log() == [("CREATE", "1")]
    run = synced(**REPLAY, since=minute(5), until=minute(5))
    assert counts(run) == {"read": 1, "superseded": 1}
    by_key = synced(**REPLAY, keys=(("BRAND", "1"),), batch_size=1)
    assert counts(by_key) == {"read": 3, "superseded": 1, "unchanged": 2}
    assert products()["1"][0] == "A"
    assert log() == [("CREATE", "1")]


def test_a_later_row_that_is_bad_replaces_nothing(stage, synced):
    stage("1", minute=0, name="A")
    stage("1", minute=5, name="B", price="x")
    run = synced(**REPLAY, keys=(("BRAND", "1"),), batch_size=1)
    assert counts(run) == {"read": 2, "created": 1, "rejected": 1}
    assert products()["1"][0] == "A"


def test_the_later_rows_of_a_page_are_found_by_one_scan(stage, synced):
    for number in range(40):
        stage(str(number), minute=number % 3, price="x")
        stage(str(number), minute=10)
    synced()
    StagingProduct.objects.filter(price="x").update(price="1")
    with CaptureQueriesContext(connection) as seen:
        run = synced(lookback=timedelta())
    assert counts(run) == {"read": 40, "superseded": 40}
    scans = [query["sql"] for query in seen if "WITH ORDINALITY" in query["sql"]]
    assert len(scans) <= 1


def test_mended_rows_are_taken_over_with_one_scan_for_all(stage, synced, monkeypatch):
    for number in range(40):
        stage(str(number), price="x")
    stage("later", minute=60)
    synced()
    StagingProduct.objects.filter(price="x").update(price="1")
    scans, scan = [], LocalSource.newer_rows
    monkeypatch.setattr(LocalSource, "newer_rows", lambda *asked: scans.append(asked) or scan(*asked))
    run = synced(lookback=timedelta())
    assert counts(run) == {"read": 40, "created": 40}
    assert len(scans) == 1


def test_the_rows_later_than_a_place_are_told_by_key_newest_first(stage):
    rows = [stage("1", minute=number) for number in range(4)]
    other = stage(f"\t{DECOMPOSED} ", minute=2)
    stage("1", src_updated_at=timezone.now() + timedelta(days=1))
    newer = LocalSource().newer_rows(
        {
            ("BRAND", "1"): Position(minute(1), rows[1].pk),
            ("BRAND", COMPOSED): Position(minute(0), 0),
            ("BRAND", "2"): Position(minute(0), 0),
        }
    )
    assert newer == {("BRAND", "1"): [rows[3].pk, rows[2].pk], ("BRAND", COMPOSED): [other.pk]}


def test_a_replay_of_keys_that_is_handed_over_goes_on_where_it_was(ten, runs):
    keys = tuple(("BRAND", str(number)) for number in range(10))
    run = services.start_sync_here(services.SyncOptions(**REPLAY, keys=keys, batch_size=4), actor="test")
    for _ in range(3):
        sync.run_product_sync(run.pk, hand_over_after=0)
    sync.run_product_sync(run.pk)
    run.refresh_from_db()
    assert (run.status, run.read, run.batches) == ("completed", 10, 3)


def test_max_batches_counts_the_batches_of_a_replay(ten, synced):
    assert synced(**REPLAY, since=NOON, batch_size=2, max_batches=2).read == 4
    keys = tuple(("BRAND", str(number)) for number in range(10))
    assert synced(**REPLAY, keys=keys, batch_size=3, max_batches=1).read == 3


def test_a_cancelled_replay_stops_at_its_next_batch(ten, runs):
    keys = tuple(("BRAND", str(number)) for number in range(10))
    run = services.start_sync_here(services.SyncOptions(**REPLAY, keys=keys, batch_size=2), actor="test")
    sync.run_product_sync(run.pk, on_batch=lambda seen: runs.cancel(run.pk))
    run.refresh_from_db()
    assert (run.status, run.read) == ("cancelled", 2)


@pytest.mark.parametrize("picked", [{"since": minute(3)}, {"keys": (("BRAND", "4"), ("X", "Y"))}])
@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_a_dry_run_counts_exactly_what_the_replay_does(ten, synced, picked, batch_size):
    told = services.SyncOptions(**REPLAY, **picked, dry_run=True, batch_size=batch_size).unsaved_run()
    rehearse(told, LocalSource())
    done = synced(**REPLAY, **picked, batch_size=batch_size)
    names = (*OUTCOME, "keys_not_found")
    assert {name: getattr(told, name) for name in names} == {name: getattr(done, name) for name in names}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"mode": Mode.FULL, "since": NOON}, "since"),
        ({"mode": Mode.FULL, "max_batches": 1}, "max_batches"),
        ({"mode": Mode.FULL, "lookback": timedelta(1)}, "lookback"),
        ({"mode": Mode.REHASH, "max_rejects": 0}, "max_rejects"),
        ({"mode": Mode.REHASH, "resume": False}, "resume"),
        ({"mode": Mode.REHASH, "keys": (("B", "1"),)}, "keys"),
        ({"mode": Mode.REPLAY, "since": NOON, "resume": False}, "resume"),
        ({"mode": Mode.REPLAY}, "keys"),
        ({"mode": Mode.REPLAY, "since": NOON, "max_delete_percent": 5}, "max_delete_percent"),
        ({"mode": Mode.REPLAY, "since": NOON, "until": NOON - timedelta(1)}, "until"),
        ({"until": NOON}, "until"),
        ({"max_delete_percent": 5}, "max_delete_percent"),
    ],
)
def test_options_that_contradict_each_other_are_refused(db, runs, options, field):
    with pytest.raises(ValidationError) as refusal:
        services.request_sync(services.SyncOptions(**options), actor="test")
    assert list(refusal.value.message_dict) == [field]
    assert not runs.exists()


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"full": True, "rehash": True}, "rehash"),
        ({"full": True, "since": NOON}, "since"),
        ({"rehash": True, "keys": [("B", "1")]}, "keys"),
    ],
)
def test_two_modes_at_once_are_refused(asked, field):
    with pytest.raises(ValidationError) as refusal:
        mode_asked(**asked)
    assert list(refusal.value.message_dict) == [field]


def test_a_long_list_of_keys_is_cut_in_the_audit_log(db):
    keys = tuple(("B", str(number)) for number in range(100))
    services.request_sync(services.SyncOptions(**REPLAY, keys=keys), actor="test")
    after = AuditEvent.objects.get(action="product-sync.requested").after
    assert (after["keys"]["count"], len(after["keys"]["first"])) == (100, 20)
