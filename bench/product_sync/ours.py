"""Product sync as it is: one process, default options."""

from bench.measure import Meter, Sample
from bench.product_sync.checks import check
from bench.scenarios import ProductSource
from etl.models import ProductSyncRun
from etl.products import services, sync


def sync_here() -> ProductSyncRun:
    """A run in this process with the default options."""
    run = services.start_sync_here(services.SyncOptions(), actor="bench")
    sync.run_product_sync(run.pk)
    run.refresh_from_db()
    return run


def sync_pass(design: str, kind: str, source: ProductSource) -> Sample:
    """A run over the whole source."""
    with Meter() as meter:
        done = sync_here()
    check(design, kind, source, created=done.created, updated=done.updated)
    return meter.sample(design, kind, source.rows)
