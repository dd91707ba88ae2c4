"""What the fault tests must be seen to catch: each safeguard in turn is missing here, and the pack says so."""

import pytest
from django.db import connection

from bench.scenarios import ProductSource
from etl.models import Product, ProductSyncRun
from etl.products import services, sync
from faulting import FAST, SABOTAGED, Reaper, Victim
from invariants import assert_all_hold, violations
from processes import wait_until
from product_runs import outcome, requested

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(300)]

ROWS = 3_000


def test_without_the_reaper_a_killed_run_stays_open(transactional_db):
    ProductSource(ROWS).stage()
    run = requested()
    with Victim("etl", **FAST) as worker:
        run.reaches(2)
        worker.start_again()
        wait_until(lambda: ProductSyncRun.objects.expired().exists(), what="the lease to run out")
        found = violations()
    assert any(each.startswith("no_run_is_open") for each in found)
    assert any(each.startswith("no_lease_is_left") for each in found)


@pytest.mark.long
def test_without_the_token_a_frozen_worker_goes_on_with_what_others_have_finished(transactional_db):
    """The source is read a second time with nothing changed, so no product's version stands in its way."""
    ProductSource(ROWS).stage()
    sync.run_product_sync(services.start_sync_here(services.SyncOptions(), actor="test").pk)
    ProductSource(ROWS).stage("unchanged")
    with Reaper():
        run = requested()
        sabotage = {"SABOTAGE": "no-token", "FAILPOINT": "batch.before:3:STOP"}
        with Victim("etl", application="sabotaged", **SABOTAGED, **sabotage, **FAST) as frozen:
            wait_until(lambda: frozen.children, what="the pool")
            child = frozen.children[0]
            wait_until(lambda: frozen.has_been_struck(child), what="the failpoint")
            with Victim("etl", **FAST):
                ended = run.ends()
            assert ended.status == "completed"
            assert_all_hold()
            frozen.thaw()
            wait_until(lambda: run.row.updated_at > ended.updated_at, what="the frozen worker to write")
    found = violations()
    print(f"without the token: {run.row.status} {run.row.error}, {found}")
    assert run.row.status != "completed" or found


def test_a_watermark_of_the_time_alone_loses_rows_that_share_one(transactional_db):
    """The naive cursor: strictly behind the last timestamp seen, a page at a time."""
    ProductSource(ROWS).stage()
    with connection.cursor() as cursor:
        last = None
        while True:
            cursor.execute(
                """
                WITH page AS (SELECT * FROM products_staging
                               WHERE src_updated_at > coalesce(%s::timestamptz, '-infinity')
                               ORDER BY src_updated_at LIMIT 100),
                     put AS (INSERT INTO products (brand_code, sku, name, price, on_sale, colors, tags, attributes,
                                                   data_version, src_updated_at, src_id)
                             SELECT style_brand_no, style_no, name, price::numeric, false, '[]', '[]', '{}', 'naive',
                                    src_updated_at, id FROM page ON CONFLICT DO NOTHING)
                SELECT max(src_updated_at), max(id) FROM page
                """,
                [last],
            )
            seen, row = cursor.fetchone()
            if seen is None:
                break
            last, last_row = seen, row
        cursor.execute(
            "INSERT INTO etl_watermark (table_name, last_processed_at, last_processed_id) VALUES (%s, %s, %s)",
            ["products_staging", last, last_row],
        )
    assert Product.objects.count() < ProductSource(ROWS).keys
    assert any(each.startswith("no_source_row_is_lost") for each in violations())


def test_reading_before_inserting_doubles_a_key(transactional_db):
    """Two who look first and both find nothing; only without the constraint can it be shown."""
    insert = (
        "INSERT INTO products (brand_code, sku, name, price, on_sale, colors, tags, attributes, data_version)"
        " VALUES ('BRAND', '1', '', 1, false, '[]', '[]', '{}', 'naive')"
    )
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE products DROP CONSTRAINT idx_products_brand_sku")
        try:
            clients = [not Product.objects.filter(brand_code="BRAND", sku="1").exists() for _ in range(2)]
            for found_nothing in clients:
                if found_nothing:
                    cursor.execute(insert)
            assert any(each.startswith("one_product_per_key: BRAND 1 has 2") for each in violations())
        finally:
            cursor.execute("TRUNCATE products CASCADE")
            cursor.execute("ALTER TABLE products ADD CONSTRAINT idx_products_brand_sku UNIQUE (brand_code, sku)")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE products SET data_version = 'v1:x' WHERE id = (SELECT min(id) FROM products)", "log_is_the_history"),
        ("UPDATE etl_watermark SET last_processed_id = last_processed_id - 1", "watermark_is_the_newest"),
        ("UPDATE etl_watermark SET last_processed_at = last_processed_at + interval '1 s'", "watermark_is_the_newest"),
        ("DELETE FROM products WHERE id = (SELECT min(id) FROM products)", "no_source_row_is_lost"),
        ("UPDATE etl_productsyncrun SET created = created - 1, updated = updated + 1", "counters_are_the_rows"),
        ("DELETE FROM etl_productsyncbatch WHERE number = 2", "counters_are_the_rows"),
        (
            "INSERT INTO product_change_log (product_id, brand_code, sku, change_type, old_version, new_version,"
            " changed_fields) SELECT id, brand_code, sku, 'UPDATE', data_version, data_version, '{}' FROM products"
            " LIMIT 1",
            "log_is_the_history",
        ),
    ],
)
def test_every_damage_is_named(transactional_db, damage, named):
    ProductSource(600).stage()
    sync.run_product_sync(services.start_sync_here(services.SyncOptions(batch_size=200), actor="test").pk)
    assert outcome()["products"]
    assert_all_hold()
    with connection.cursor() as cursor:
        cursor.execute(damage)
    assert any(each.startswith(named) for each in violations())
