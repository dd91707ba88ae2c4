"""A source to play with: rows are written as a feed would write them."""

from datetime import timedelta

import pytest

from etl.models import ProductSyncRun, StagingProduct
from etl.products import services, sync
from observed import NOON


@pytest.fixture
def stage(transactional_db):
    """stage(sku, minute=…, **cells) writes one good source row; cells override."""

    def make(sku="1", *, minute=0, **cells):
        row = {
            "style_brand_no": "BRAND",
            "style_no": sku,
            "name": "Mug",
            "price": "199",
            "tags_json": '["a"]',
            "attrs_json": '{"size": "M"}',
            "on_sale": "Y",
            "src_updated_at": NOON + timedelta(minutes=minute),
        }
        return StagingProduct.objects.create(**(row | cells))

    return make


@pytest.fixture
def synced(transactional_db):
    """synced(**options) runs one product sync to its end and returns the run."""

    def run(**options):
        created = services.start_sync_here(services.SyncOptions(**options), actor="test")
        sync.run_product_sync(created.pk)
        created.refresh_from_db()
        return created

    return run


@pytest.fixture
def runs(transactional_db):
    """The queryset of runs."""
    return ProductSyncRun.objects
