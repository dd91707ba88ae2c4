"""The doctor finds what is missing or broken in the database, and mends what can be mended."""

import pytest
from django.db import connection

from access.models import AuditEvent
from etl.models import Product, ProductChange
from watch import schema
from watch.findings import Up
from watch.mending import mend

UP = Up(database=True, redis=True)


def execute(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def problems():
    return [finding for finding in schema.examine(UP) if not finding.ok]


@pytest.mark.django_db
def test_a_fresh_database_is_as_the_models_declare_it():
    (finding,) = schema.examine(UP)
    assert (finding.ok, finding.check) == (True, "schema")


BREAKS = {
    "index missing": (
        "DROP INDEX product_change_by_run",
        "The index product_change_by_run of product_change_log is missing.",
    ),
    "index invalid": (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'audit_event_by_time'::regclass",
        "The index audit_event_by_time of access_auditevent is not valid.",
    ),
    "stray index invalid": (
        "CREATE INDEX stray_ccnew ON products (name);"
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'stray_ccnew'::regclass",
        "The index stray_ccnew of products is not valid.",
    ),
    "check missing": (
        "ALTER TABLE products DROP CONSTRAINT product_price_is_a_finite_amount",
        "The constraint product_price_is_a_finite_amount of products is missing.",
    ),
    "check not validated": (
        "ALTER TABLE products DROP CONSTRAINT product_price_is_a_finite_amount;"
        "ALTER TABLE products ADD CONSTRAINT product_price_is_a_finite_amount CHECK (price >= 0) NOT VALID",
        "The constraint product_price_is_a_finite_amount of products does not hold for old rows.",
    ),
    "unique missing": (
        "ALTER TABLE products DROP CONSTRAINT idx_products_brand_sku",
        "The constraint idx_products_brand_sku of products is missing.",
    ),
    "partial unique missing": (
        "DROP INDEX one_open_product_sync_per_source",
        "The constraint one_open_product_sync_per_source of etl_productsyncrun is missing.",
    ),
    "inherited check missing": (
        "ALTER TABLE etl_productsyncrun DROP CONSTRAINT productsyncrun_holds_lease_iff_active",
        "The constraint productsyncrun_holds_lease_iff_active of etl_productsyncrun is missing.",
    ),
    "unique field missing": (
        "ALTER TABLE etl_watermark DROP CONSTRAINT etl_watermark_table_name_key",
        "No unique index on etl_watermark (table_name).",
    ),
    "table missing": ("DROP TABLE etl_watermark", "The table etl_watermark is missing."),
    "column missing": ("ALTER TABLE products DROP COLUMN description", "The column products.description is missing."),
    "column of another type": (
        "ALTER TABLE products ALTER COLUMN src_id TYPE text",
        "The column products.src_id is no bigint.",
    ),
    "column may be null": (
        "ALTER TABLE products ALTER COLUMN name DROP NOT NULL",
        "The column products.name must not allow NULL.",
    ),
    "trigger missing": (
        "DROP TRIGGER pgtrigger_change_log_is_append_only_20d39 ON product_change_log",
        "The trigger change_log_is_append_only of product_change_log is missing.",
    ),
    "trigger switched off": (
        "ALTER TABLE access_auditevent DISABLE TRIGGER pgtrigger_audit_event_no_delete_1e387",
        "The trigger audit_event_no_delete of access_auditevent is switched off.",
    ),
    "sequence behind": (
        "INSERT INTO etl_watermark (id, table_name, last_processed_at, last_processed_id)"
        " VALUES (100000, 'copied in', now(), 1)",
        "The next id of etl_watermark.id is already taken.",
    ),
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("name", BREAKS)
def test_each_break_is_named_with_what_mends_it(name):
    breaking, said = BREAKS[name]
    execute(*filter(None, breaking.split(";")))
    found = problems()
    assert [finding.text for finding in found] == [said]
    assert found[0].mend


@pytest.mark.django_db
def test_a_foreign_key_and_its_index_are_missed_whatever_they_are_called():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'etl_rejectedrow'::regclass AND contype = 'f'"
            " AND conkey[1] = (SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = 'run_id')"
        )
        key = cursor.fetchone()[0]
        cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'etl_rejectedrow'::regclass"
            " AND indkey[0] = (SELECT attnum FROM pg_attribute WHERE attrelid = indrelid AND attname = 'run_id')"
        )
        index = cursor.fetchone()[0]
    execute(f'ALTER TABLE etl_rejectedrow DROP CONSTRAINT "{key}"', f"DROP INDEX {index}")
    assert {finding.text for finding in problems()} == {
        "No valid foreign key on etl_rejectedrow (run_id).",
        "No index on etl_rejectedrow (run_id).",
    }


@pytest.mark.django_db
def test_what_a_pending_migration_will_make_is_not_missed_yet():
    execute("DELETE FROM django_migrations WHERE app = 'etl'", "DROP TABLE etl_watermark")
    assert problems() == []


def test_a_database_that_is_down_is_not_asked():
    assert list(schema.examine(Up(database=False, redis=False))) == []


@pytest.mark.django_db(transaction=True)
def test_mending_brings_back_what_was_lost_and_is_on_record():
    execute(
        "DROP INDEX product_change_by_run",
        "DROP INDEX one_open_product_sync_per_source",
        "ALTER TABLE products DROP CONSTRAINT product_price_is_a_finite_amount",
        "ALTER TABLE products ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE etl_watermark DROP CONSTRAINT etl_watermark_table_name_key",
        "INSERT INTO etl_watermark (id, table_name, last_processed_at, last_processed_id)"
        " VALUES (100000, 'copied in', now(), 1)",
    )
    found = problems()
    assert len(found) == 6
    assert [failure for _statement, failure in mend(found, actor="test") if failure] == []
    assert problems() == []
    assert AuditEvent.objects.filter(action="schema.mended").count() >= 6
    ours = {"brand_code": "B", "sku": "S", "name": "n", "on_sale": True, "colors": [], "tags": [], "attributes": {}}
    with pytest.raises(Exception, match="product_price_is_a_finite_amount"):
        Product.objects.create(price=-1, data_version="v1:0", **ours)


@pytest.mark.django_db(transaction=True)
def test_an_index_whose_build_failed_is_built_again_once_its_reason_is_gone():
    change = {"product_id": 1, "brand_code": "B", "sku": "S", "change_type": "CREATE", "changed_fields": {}}
    for _ in range(2):
        ProductChange.objects.create(new_version="v1:0", **change)
    execute("DROP INDEX product_change_by_run")
    with pytest.raises(Exception, match="could not create unique index"):
        execute("CREATE UNIQUE INDEX CONCURRENTLY product_change_by_run ON product_change_log (sku)")
    (finding,) = problems()
    assert finding.text == "The index product_change_by_run of product_change_log is not valid."
    assert [failure for _statement, failure in mend([finding], actor="test") if failure] == []
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_mended_is_said_and_left():
    ours = {"brand_code": "B", "name": "n", "on_sale": True, "colors": [], "tags": [], "attributes": {}, "price": 1}
    execute("ALTER TABLE products DROP CONSTRAINT product_price_is_a_finite_amount")
    product = Product.objects.create(sku="S", data_version="v1:0", **ours)
    Product.objects.filter(pk=product.pk).update(price=-1)
    failures = [failure for _statement, failure in mend(problems(), actor="test") if failure]
    assert len(failures) == 1
    assert "product_price_is_a_finite_amount" in failures[0]
    assert problems()[0].text.endswith("does not hold for old rows.")  # new rows are checked already
    Product.objects.all().delete()
    assert list(mend(problems(), actor="test"))
    assert problems() == []
