"""The full compare: what the source no longer has, by its whole key set, is soft-deleted.

A source "has" a product while any row carries its key, whatever else is wrong with the row: rejected rows,
rows without a timestamp and rows that wait all count. One look goes over the keys of the source in pages
and notes in memory which products they are; nothing is written to products that stay, and there is no table
to clear up. A run that dies looks again from the beginning, so what it acts on is never older than itself.

No wrong delete: a product written after the look began is left alone, and before every batch the look goes
on over the rows that came since. What comes back later is a RESTORE of the next run.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from etl.products.choices import ChangeType, Phase, SyncError
from etl.products.merge import ConcurrentWrite
from etl.products.models import Product, ProductSyncBatch, ProductSyncRun
from etl.products.positions import BEFORE_EVERY_ID
from etl.products.readings import key_pages, read_keys
from etl.products.source import Source
from runs.errors import LeaseLost, RunFailed
from runs.lease import Lease
from runs.querysets import database_now
from runs.transactions import retried

CHUNK_BITS = 16  # 65,536 ids in 8 KB

# the log's id is drawn after the product's lock is held, as in merge.MERGE
DELETE = """
    WITH gone AS (
        UPDATE products SET is_deleted = true, updated_at = clock_timestamp()
         WHERE id = ANY(%(ids)s) AND NOT is_deleted AND updated_at < %(before)s
        RETURNING id, brand_code, sku, data_version
    ), logged AS (
        INSERT INTO product_change_log
               (product_id, brand_code, sku, change_type, old_version, new_version, changed_fields, run_id)
        SELECT id, brand_code, sku, 'DELETE', data_version, data_version, '{}', %(run_id)s
          FROM gone ORDER BY id
        RETURNING 1
    )
    SELECT count(*) FROM logged
"""


class IdSet:
    """A set of ids that takes a bit each where ids lie close together."""

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}

    def update(self, ids: Iterable[int]) -> None:
        """Add these ids."""
        for each in ids:
            chunk = self._chunks.get(each >> CHUNK_BITS)
            if chunk is None:
                chunk = self._chunks[each >> CHUNK_BITS] = bytearray(1 << CHUNK_BITS - 3)
            low = each & (1 << CHUNK_BITS) - 1
            chunk[low >> 3] |= 1 << (low & 7)

    def __contains__(self, each: int) -> bool:
        chunk = self._chunks.get(each >> CHUNK_BITS)
        low = each & (1 << CHUNK_BITS) - 1
        return chunk is not None and bool(chunk[low >> 3] & 1 << (low & 7))


class Look:
    """One look over the keys of the whole source, and the listed products it did not find there."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.began = database_now()
        self._seen = IdSet()
        self._after_id = BEFORE_EVERY_ID

    def go_on(self, on_page: Callable[[], Any] = lambda: None) -> None:
        """Note the products of every source row; called again, those of the rows that came since."""
        for page in key_pages(self.source, self._after_id):
            self._seen.update(Product.objects.ids_of({key for _row, key in read_keys(page)}))
            self._after_id = page[-1].src_id
            on_page()

    def missing(self) -> array[int]:
        """Ids of the listed products that no row seen so far is about, in order."""
        pages = Product.objects.listed().filter(updated_at__lt=self.began).id_pages()
        return array("q", (each for page in pages for each in page if each not in self._seen))

    def still_missing(self, ids: Iterable[int]) -> list[int]:
        """Those of `ids` of which that is still true."""
        listed = Product.objects.listed().filter(pk__in=list(ids), updated_at__lt=self.began)
        return [each for each in listed.order_by("pk").values_list("pk", flat=True) if each not in self._seen]


class FullCompare:
    """The end of a full run: look over the source, then delete batch by batch."""

    def __init__(self, lease: Lease, source: Source) -> None:
        self.lease, self.source = lease, source

    def batches(self) -> Iterator[None]:
        """Delete what disappeared, yielding after every batch. Raises RunFailed, with nothing deleted, if
        that were too much."""
        look = retried(self._look)
        missing = look.missing()
        run = ProductSyncRun.objects.get(pk=self.lease.pk)
        refuse_too_many(run, missing=len(missing), listed=Product.objects.listed().count())
        for start in range(0, len(missing), run.batch_size):
            ids = missing[start : start + run.batch_size]
            retried(lambda: self._delete(look, ids), also=(ConcurrentWrite,))  # noqa: B023 - called at once
            yield

    def _look(self) -> Look:
        self._beat(phase=Phase.COMPARE, cursor_at=None, cursor_id=None)
        look = Look(self.source)
        look.go_on(self._beat)
        return look

    def _beat(self, **values: Any) -> None:
        """Stop as soon as the run is cancelled; a look has no transaction whose fence would tell."""
        if not ProductSyncRun.objects.heartbeat(self.lease.pk, self.lease.token, **values):
            raise LeaseLost

    def _delete(self, look: Look, candidates: Iterable[int]) -> None:
        """One batch. A repeat after a COMMIT of unknown outcome finds nothing more to delete."""
        began = time.perf_counter()
        look.go_on()
        ids = look.still_missing(candidates)
        if not ids:
            return
        run = ProductSyncRun.objects.get(pk=self.lease.pk)
        with transaction.atomic():
            self.lease.advance(
                phase=Phase.DELETES,
                cursor_id=ids[-1],
                batches=F("batches") + 1,
                seconds=F("seconds") + (time.perf_counter() - began),
                deleted=F("deleted") + len(ids),
            )
            if delete_products(ids, before=look.began, run_id=run.pk) != len(ids):
                raise ConcurrentWrite
            ProductSyncBatch.objects.create(
                run=run,
                number=run.batches + 1,
                phase=Phase.DELETES,
                **dict.fromkeys(("read", "created", "updated", "unchanged", "superseded", "rejected"), 0),
                deleted=len(ids),
                seconds=time.perf_counter() - began,
                cursor_id=ids[-1],
            )


def delete_products(ids: list[int], *, before: Any, run_id: int | None) -> int:
    """Soft-delete and log those of `ids` that are listed and were not written since `before`; how many."""
    with connection.cursor() as cursor:
        cursor.execute(DELETE, {"ids": ids, "before": before, "run_id": run_id})
        return cursor.fetchone()[0]


def refuse_too_many(run: ProductSyncRun, *, missing: int, listed: int) -> None:
    """Raise RunFailed when more would go than allowed, counting what this run has deleted already."""
    missing, listed = missing + run.deleted, listed + run.deleted
    if missing * 100 > run.max_delete_percent * listed:
        share = f"{missing} / {listed} = {missing * 100 / listed:.1f} % > {run.max_delete_percent} %"
        raise RunFailed(SyncError.TOO_MANY_DELETES, share)


def deletions(ids: Iterable[int]) -> list[dict[str, Any]]:
    """These deletes as a dry run tells them."""
    products = Product.objects.filter(pk__in=list(ids)).order_by("pk").values_list("brand_code", "sku")
    return [{"brand": brand, "sku": sku, "type": str(ChangeType.DELETE), "fields": {}} for brand, sku in products]
