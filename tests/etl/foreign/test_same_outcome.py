"""The same rows give the same products, log and rejects, wherever the staging table is."""

from datetime import timedelta

import pytest
from django.db import connection

from etl.models import Product, ProductChange, ProductSyncBatch, RejectedRow
from etl.products import services
from foreign_servers import create_table, good, insert, varied
from observed import NOON, counts, open_rejects, physical, products
from runs.querysets import database_now


class Ours:
    """The staging table in our own database."""

    def execute(self, query, params=None):
        with connection.cursor() as cursor:
            cursor.execute(query, params)

    def time(self, at):
        return at


def forget():
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE etl_productsyncshard, products, products_staging, product_change_log, etl_watermark,"
            " etl_rejectedrow, etl_productsyncrun, etl_productsyncbatch"
        )


def outcome(runs):
    """All that is left behind, without keys of our own and names of the source."""
    change = ("brand_code", "sku", "change_type", "old_version", "new_version", "changed_fields")
    reject = ("src_id", "brand", "sku", "reason", "field", "detail", "raw", "resolution")
    fields = ("read", "created", "updated", "unchanged", "superseded", "rejected", "cursor_at", "cursor_id")
    return {
        "products": list(Product.objects.order_by("brand_code", "sku").values(
            "brand_code", "sku", "name", "price", "on_sale", "colors", "tags", "attributes", "description", "image_url",
            "data_version", "src_updated_at", "src_id", "is_deleted")),
        "log": list(ProductChange.objects.order_by("id").values(*change)),
        "rejects": list(RejectedRow.objects.order_by("src_id", "id").values(*reject)),
        "batches": list(ProductSyncBatch.objects.order_by("run", "number").values("phase", *fields)),
        "runs": [(counts(run), run.waiting, run.rows_expected, run.watermark) for run in runs],
    }  # fmt: skip


def two_rounds(server, synced, now):
    """A first load in small batches, then a feed that mends, changes, deletes and adds; and a third run for nothing."""
    insert(server, varied(NOON, now))
    done = [synced(batch_size=7, dry_run=True), synced(batch_size=7)]
    later = NOON + timedelta(hours=2)
    execute = server.execute
    execute(
        "UPDATE products_staging SET price = '5', src_updated_at = %s WHERE style_no = 'minus'", [server.time(later)]
    )
    execute("UPDATE products_staging SET price = '6' WHERE style_no = 'nan'")
    execute(
        "UPDATE products_staging SET name = '新', src_updated_at = %s WHERE style_no = 'tie-2'", [server.time(later)]
    )
    execute("UPDATE products_staging SET src_updated_at = %s WHERE style_no = 'micro-1'", [server.time(later)])
    execute("DELETE FROM products_staging WHERE style_no = 'comma'")
    insert(server, [(500, good("added"), later), (501, good("tie-3", name="old news"), NOON - timedelta(days=1))])
    done += [synced(batch_size=3, lookback=timedelta(0)), synced(batch_size=5), synced(batch_size=100, resume=False)]
    return outcome(done)


@pytest.fixture
def expected(synced, transactional_db):
    """What our own staging table gives, and the moment the future is reckoned from."""
    now = database_now()
    result = two_rounds(Ours(), synced, now)
    assert len(result["products"]) > 20
    assert len({row["reason"] for row in result["rejects"]}) > 12
    forget()
    return now, result


def test_another_database_gives_the_same_products_versions_log_and_rejects(server, read_from, synced, expected):
    now, result = expected
    create_table(server)
    read_from(server)
    assert two_rounds(server, synced, now) == result


def test_typed_columns_give_the_same_versions_as_text(server, read_from, synced, transactional_db):
    is_maria = server.engine == "mysql"
    types = {
        "price": "DECIMAL(12,4)" if is_maria else "numeric(12,4)",
        "attrs_json": "JSON" if is_maria else "jsonb",
        "on_sale": "TINYINT(1)" if is_maria else "boolean",
        "style_no": "INT" if is_maria else "int",
        "style_brand_no": server.text_key,
    }
    rows = [(n, good(str(n), price="12.3450", on_sale="1"), NOON + timedelta(minutes=n)) for n in range(1, 6)]
    insert(Ours(), rows)
    synced()
    versions = dict(Product.objects.values_list("sku", "data_version"))
    forget()
    create_table(server, **types)
    insert(server, [(n, {**cells, "on_sale": True}, at) for n, cells, at in rows])
    read_from(server)
    synced()
    assert dict(Product.objects.values_list("sku", "data_version")) == versions
    before = physical("products", "product_change_log")
    assert counts(synced(lookback=timedelta(days=1))) == {"read": 5, "unchanged": 5}
    assert physical("products", "product_change_log") == before


def test_bits_blobs_and_foreign_character_sets_are_read_as_text(mariadb, read_from, synced):
    create_table(
        mariadb, on_sale="BIT(1)", name="BLOB", description="TEXT CHARACTER SET gbk", image_url="VARBINARY(99)"
    )
    mariadb.execute(
        "INSERT INTO products_staging (style_brand_no, style_no, name, price, on_sale, description, image_url,"
        " src_updated_at) VALUES ('B', '1', '杯子', '1', b'1', '描述', 'http://x', '2026-03-01 12:00:00')"
    )
    read_from(mariadb)
    synced()
    product = Product.objects.get()
    assert (product.name, product.on_sale, product.description, product.image_url) == ("杯子", True, "描述", "http://x")


def test_what_only_mysql_can_hold_is_rejected_with_a_reason(mariadb, read_from, synced):
    create_table(mariadb, name="BLOB")
    insert(mariadb, [
        (1, good("nul\0key"), NOON), (2, good("nul", description="a\0b"), NOON),
        (3, good("bytes", name=b"\xff\xfe"), NOON), (4, good("good"), NOON),
    ])  # fmt: skip
    read_from(mariadb)
    assert counts(synced()) == {"read": 4, "created": 1, "rejected": 3}
    assert open_rejects() == {"nul\\u0000key": "nul-character", "nul": "nul-character", "bytes": "lone-surrogate"}


@pytest.mark.parametrize(
    "zero", ["0000-00-00 00:00:00", "2026-00-00 00:00:00", "2026-03-00 00:00:00", "2026-02-31 00:00:00"]
)
def test_a_date_no_calendar_has_counts_as_missing(mariadb, read_from, synced, zero):
    create_table(mariadb)
    insert(mariadb, [(1, good("good"), NOON), (2, good("zero"), NOON)])
    mariadb.execute("UPDATE products_staging SET src_updated_at = %s WHERE id = 2", [zero])
    read_from(mariadb)
    run = synced()
    assert counts(run) == {"read": 2, "created": 1, "rejected": 1}
    assert open_rejects() == {"zero": "missing-timestamp"}
    # not among the pages: a cursor on such a row would lead nowhere
    assert list(run.batch_log.values_list("phase", "read")) == [("untimed", 1), ("pages", 1)]
    insert(mariadb, [(3, good("zero", name="mended"), NOON)])
    mariadb.execute("DELETE FROM products_staging WHERE id = 2")
    assert synced().created == 1
    assert open_rejects() == {}


@pytest.mark.parametrize("moment", ["-infinity", "0044-03-15 12:00:00 BC"])
def test_a_time_python_cannot_hold_counts_as_missing(postgresql, read_from, synced, moment):
    create_table(postgresql, time_type="timestamp")
    insert(postgresql, [(1, good("ides"), None)])
    postgresql.execute("UPDATE products_staging SET src_updated_at = %s", [moment])
    read_from(postgresql)
    synced()
    assert open_rejects() == {"ides": "missing-timestamp"}


@pytest.mark.parametrize("kind", ["DATETIME", "DATETIME(3)", "TIMESTAMP(6) NULL", "DATE"])
def test_every_kind_of_time_of_mysql_is_read_without_loss_or_repeat(mariadb, read_from, synced, kind):
    create_table(mariadb, time_type=kind)
    mariadb.execute("SET time_zone = '+08:00'")
    insert(mariadb, [(n, good(str(n)), NOON + timedelta(milliseconds=400 * n)) for n in range(1, 20)])
    read_from(mariadb)
    assert counts(synced(batch_size=2)) == {"read": 19, "created": 19}
    assert synced(lookback=timedelta(0)).read == 0
    if kind.startswith(("DATETIME", "TIMESTAMP")):
        first = Product.objects.order_by("src_updated_at").first()
        assert abs(first.src_updated_at - NOON) < timedelta(seconds=1)


def test_the_database_of_the_source_decides_what_waits(server, read_from, synced):
    create_table(server)
    insert(server, [(1, good("now"), NOON), (2, good("soon"), database_now() + timedelta(minutes=2))])
    read_from(server)
    run = synced()
    assert (run.read, run.waiting, run.watermark.at) == (1, 1, NOON)


def test_a_page_of_another_database_is_bounded_in_bytes(server, read_from, synced, monkeypatch):
    monkeypatch.setattr("etl.products.foreign.PAGE_MAX_BYTES", 3_000)
    create_table(server)
    insert(server, [(n, good(str(n), description="x" * 1_000), NOON + timedelta(minutes=n)) for n in range(1, 7)])
    insert(server, [(20 + n, good(f"untimed {n}", description="x" * 1_000), None) for n in range(3)])
    read_from(server)
    run = synced()
    assert (run.created, run.rejected, run.batches) == (6, 3, 3)


def test_a_huge_cell_is_cut_by_its_own_database(server, read_from, synced, settings):
    settings.ETL_MAX_ROW_BYTES = 5_000
    create_table(server)
    insert(server, [(1, good("huge", description="大" * 100_000), NOON), (2, good("good"), NOON)])
    read_from(server)
    synced()
    assert open_rejects() == {"huge": "row-too-large"}
    reject = RejectedRow.objects.get()
    assert len(reject.raw["description"]) == 200
    assert "300" in reject.detail


def test_a_rejected_row_of_another_database_is_retried_and_taken_over(server, read_from, synced):
    create_table(server)
    insert(server, [(1, good("bad", price="x"), NOON), (2, good("gone", price="x"), NOON)])
    read_from(server)
    synced()
    server.execute("UPDATE products_staging SET price = '5' WHERE id = 1")
    server.execute("DELETE FROM products_staging WHERE id = 2")
    done = services.retry_rejected_rows(list(RejectedRow.objects.values_list("pk", flat=True)), actor="test")
    assert (done.resolved, done.still_rejected) == (2, 0)
    assert products() == {"bad": ("Mug", "5.00")}


def test_a_row_that_differs_in_case_is_no_newer_row_of_the_same_key(server, read_from, synced):
    create_table(server, style_no=server.text_key)
    insert(server, [(1, good("a", price="x"), NOON), (2, good("A"), NOON + timedelta(hours=1))])
    read_from(server)
    synced()
    server.execute("UPDATE products_staging SET price = '5' WHERE id = 1")
    synced(lookback=timedelta(0))
    assert set(products()) == {"a", "A"}


def test_two_sources_with_a_table_of_the_same_name_keep_their_own_watermark(server, read_from, synced, settings):
    insert(Ours(), [(1, good("ours"), NOON + timedelta(days=1))])
    synced()
    create_table(server)
    insert(server, [(1, good("theirs"), NOON)])
    read_from(server)
    run = synced()
    assert (run.created, run.started_from) == (1, None)
    assert run.source == f"{server.engine}:{server.database}.products_staging"
