"""Product sync against a slow oracle that looks at one row after the other."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cleaning
from etl.models import Product, ProductChange, RejectedRow, StagingProduct
from etl.products import services, sync
from observed import NOON

ROW = st.tuples(
    st.sampled_from(["1", "2", " 2", "3"]),  # sku; " 2" is "2" written differently
    st.integers(0, 3),  # minute: few, so that many rows share one
    st.sampled_from(["A", "B", "C"]),  # name
    st.sampled_from(["1", "1.0", "x"]),  # price; "x" is bad
)


def run_once(batch_size, lookback):
    run = services.start_sync_here(services.SyncOptions(batch_size=batch_size, lookback=lookback), actor="test")
    sync.run_product_sync(run.pk)
    run.refresh_from_db()
    assert run.status == "completed"
    return run


def expected_names():
    """The newest good row of each product decides."""
    newest = {}
    for row in StagingProduct.objects.order_by("src_updated_at", "id"):
        if row.price != "x":
            newest[row.style_no.strip()] = row.name
    return newest


@pytest.mark.django_db(transaction=True)
@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(feeds=st.lists(st.lists(ROW, max_size=6), min_size=1, max_size=3), batch_size=st.integers(1, 4))
def test_products_follow_the_source_and_the_log_tells_every_change_once(feeds, batch_size):
    cleaning.clean()  # of the last example
    for rows in feeds:
        for sku, minute, name, price in rows:
            StagingProduct.objects.create(
                style_brand_no="B",
                style_no=sku,
                name=name,
                price=price,
                src_updated_at=NOON + timedelta(minutes=minute),
            )
        run_once(batch_size, timedelta(minutes=5))
        assert {p.sku: p.name for p in Product.objects.all()} == expected_names()
    bad = set(StagingProduct.objects.filter(price="x").values_list("id", flat=True))
    assert set(RejectedRow.objects.unresolved().values_list("src_id", flat=True)) == bad
    for product in Product.objects.all():
        changes = list(ProductChange.objects.filter(product=product).order_by("id"))
        assert changes[0].change_type == "CREATE"
        assert changes[0].old_version is None
        for before, after in itertools.pairwise(changes):
            assert before.new_version == after.old_version != after.new_version
        assert changes[-1].new_version == product.data_version
    again = run_once(batch_size, timedelta(minutes=5))
    assert (again.created, again.updated) == (0, 0)
