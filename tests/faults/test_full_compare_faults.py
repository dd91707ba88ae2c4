"""The full compare under kill -9 while it deletes, and a rehash under the same."""

import os

import pytest
from django.db import connection

from etl.models import Product, ProductChange, ProductSyncRun, StagingProduct
from etl.products import services, sync
from etl.products.choices import Mode
from processes import Worker, wait_until
from runs import reaper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(600)]

LENGTH = os.environ.get("FAULTS", "short")
ROWS = {"short": 1_000, "ci": 20_000, "full": 50_000}[LENGTH]
KILLS = {"short": 2, "ci": 5, "full": 20}[LENGTH]
FAST = {"RUN_LEASE_SECONDS": "2", "REAPER_SECONDS": "1"}


@pytest.fixture
def stored():
    """Products of a source that has each of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO products_staging (style_brand_no, style_no, name, price, src_updated_at)
            SELECT 'BRAND', n::text, 'Product ' || n, '1', timestamptz '2026-03-01' + interval '1 second' * (n / 37)
              FROM generate_series(1, %s) n
            """,
            [ROWS],
        )
    run = services.start_sync_here(services.SyncOptions(), actor="test")
    sync.run_product_sync(run.pk)


def killed_again_and_again(run, counted):
    """Work on the run with a worker that is killed whenever `counted` has grown; the run at its end."""
    worker = Worker("etl", **FAST)
    try:
        for _ in range(KILLS):
            before = seen(run, counted)
            wait_until(lambda: seen(run, counted) > before or ended(run), timeout=120, what="progress")  # noqa: B023
            worker.kill()
            worker.start()
        wait_until(lambda: ended(run), timeout=120, what="the end of the run")
    finally:
        worker.kill()
    run.refresh_from_db()
    return run


def seen(run, counted):
    return ProductSyncRun.objects.values_list(counted, flat=True).get(pk=run.pk)


def ended(run):
    """Looks with the reaper at work, as beat would have it."""
    reaper.reap()
    return not ProductSyncRun.objects.open().filter(pk=run.pk).exists()


@pytest.mark.long
def test_killing_the_worker_while_it_deletes_loses_nothing_and_logs_each_delete_once(stored):
    gone = list(StagingProduct.objects.order_by("id").values_list("style_no", flat=True)[::2])
    StagingProduct.objects.filter(style_no__in=gone).delete()
    options = services.SyncOptions(mode=Mode.FULL, max_delete_percent=50, batch_size=5)
    run = killed_again_and_again(services.request_sync(options, actor="test"), "deleted")
    assert (run.status, run.deleted) == ("completed", len(gone)), run.error_text
    assert set(Product.objects.filter(is_deleted=True).values_list("sku", flat=True)) == set(gone)
    logged = list(ProductChange.objects.filter(change_type="DELETE").values_list("sku", flat=True))
    assert sorted(logged) == sorted(gone)
    assert sum(run.batch_log.values_list("deleted", flat=True)) == len(gone)


@pytest.mark.long
def test_killing_the_worker_while_it_rehashes_leaves_every_version_right(stored):
    right = dict(Product.objects.values_list("pk", "data_version"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products SET data_version = 'v0:' || id")
    options = services.SyncOptions(mode=Mode.REHASH, batch_size=20)
    run = killed_again_and_again(services.request_sync(options, actor="test"), "updated")
    assert (run.status, run.read, run.updated) == ("completed", ROWS, ROWS)
    assert dict(Product.objects.values_list("pk", "data_version")) == right
    assert ProductChange.objects.count() == ROWS
