"""Recording exports: 8 writers with 50 articles each on one tag, and one export of many.

`record` is only what an export records; `export` is all of an export by hand (reviews, text, items, run, audit);
`one-export` is one of everything that is selected, which is marked. Half of each writer's articles are new.
"""

import os
from collections.abc import Iterator
from datetime import date

from django.db import connection

from bench.measure import Meter, Sample
from bench.product_sync.sharded import database_url
from bench.recording import naive, ours, sql, unsafe
from bench.recording.writers import Done, Wish, at_once
from bench.scenarios import ArticlePool

WRITERS, SIZE = 8, 50
TAG, DAY = "2026-03-01", date(2026, 3, 1)

WAYS = {
    "by-hand": ours.BY_HAND,
    "by-worker": ours.BY_WORKER,
    "ours record": ours.RECORD,
    "ours export": ours.BY_HAND,
    "sql record": sql.RECORD,
    "sql export": sql.BY_HAND,
    "naive record": naive.RECORD,
    "read-then-insert": unsafe.READ_THEN_INSERT,
}
ALL_SELECTED = {
    "sql": sql.everything_selected,
    "ours": ours.everything_selected,
    "naive": naive.everything_selected,
}


def run(design: str, rows: int) -> Iterator[Sample]:
    """One round of a design: each pass handles `rows` articles, or the next whole portion."""
    exports = max(1, rows // (WRITERS * SIZE))
    pool = ArticlePool(WRITERS, own=exports * SIZE // 2)
    pool.stage()
    for kind in ("record", "export"):
        if f"{design} {kind}" in WAYS:
            _settle()
            yield _at_once(design, kind, pool)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE news_articles, manual_export_batches CASCADE")
    ArticlePool(1, own=rows, shared=0).stage()
    _settle()
    WAYS[f"{design} record"].backend()  # connected before the clock starts
    with Meter() as meter:
        recorded, _sha256 = ALL_SELECTED[design](TAG, DAY)
    assert recorded == rows, f"{design}: recorded {recorded} of {rows}"
    yield meter.sample(design, "one-export", rows)


def _at_once(design: str, kind: str, pool: ArticlePool) -> Sample:
    """The writers' time from their common start to the last one's end."""
    wishes = [
        Wish(f"{design} {kind}", writer, WRITERS, pool.own, f"{TAG}-{kind}", DAY.isoformat(), SIZE, seed=writer)
        for writer in range(WRITERS)
    ]
    before = _server()
    done = at_once(wishes, os.environ | {"DATABASE_URL": database_url()})
    after = _server()
    items = sum(each.items for each in done)
    recorded = sum(each.recorded for each in done)
    _check(design, kind, done, recorded)
    waits = sorted(seconds for each in done for seconds in each.seconds)
    notes = {
        "p99Ms": waits[int(len(waits) * 0.99)] * 1000,
        "newPercent": 100 * recorded / items,
        "deadlocks": after["deadlocks"] - before["deadlocks"],
    }
    return Sample(
        design,
        kind,
        items,
        max(each.ended for each in done) - min(each.began for each in done),
        sum(each.client_cpu for each in done),
        sum(each.server_cpu for each in done),
        sum(each.peak_rss for each in done),
        after["wal"] - before["wal"],
        notes,
    )


def _check(design: str, kind: str, done: list[Done], recorded: int) -> None:
    assert all(each.ran_out for each in done), f"{design}, {kind}: a writer did not do all of its exports"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), max(order_index), count(DISTINCT article_id) FROM manual_export_items i"
            " JOIN manual_export_batches b ON b.id = i.manual_export_batch_id WHERE report_tag = %s",
            [f"{TAG}-{kind}"],
        )
        found = cursor.fetchone()
    assert found == (recorded,) * 3, f"{design}, {kind}: {found} items, places and articles of {recorded}"


def _server() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, deadlocks FROM pg_stat_database"
            " WHERE datname = current_database()"
        )
        return dict(zip(("wal", "deadlocks"), cursor.fetchone(), strict=True))


def _settle() -> None:
    """Leave the tables as a quiet night does: vacuumed, analysed, on disk."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) news_articles, manual_reviews, manual_export_items, manual_export_batches")
        cursor.execute("CHECKPOINT")
