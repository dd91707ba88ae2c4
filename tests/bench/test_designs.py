"""The designs of product sync do the same work, and the scenario is what the figures claim it to be."""

import pytest
from django.db import connection
from django.db.models import Count

from bench.product_sync import DESIGNS, dlt, ours
from bench.scenarios import PASSES, ProductSource
from etl.models import Product, ProductChange, ProductSyncRun, RejectedRow, StagingProduct, Watermark

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 250
COLUMNS = (
    "brand_code", "sku", "name", "price", "on_sale", "colors", "tags", "attributes", "description", "image_url",
    "src_updated_at", "src_id", "is_deleted",
)  # fmt: skip


def loaded(design):
    """What a design leaves after its three passes: the products, and the log without versions."""
    for kind in PASSES:
        ProductSource(ROWS).stage(kind)
        DESIGNS[design](design, kind, ProductSource(ROWS))
    products = list(Product.objects.order_by("brand_code", "sku").values(*COLUMNS))
    log = list(ProductChange.objects.order_by("id").values_list("sku", "change_type", "changed_fields"))
    return products, log, Watermark.objects.position_of("products_staging")


def without_place(product):
    """The product without the source row it came from."""
    return {name: value for name, value in product.items() if not name.startswith("src_")}


def emptied():
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE products, product_change_log, etl_watermark, etl_productsyncrun CASCADE")


@pytest.mark.parametrize("design", ["sql", pytest.param("ours-sharded", marks=pytest.mark.long), "naive"])
def test_every_design_leaves_the_products_that_ours_leaves(design):
    expected, expected_log, expected_watermark = loaded("ours")
    emptied()
    products, log, watermark = loaded(design)
    assert len(products) == ProductSource(ROWS).keys
    if design == "naive":  # it has no watermark, and writes a repeated key once for each of its rows
        assert [without_place(product) for product in products] == [without_place(product) for product in expected]
        return
    assert products == expected
    assert watermark == expected_watermark
    assert sorted(log, key=str) == sorted(expected_log, key=str)


def test_dlt_loads_every_key_once():
    if not (dlt.ROOT / "var" / "bench" / "dlt" / "installed").exists():
        pytest.skip("only where dlt is installed: python -m bench product_sync --designs dlt installs it")
    try:
        for kind in PASSES:
            ProductSource(ROWS).stage(kind)
            found = dlt.sync("dlt", kind, ProductSource(ROWS))
            assert found.client_cpu > 0
            assert found.notes["startSeconds"] > 0
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS bench_dlt, bench_dlt_staging CASCADE")


def test_a_design_that_leaves_work_out_is_stopped(monkeypatch):
    ProductSource(ROWS).stage()
    few = ours.services.SyncOptions(max_batches=1, batch_size=100)
    monkeypatch.setattr(ours.services, "SyncOptions", lambda: few)
    with pytest.raises(AssertionError, match="ours, initial: expected"):
        ours.sync_pass("ours", "initial", ProductSource(ROWS))


def test_the_scenario_has_the_ties_repeats_and_sizes_it_claims():
    source = ProductSource(20_000, bad_every=500)
    source.stage()
    rows = StagingProduct.objects
    tied = rows.values("src_updated_at").annotate(rows=Count("id")).order_by("-rows").values_list("rows", flat=True)
    assert 400 <= tied[0] <= 400 + 2 * 37
    assert tied[5] == 37
    assert rows.values("style_brand_no", "style_no").distinct().count() == source.keys == 19_600
    assert rows.filter(price="-1").count() == 40
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(octet_length(s::text)), max(octet_length(s::text)) FROM products_staging s")
        assert all(1_000 <= size <= 2_200 for size in cursor.fetchone())


def test_only_the_third_pass_changes_content_and_every_pass_stamps_anew():
    content = {}
    stamps = {}
    for kind in PASSES:
        ProductSource(ROWS).stage(kind)
        rows = StagingProduct.objects.order_by("id")
        content[kind] = list(rows.values_list("style_no", "name", "price", "attrs_json", "description"))
        stamps[kind] = set(rows.values_list("src_updated_at", flat=True))
    assert content["initial"] == content["unchanged"]
    pairs = zip(content["unchanged"], content["changed10"], strict=True)
    assert sum(before != after for before, after in pairs) == ROWS // 10
    assert not stamps["initial"] & stamps["unchanged"]
    assert not stamps["unchanged"] & stamps["changed10"]


def test_bad_rows_of_the_scenario_are_rejected():
    ProductSource(2_000, bad_every=500).stage()
    done = ours.sync_here()
    assert (done.status, done.rejected) == (ProductSyncRun.STATUSES.completed, 4)
    assert RejectedRow.objects.unresolved().count() == 4
