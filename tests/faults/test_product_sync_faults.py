"""Product sync under kill -9, stopped processes, tripled messages and a flushed broker.

Lengths follow FAULTS: short (make test), ci (make test-all), full (make soak).
"""

import os
import signal
import time

import pytest
from django.core.cache import cache
from django.db import connection, transaction

from config.celery import app
from etl.models import Product, ProductChange, ProductSyncRun, RejectedRow, StagingProduct, Watermark
from etl.products import services, sync
from processes import Worker, wait_until
from runs import reaper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(600)]

LENGTH = os.environ.get("FAULTS", "short")
ROWS = {"short": 6_000, "ci": 50_000, "full": 50_000}[LENGTH]
KILLS = {"short": 2, "ci": 5, "full": 20}[LENGTH]
LEASE_SECONDS = 2
FAST = {"RUN_LEASE_SECONDS": str(LEASE_SECONDS), "REAPER_SECONDS": "1"}
OPTIONS = services.SyncOptions(batch_size=200)


@pytest.fixture(autouse=True)
def _fast(settings):
    """The reaper of these tests runs in this process, with the times of the workers."""
    settings.RUN_LEASE_SECONDS, settings.REAPER_SECONDS = LEASE_SECONDS, 1


def stage_rows(count):
    """Source rows with ties, several versions of one key, and every 500th row bad."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO products_staging (style_brand_no, style_no, name, price, attrs_json, src_updated_at)
            SELECT 'BRAND', (n %% (%(count)s - %(count)s / 50))::text, 'Product ' || n,
                   CASE WHEN n %% 500 = 0 THEN '-1' ELSE (n %% 900)::text END,
                   json_build_object('note', repeat('x', 400), 'n', n)::text,
                   timestamptz '2026-03-01' + interval '1 second' * (n / 37)
              FROM generate_series(1, %(count)s) n
            """,
            {"count": count},
        )


def outcome():
    """All that a sync leaves behind, without what depends on when it ran."""
    columns = ("brand_code", "sku", "name", "price", "data_version", "src_id", "is_deleted")
    return {
        "products": list(Product.objects.order_by("brand_code", "sku").values_list(*columns)),
        "log": list(
            ProductChange.objects.order_by("id").values_list("sku", "change_type", "old_version", "new_version")
        ),
        "rejects": list(RejectedRow.objects.order_by("src_id").values_list("src_id", "reason", "resolved_at")),
        "watermark": Watermark.objects.position_of("products_staging"),
    }


@pytest.fixture
def undisturbed():
    """What an undisturbed run over the same source leaves; the tables are empty again afterwards."""
    stage_rows(ROWS)
    run = services.start_sync_here(OPTIONS, actor="test")
    sync.run_product_sync(run.pk)
    expected = outcome()
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE products, product_change_log, etl_watermark, etl_rejectedrow, etl_productsyncrun,"
            " etl_productsyncbatch"
        )
    return expected


def batches_of(run):
    return ProductSyncRun.objects.values_list("batches", flat=True).get(pk=run.pk)


def end_of(run, timeout=120):
    """Wait for the run's end with the reaper at work, as beat would have it."""

    def ended():
        reaper.reap()
        return not ProductSyncRun.objects.open().filter(pk=run.pk).exists()

    wait_until(ended, timeout=timeout, what="the end of the run")
    run.refresh_from_db()
    return run


def assert_nothing_is_left_open():
    assert not ProductSyncRun.objects.open().exists()
    assert not ProductSyncRun.objects.exclude(lease_token=None).exists()


def test_killing_the_worker_again_and_again_changes_nothing_in_the_end(undisturbed):
    run = services.request_sync(OPTIONS, actor="test")
    worker = Worker("etl", **FAST)
    recoveries = []
    try:
        for kill in range(KILLS):
            target = batches_of(run) + max(1, ROWS // 200 // (KILLS + 2))
            killed_at = time.monotonic()
            wait_until(lambda: reaper.reap() and batches_of(run) >= target, timeout=90, what=f"batch {target}")  # noqa: B023
            if kill:
                recoveries.append(time.monotonic() - killed_at)
            worker.kill()
            worker.start()
        end_of(run)
    finally:
        worker.kill()
    print(f"{KILLS} kills over {ROWS} rows; slowest way back to progress {max(recoveries, default=0):.1f} s")
    assert run.status == "completed"
    assert run.read == ROWS
    assert outcome() == undisturbed
    assert_nothing_is_left_open()


def test_tripled_messages_and_a_flushed_broker_neither_lose_nor_double(undisturbed):
    with Worker("etl", **FAST), Worker("etl", **FAST):
        run = services.request_sync(OPTIONS, actor="test")
        for _ in range(2):
            app.send_task(run.TASK, [run.pk], queue=run.QUEUE)
        wait_until(lambda: batches_of(run) >= 3, what="three batches")
        cache.clear()
        with app.connection_for_write() as broker:
            broker.default_channel.client.flushdb()
        end_of(run)
    assert (run.status, run.read) == ("completed", ROWS)
    assert outcome() == undisturbed
    assert ProductSyncRun.objects.count() == 1
    assert_nothing_is_left_open()


def test_a_run_whose_message_was_lost_is_found_by_the_reaper(undisturbed):
    run = services.request_sync(OPTIONS, actor="test")
    with app.connection_for_write() as broker:
        broker.default_channel.client.flushdb()
    ProductSyncRun.objects.update(dispatched_at="2026-01-01T00:00:00Z")
    with Worker("etl", **FAST):
        end_of(run)
    assert outcome() == undisturbed


def test_a_worker_frozen_beyond_its_lease_writes_nothing_when_it_wakes(undisturbed):
    run = services.request_sync(OPTIONS, actor="test")
    frozen = Worker("etl", **FAST)
    try:
        wait_until(lambda: batches_of(run) >= 2, what="two batches")
        os.killpg(frozen.process.pid, signal.SIGSTOP)
        with Worker("etl", **FAST):
            end_of(run)
            os.killpg(frozen.process.pid, signal.SIGCONT)
            time.sleep(1)
    finally:
        frozen.kill()
    assert (run.status, run.read) == ("completed", ROWS)
    assert outcome() == undisturbed


def test_a_run_that_dies_before_every_commit_stops_at_its_cap():
    stage_rows(500)
    run = services.request_sync(OPTIONS, actor="test")
    ProductSyncRun.objects.update(max_attempts=2)
    worker = Worker("etl", **FAST)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE products IN EXCLUSIVE MODE")  # the first batch can never commit
            for attempt in (1, 2):
                wait_until(lambda: attempt_of(run) == attempt, what=f"attempt {attempt}")  # noqa: B023
                worker.kill()
                wait_until(lambda: reaped_elsewhere(run, attempt), what="the reaper")  # noqa: B023
                worker.start()
    finally:
        worker.kill()
    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", "worker-lost")
    assert not Product.objects.exists()
    assert StagingProduct.objects.count() == 500


def attempt_of(run):
    run.refresh_from_db()
    return run.attempt if run.status == "running" else None


def reaped_elsewhere(run, attempt):
    """The reaper at work on a connection of its own; this test's is inside a transaction."""
    import threading

    def reap():
        reaper.reap()
        connection.close()

    thread = threading.Thread(target=reap)
    thread.start()
    thread.join()
    run.refresh_from_db()
    return run.status != "running"
