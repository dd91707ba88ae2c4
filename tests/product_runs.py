"""Product sync as fault tests see it: the rows, a run that is watched, and all that it leaves behind."""

from django.db import connection

from bench.scenarios import ProductSource
from etl.models import Product, ProductChange, ProductSyncRun, RejectedRow, Watermark
from etl.products import services, sync
from faulting import FAST, eventually, how_often
from processes import python

ROWS = how_often(short=3_000, ci=20_000, full=50_000)
BATCH = how_often(short=100, ci=200, full=200)
OPTIONS = services.SyncOptions(batch_size=BATCH)
TABLES = "products, product_change_log, etl_watermark, etl_rejectedrow, etl_productsyncrun, etl_productsyncbatch"


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


def undisturbed_outcome():
    """Stage the source, let a run in this process read it, and empty the tables again."""
    ProductSource(ROWS, bad_every=500).stage()
    run = services.start_sync_here(OPTIONS, actor="test")
    sync.run_product_sync(run.pk)
    expected = outcome()
    assert len(expected["rejects"]) == ROWS // 500
    empty()
    return expected


def empty():
    """As if nothing was ever read; the source stays."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLES} CASCADE")


def batches_between(faults):
    """How many batches to let pass between so many faults, so that all of them fall into one run."""
    return max(1, ROWS // BATCH // (faults + 2))


class Watched:
    """A run as a test watches it; all waiting outlasts a server that is away."""

    def __init__(self, pk):
        self.pk = pk

    @property
    def row(self):
        """The run now."""
        return ProductSyncRun.objects.get(pk=self.pk)

    def reaches(self, batches, timeout=120):
        """Wait until so many batches are done, or the run has ended."""
        eventually(
            lambda: self.row.batches >= batches or not self.row.is_open, timeout=timeout, what=f"batch {batches}"
        )  # fmt: skip

    def moves_on(self):
        """Wait for the next batch."""
        self.reaches(eventually(lambda: self.row, what="the run").batches + 1)

    def ends(self, timeout=240):
        """Wait for the end; the run."""
        eventually(lambda: not self.row.is_open, timeout=timeout, what="the end of the run")
        return self.row


def requested(options=OPTIONS):
    """A run as an operator asks for it."""
    return Watched(services.request_sync(options, actor="test").pk)


def requested_elsewhere(**extra):
    """The same from a process of its own, for servers or failpoints of its own; None when it died."""
    done = python(
        f"""
from etl.products import services
print(services.request_sync(services.SyncOptions(batch_size={BATCH}), actor="test").pk)
""",
        **FAST,
        **extra,
    )
    return Watched(int(done.stdout)) if done.returncode == 0 else None
