"""What a product sync writes when nothing changed: WAL per batch, record by record, by what it was written for.

PostgreSQL's pg_walinspect reads the records of the pass back from the server's own WAL, so nothing is
estimated: each counts for the relation of its first block, with its full-page image if it carries one (the
pass begins behind a VACUUM and a CHECKPOINT, so the first touch of every page does).
"""

from collections.abc import Iterator

from django.db import connection

from bench.measure import Meter, Sample
from bench.product_sync.checks import check
from bench.product_sync.ours import sync_here
from bench.scenarios import ProductSource

# relation (or what it hangs below) → purpose; first match wins
PURPOSES = {
    "etl_productsyncrun": "run",
    "etl_watermark": "watermark",
    "etl_productsyncbatch": "batchRow",
    "products": "products",
    "product_change_log": "log",
    "etl_rejectedrow": "rejects",
    "access_auditevent": "audit",
}
RECORDS = """
    WITH records AS (
        SELECT DISTINCT ON (start_lsn) start_lsn, reldatabase, relfilenode, record_length,
               sum(block_fpi_length) OVER (PARTITION BY start_lsn) AS image_length
          FROM pg_get_wal_block_info(%(from)s, %(to)s)
         ORDER BY start_lsn, block_id
    )
    SELECT coalesce(owner.relname, indexed.relname, c.relname) AS name, c.relkind = 'S' AS is_sequence,
           sum(record_length), sum(image_length)
      FROM records r
      LEFT JOIN pg_class c ON c.relfilenode = r.relfilenode
                          AND r.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
      LEFT JOIN pg_index i ON i.indexrelid = c.oid
      LEFT JOIN pg_class indexed ON indexed.oid = i.indrelid
      LEFT JOIN pg_class owner ON owner.reltoastrelid = coalesce(indexed.oid, c.oid)
     GROUP BY 1, 2
"""


def run(design: str, rows: int) -> Iterator[Sample]:
    """One pass over a source that was loaded before and stamped anew."""
    source = ProductSource(rows)
    with connection.cursor() as cursor:
        # autovacuum would write in the middle of the pass what is no part of it
        for statement in ("CREATE EXTENSION pg_walinspect", "ALTER SYSTEM SET autovacuum = off"):
            cursor.execute(statement)
        cursor.execute("SELECT pg_reload_conf()")
    source.stage()
    sync_here()
    source.stage("unchanged")
    with connection.cursor() as cursor:
        # VACUUM behind ANALYZE: else the first reader of the new statistics writes their pages' images
        for statement in ("ANALYZE", "VACUUM", "CHECKPOINT"):
            cursor.execute(statement)
        with Meter() as meter:
            began = _position()
            done = sync_here()
            ended = _position()
        cursor.execute("CHECKPOINT")  # what is to be read back must be on disk
    check(design, "unchanged", source, created=done.created, updated=done.updated)
    written = shares(began, ended)
    notes = {f"{purpose}BytesPerBatch": size / done.batches for purpose, size in written.items()}
    beyond = sum(size for purpose, size in written.items() if purpose not in ("run", "watermark", "images"))
    notes["beyondRunAndWatermarkPerBatch"] = beyond / done.batches
    notes["beyondBatchRowsTooPerBatch"] = (beyond - written.get("batchRow", 0)) / done.batches
    yield meter.sample(design, "unchanged", rows, notes={"batches": done.batches, **notes})


def shares(began: str, ended: str) -> dict[str, int]:
    """Bytes of WAL between two positions by purpose. `images` are the full-page images within the others.

    `other` is what has no relation (commits, the server's own records, page headers) or another one.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::pg_lsn - %s::pg_lsn", [ended, began])
        written = {"other": int(cursor.fetchone()[0]), "images": 0}
        cursor.execute(RECORDS, {"from": began, "to": ended})
        for name, is_sequence, size, images in cursor.fetchall():
            table = (name or "").removesuffix("_id_seq") if is_sequence else name
            written["images"] += int(images or 0)
            if purpose := PURPOSES.get(table):
                written[purpose] = written.get(purpose, 0) + int(size)
                written["other"] -= int(size)
    return written


def _position() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        return str(cursor.fetchone()[0])
