"""Product sync: a first load, a pass in which nothing changed, and one in which every tenth row did.

Every pass reads all rows, newly stamped. The limit is a server-side COPY of the same rows into a logged
table without an index; the naive way is get() and save() per row through the ORM.
"""

from collections.abc import Callable, Iterator

from django.db import connection

from bench.measure import Sample
from bench.product_sync import dlt, limit, naive, ours, sharded, sql
from bench.scenarios import PASSES, ProductSource

DESIGNS: dict[str, Callable[[str, str, ProductSource], Sample]] = {
    "copy": limit.copy,
    "copy-text": limit.copy_text,
    "sql": sql.sync,
    "ours": ours.sync_pass,
    "ours-sharded": sharded.sync,
    "dlt": dlt.sync,
    "naive": naive.sync,
}


def run(design: str, rows: int) -> Iterator[Sample]:
    """One round of a design on an empty database: its passes in order, each measured."""
    source = ProductSource(min(rows, naive.MOST_ROWS) if design == "naive" else rows)
    for kind in PASSES:
        source.stage(kind)
        settle()
        yield DESIGNS[design](design, kind, source)


def settle() -> None:
    """Leave the tables as a quiet night does: vacuumed, analysed, on disk."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) products_staging, products, product_change_log")
        cursor.execute("CHECKPOINT")
