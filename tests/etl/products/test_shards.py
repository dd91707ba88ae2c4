"""A run in shards: the same outcome as an undivided one, whoever reads the shards."""

from collections import Counter
from datetime import timedelta
from itertools import chain

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from access.models import AuditEvent
from etl.models import Product, ProductChange, ProductSyncBatch, ProductSyncRun, ProductSyncShard, StagingProduct
from etl.products import services, sharding, sync
from etl.products.local import LocalSource
from etl.products.positions import Position
from etl.products.shards import open_shards
from etl.products.source import OthersRow
from observed import NOON, counts, everything, log, open_rejects, physical, products
from processes import Worker, wait_until
from runs import reaper
from runs.lease import Lease
from runs.querysets import seconds_from_now
from runs.services import cancel


@pytest.fixture
def filled(stage):
    """300 rows: ties, several versions of some keys, keys written with blanks, bad rows, one without a time."""
    for number in range(300):
        sku = f" {number % 270} " if number % 11 == 0 else str(number % 270)
        price = "-1" if number % 50 == 7 else str(number % 90)
        stage(sku, name=f"Mug {number}", price=price, minute=number // 4)
    stage("untimed", src_updated_at=None)


def outcome():
    """What a sync leaves behind, whatever the order in which shards wrote it."""
    return {
        "products": products(),
        "log": Counter(log()),
        "rejects": open_rejects(),
        "versions": set(Product.objects.values_list("sku", "data_version", "src_id")),
    }


def test_every_row_belongs_to_exactly_one_shard(filled):
    now = timezone.now()
    whole = [row.raw.src_id for row in LocalSource().page(None, now, 1000)]
    parts = [LocalSource().page(None, now, 1000, shard=(number, 3)) for number in (1, 2, 3)]
    shares = [[row.raw.src_id for row in rows if not isinstance(row, OthersRow)] for rows in parts]
    assert sorted(chain(*shares)) == sorted(whole)
    assert all(len(share) > 50 for share in shares)


def test_a_page_of_a_shard_ends_where_the_whole_page_ends(filled):
    whole = LocalSource().page(None, timezone.now(), 40)
    for number in (1, 2, 3):
        last = LocalSource().page(None, timezone.now(), 40, shard=(number, 3))[-1]
        at = last.position if isinstance(last, OthersRow) else (last.raw.src_updated_at, last.raw.src_id)
        assert at == (whole[-1].raw.src_updated_at, whole[-1].raw.src_id)


def test_it_leaves_what_an_undivided_run_leaves(filled, synced):
    undivided = synced(batch_size=20)
    expected, expected_counts, mark = outcome(), counts(undivided), undivided.watermark
    Product.objects.all().delete()
    empty()
    run = synced(batch_size=20, shards=3)
    assert (run.status, run.progress, run.watermark) == ("completed", 100, mark)
    assert outcome() == expected
    assert counts(run)["read"] == expected_counts["read"]
    assert run.rejected == expected_counts["rejected"]
    assert set(run.parts.values_list("status", flat=True)) == {"completed"}
    assert sum(ProductSyncBatch.objects.filter(run=run).values_list("read", flat=True)) == run.read
    before = physical("products", "product_change_log")
    again = synced(batch_size=20, shards=2, resume=False)
    assert again.read == again.unchanged + again.rejected + again.superseded
    assert physical("products", "product_change_log") == before


def empty():
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE products, product_change_log, etl_watermark, etl_rejectedrow")


def test_the_watermark_moves_when_the_last_shard_is_done_and_not_before(stage, monkeypatch):
    for number in range(20):
        stage(str(number), minute=number)
    run = services.start_sync_here(services.SyncOptions(shards=2, batch_size=2), actor="test")
    marks = []

    def look(_run):
        marks.append(services.Watermark.objects.position_of("products_staging"))

    sync.run_product_sync(run.pk, on_batch=look)
    assert set(marks) == {None}
    assert services.Watermark.objects.position_of("products_staging").at == NOON + timedelta(minutes=19)


def test_shards_are_read_by_other_workers(filled):
    with Worker("etl", RUN_LEASE_SECONDS="10"):
        run = services.request_sync(services.SyncOptions(shards=2, batch_size=20), actor="test")
        wait_until(lambda: not ProductSyncRun.objects.open().exists(), timeout=60, what="the end of the run")
    run.refresh_from_db()
    assert (run.status, run.read) == ("completed", 301)


def test_a_shard_left_by_a_dead_worker_is_taken_over(stage):
    for number in range(20):
        stage(str(number), minute=number)
    run = services.start_sync_here(services.SyncOptions(shards=2, batch_size=2), actor="test")
    shard = open_shards(run)[0]
    assert ProductSyncShard.objects.claim(shard.pk)
    ProductSyncShard.objects.filter(pk=shard.pk).update(lease_until=seconds_from_now(-1))
    sync.run_product_sync(run.pk)
    run.refresh_from_db()
    assert (run.status, run.created) == ("completed", 20)


def test_a_run_whose_worker_dies_before_any_shard_gets_on_comes_to_its_cap(stage):
    stage("1")
    run = services.start_sync_here(services.SyncOptions(shards=2), actor="test")
    for shard in open_shards(run):
        assert ProductSyncShard.objects.claim(shard.pk)  # by others, who do nothing
    for attempt in (1, 2, 3):
        work = sharding.InShards(Lease.take(ProductSyncRun, run.pk), LocalSource()).batches()
        next(work)
        work.close()
        run.refresh_from_db()
        assert run.attempt == attempt
        ProductSyncRun.objects.update(lease_until=seconds_from_now(-1))


def test_taking_over_a_run_whose_shards_are_done_is_no_progress(stage, synced):
    """What comes after them may die each time."""
    stage("1")
    run = services.start_sync_here(services.SyncOptions(shards=2), actor="test")
    sync.run_product_sync(run.pk)
    ProductSyncRun.objects.update(status="pending", finished_at=None, attempt=0)
    list(sharding.InShards(Lease.take(ProductSyncRun, run.pk), LocalSource()).batches())
    run.refresh_from_db()
    assert run.attempt == 1


def test_a_shard_out_of_attempts_fails_its_run(stage):
    stage("1")
    run = services.start_sync_here(services.SyncOptions(shards=2), actor="test")
    first = open_shards(run)[0]
    ProductSyncShard.objects.filter(pk=first.pk).update(attempt=5)
    reaper.reap()
    sync.run_product_sync(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", "worker-lost")
    assert not ProductSyncShard.objects.open().exists()


def test_cancelling_the_run_stops_its_shards_at_their_next_fence(stage):
    for number in range(20):
        stage(str(number), minute=number)
    run = services.start_sync_here(services.SyncOptions(shards=2, batch_size=1), actor="test")

    def cancel_after_two(run):
        if run.batches >= 2 or ProductChange.objects.count() >= 2:
            cancel(run, actor="test")

    sync.run_product_sync(run.pk, on_batch=cancel_after_two)
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert not ProductSyncShard.objects.open().exists()
    assert ProductChange.objects.count() < 20
    before = everything()
    for pk in run.parts.values_list("pk", flat=True):
        sharding.run_product_sync_shard(pk)
    assert everything() == before


@pytest.mark.parametrize("ending", ["finish", "exhaust"])
def test_whatever_ends_the_run_ends_its_shards(stage, ending):
    run = services.start_sync_here(services.SyncOptions(shards=2), actor="test")
    open_shards(run)
    if ending == "finish":
        token = ProductSyncRun.objects.claim(run.pk)
        assert ProductSyncRun.objects.finish(run.pk, token, "failed", error="internal-error")
    else:
        ProductSyncRun.objects.update(attempt=5)
        reaper.reap()
    assert set(run.parts.values_list("status", flat=True)) == {"cancelled"}


def test_more_rejects_than_allowed_fail_the_run_as_a_whole(stage, synced):
    for number in range(10):
        stage(str(number), price="-1", minute=number)
    run = synced(shards=2, max_rejects=3)
    assert (run.status, run.error) == ("failed", "too-many-rejects")


def test_a_full_compare_in_shards_deletes_what_is_gone(stage, synced):
    for number in range(20):
        stage(str(number), minute=number)
    synced()
    StagingProduct.objects.filter(style_no="7").delete()
    run = synced(mode="full", shards=2)
    assert (run.status, run.deleted, run.unchanged) == ("completed", 1, 19)


@pytest.mark.parametrize(
    "wish", [{"shards": 0}, {"shards": 65}, {"shards": 2, "dry_run": True}, {"shards": 2, "max_batches": 1}]
)
def test_what_cannot_be_divided_is_refused(transactional_db, wish):
    with pytest.raises(ValidationError) as refused:
        services.start_sync_here(services.SyncOptions(**wish), actor="test")
    assert "shards" in refused.value.message_dict
    assert not AuditEvent.objects.exists()


def test_the_cursor_of_a_shard_is_where_it_goes_on(stage):
    for number in range(40):
        stage(str(number), minute=number)
    run = services.start_sync_here(services.SyncOptions(shards=2, batch_size=3), actor="test")
    seen = []
    sync.run_product_sync(run.pk, on_batch=lambda run: seen.append(run.batches))
    shard = run.parts.first()
    assert Position(shard.cursor_at, shard.cursor_id) == run.parts.all().furthest()
    assert ProductSyncBatch.objects.filter(run=run, shard=1).count() == shard.batches > 3
