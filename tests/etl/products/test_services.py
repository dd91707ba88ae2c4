"""What operators want of product sync, and when it is refused."""

import threading
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from access.models import AuditEvent
from etl.models import Product, ProductSyncRun, RejectedRow, Watermark
from etl.products import services
from etl.products.positions import FIRST_MOMENT
from etl.products.services import SyncOptions
from etl.products.source import SourceUnusable
from observed import NOON, log, open_rejects, products
from runs.errors import Conflict
from runs.querysets import seconds_from_now


def expire(run):
    """As if the worker had died long ago."""
    ProductSyncRun.objects.claim(run.pk)
    ProductSyncRun.objects.filter(pk=run.pk).update(lease_until=seconds_from_now(-1))


def test_a_request_is_queued_and_audited(runs):
    run = services.request_sync(SyncOptions(batch_size=7), actor="test")
    assert (run.status, run.batch_size) == ("pending", 7)
    event = AuditEvent.objects.get(action="product-sync.requested")
    assert (event.actor_name, event.object_id) == ("test", str(run.pk))


def test_a_second_start_is_refused_and_names_the_first(runs):
    first = services.request_sync(SyncOptions(), actor="test")
    with pytest.raises(Conflict) as refusal:
        services.request_sync(SyncOptions(), actor="test")
    assert (refusal.value.slug, refusal.value.extra) == ("run-active", {"runId": first.pk})
    assert runs.count() == 1
    assert AuditEvent.objects.filter(action="product-sync.requested").count() == 1


def test_of_eight_starts_in_the_same_instant_one_wins(runs):
    together, outcomes = threading.Barrier(8), []

    def start():
        together.wait()
        try:
            services.request_sync(SyncOptions(), actor="test")
            outcomes.append("started")
        except Conflict:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["started"]
    assert runs.open().count() == 1


def test_a_start_takes_over_from_a_dead_worker(runs):
    dead = services.request_sync(SyncOptions(), actor="test")
    expire(dead)
    successor = services.request_sync(SyncOptions(), actor="test")
    dead.refresh_from_db()
    assert (dead.status, dead.error, dead.superseded_by) == ("failed", "superseded", successor)


def test_a_dry_run_takes_nothing_over(runs):
    dead = services.request_sync(SyncOptions(), actor="test")
    expire(dead)
    services.request_sync(SyncOptions(dry_run=True), actor="test")
    dead.refresh_from_db()
    assert (dead.status, dead.superseded_by) == ("running", None)


@pytest.mark.parametrize("give_back", [True, False])
def test_a_command_without_a_reaper_starts_anew_after_a_hopeless_run(runs, give_back):
    hopeless = services.request_sync(SyncOptions(), actor="test")
    runs.filter(pk=hopeless.pk).update(attempt=hopeless.max_attempts - 1)
    token = runs.claim(hopeless.pk)
    if give_back:
        runs.release(hopeless.pk, token)
    else:
        runs.filter(pk=hopeless.pk).update(lease_until=seconds_from_now(-1))
    successor = services.start_sync_here(SyncOptions(), actor="test")
    hopeless.refresh_from_db()
    assert (hopeless.status, hopeless.error) == ("failed", "worker-lost")
    assert hopeless.superseded_by == successor != hopeless
    assert runs.claim(successor.pk) is not None


def test_a_command_claims_a_queued_run_with_its_options_itself(runs):
    queued = services.request_sync(SyncOptions(batch_size=7), actor="test")
    assert services.start_sync_here(SyncOptions(batch_size=7), actor="test") == queued
    with pytest.raises(Conflict):
        services.start_sync_here(SyncOptions(batch_size=8), actor="test")


def test_a_source_without_a_needed_column_is_named_before_anything_starts(runs):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE products_staging RENAME COLUMN price TO cost")
    try:
        with pytest.raises(SourceUnusable, match="lacks: price"):
            services.request_sync(SyncOptions(), actor="test")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE products_staging RENAME COLUMN cost TO price")
    assert not runs.exists()


def test_a_column_may_go_by_another_of_its_names(stage, synced):
    stage("1", price="7")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE products_staging RENAME COLUMN price TO retail_price")
    try:
        synced()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE products_staging RENAME COLUMN retail_price TO price")
    assert products() == {"1": ("Mug", "7.00")}


def test_a_mended_reject_is_taken_over_at_once(stage, synced):
    row = stage("1", price="x")
    synced()
    row.price = "1"
    row.save()
    outcome = services.retry_rejected_rows([RejectedRow.objects.get().pk], actor="test")
    assert outcome == services.RetryOutcome(resolved=1, still_rejected=0)
    assert products() == {"1": ("Mug", "1.00")}
    assert log() == [("CREATE", "1")]
    assert AuditEvent.objects.filter(action="rejected-rows.retried").count() == 1


def test_a_reject_that_is_still_bad_stays_with_its_new_reason(stage, synced):
    row = stage("1", price="x")
    synced()
    row.price = "-1"
    row.save()
    outcome = services.retry_rejected_rows([RejectedRow.objects.get().pk], actor="test")
    assert outcome == services.RetryOutcome(resolved=0, still_rejected=1)
    assert open_rejects() == {"1": "price-negative"}


def test_a_reject_whose_row_is_gone_leaves_the_list(stage, synced):
    stage("1", price="x").delete()
    row = stage("2", price="x")
    synced()
    row.delete()
    assert services.retry_rejected_rows([RejectedRow.objects.get().pk], actor="test").resolved == 1
    assert not Product.objects.exists()


def test_retrying_a_resolved_or_unknown_reject_changes_nothing(stage, synced):
    assert services.retry_rejected_rows([1, 2, 3], actor="test") == services.RetryOutcome(0, 0)


def test_retrying_too_many_at_once_is_refused(runs):
    with pytest.raises(ValidationError):
        services.retry_rejected_rows(list(range(1_001)), actor="test")


def test_a_rewound_watermark_lets_the_next_run_read_again(stage, synced):
    for minute in range(3):
        stage(str(minute), minute=60 * minute)
    synced()
    services.rewind_watermark(NOON, reason="feed was repaired", actor="test")
    assert synced(lookback=timedelta()).read == 3
    event = AuditEvent.objects.get(action="watermark.rewound")
    assert event.after["reason"] == "feed was repaired"
    assert event.before["id"] != event.after["id"]


@pytest.mark.parametrize(("hours", "reason"), [(-1, " "), (1, "forward"), (0, "same")])
def test_a_rewind_without_reason_or_forward_is_refused(stage, synced, hours, reason):
    stage("1")
    synced()
    before = Watermark.objects.position_of("products_staging")
    with pytest.raises(ValidationError):
        services.rewind_watermark(NOON + timedelta(hours=hours), reason=reason, actor="test")
    assert Watermark.objects.position_of("products_staging") == before


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_a_rewind_to_before_all_dates_is_refused(stage, synced, zone):
    stage("1")
    synced()
    before = Watermark.objects.position_of("products_staging")
    with pytest.raises(ValidationError):
        services.rewind_watermark(datetime(1, 1, 1, tzinfo=ZoneInfo(zone)), reason="all of it", actor="test")
    assert Watermark.objects.position_of("products_staging") == before


def test_a_rewind_to_the_first_moment_reads_everything_again(stage, synced):
    stage("1")
    synced()
    services.rewind_watermark(FIRST_MOMENT, reason="all of it", actor="test")
    assert synced().read == 1


def test_a_rewind_tells_when_the_watermark_was_moved(stage, synced):
    stage("1")
    synced()
    moved = Watermark.objects.get().updated_at
    rewound = services.rewind_watermark(NOON - timedelta(hours=1), reason="why not", actor="test")
    assert rewound.updated_at > moved


def test_a_rewind_of_a_source_never_read_is_refused(runs):
    with pytest.raises(ValidationError):
        services.rewind_watermark(NOON, reason="why not", actor="test")


def test_a_rewind_while_a_run_is_open_is_refused(stage, synced):
    stage("1")
    synced()
    services.request_sync(SyncOptions(), actor="test")
    with pytest.raises(Conflict):
        services.rewind_watermark(NOON - timedelta(hours=1), reason="now", actor="test")
