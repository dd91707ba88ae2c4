"""A dry run: the same reading and deciding as a real run, with its writes remembered in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from etl.products.batches import refuse_too_many_rejects, watermark_moved
from etl.products.choices import ChangeType, Mode
from etl.products.decisions import Accepted, Counts, Key, settle
from etl.products.disappeared import Look, deletions, refuse_too_many
from etl.products.merge import BUSINESS_FIELDS
from etl.products.models import COUNTED_PHASES, Product, ProductSyncRun, Watermark
from etl.products.pages import Page
from etl.products.positions import BEFORE_EVERY_ID
from etl.products.readings import NamedRows, reading_of
from etl.products.rehash import rehashed
from etl.products.source import Source, Stored

DIFFERENCES_SHOWN = 20  # and as many deletes

TOLD = (
    "deleted", "batches", "differences", "rows_expected", "seconds", "waiting", "keys_not_found",
    "first_keys_not_found",
)  # fmt: skip


def rehearse(
    run: ProductSyncRun, source: Source, on_batch: Callable[[ProductSyncRun], None] = lambda run: None
) -> dict[str, Any]:
    """Count what a real run with these options would do now; the values to store, by field of the run.

    Writes nothing at all, not even to be rolled back, since that would leave dead tuples. `run` need
    not be saved; its fields are brought up to date for `on_batch`. Raises RunFailed where a real run would.
    """
    rehearsal = Rehearsal(run, source, on_batch)
    if run.mode == Mode.REHASH:
        rehearsal.rehash()
    else:
        rehearsal.read()
    if run.mode == Mode.FULL:
        rehearsal.delete()
    run.seconds = rehearsal.seconds()
    return {name: getattr(run, name) for name in (*run.fixed_at_start(), *Counts().as_dict(), *TOLD)}


class Rehearsal:
    """A run in memory; its fields tell what the real one would store."""

    def __init__(self, run: ProductSyncRun, source: Source, on_batch: Callable[[ProductSyncRun], None]) -> None:
        self.run, self.source, self._on_batch = run, source, on_batch
        self._began = time.perf_counter()
        self._overlay: dict[Key, Stored] = {}
        self._newly_listed = 0

    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._began

    def read(self) -> None:
        """All pages of the source, or as many as were asked for."""
        run, source = self.run, self.source
        run.begin(watermark=Watermark.objects.position_of(run.source), until=source.now())
        reading = reading_of(run, source)
        run.rows_expected = reading.expected_rows()
        if isinstance(reading, NamedRows):
            for name, value in not_found(reading).items():
                setattr(run, name, value)
        cursor, pages = run.cursor, 0
        while not run.has_enough(pages) and (page := reading.next_page(cursor)):
            self._take(page)
            cursor = page.cursor
            pages += cursor.phase in COUNTED_PHASES
        if run.reads_to_the_end:
            run.waiting = source.count_waiting(reading.until)

    def delete(self) -> None:
        """What a full run would delete once it has read everything."""
        run, look = self.run, Look(self.source)
        look.go_on(lambda: self._on_batch(run))
        missing = look.missing()
        run.differences += deletions(missing[:DIFFERENCES_SHOWN])
        listed = Product.objects.listed().count() + self._newly_listed
        refuse_too_many(run, missing=len(missing), listed=listed)
        run.deleted = len(missing)
        run.batches += -(-len(missing) // run.batch_size)

    def rehash(self) -> None:
        """All products and their versions of today."""
        run, after_id = self.run, BEFORE_EVERY_ID
        run.rows_expected = Product.objects.count()
        while page := rehashed(after_id, run.batch_size):
            after_id = page.products[-1].pk
            run.differences += page.differences()[: max(0, DIFFERENCES_SHOWN - len(run.differences))]
            self._count(page.counts())

    def _take(self, page: Page) -> None:
        run, decision = self.run, settle(page, self.source, overlay=self._overlay)
        run.differences += differences(decision.writes, limit=DIFFERENCES_SHOWN - len(run.differences))
        for accepted in decision.writes:
            self._newly_listed += accepted.stored is None or accepted.stored.is_deleted
            self._overlay[accepted.key] = _as_if_stored(accepted)
        for name, value in watermark_moved(run, page.watermark).items():
            setattr(run, name, value)
        self._count(decision.counts.as_dict())
        refuse_too_many_rejects(run, run.rejected)

    def _count(self, counts: dict[str, int]) -> None:
        run = self.run
        run.batches += 1
        run.progress = run.progress_after(counts["read"])
        for name, count in counts.items():
            setattr(run, name, getattr(run, name) + count)
        run.seconds = self.seconds()
        self._on_batch(run)


def not_found(reading: NamedRows) -> dict[str, Any]:
    """The keys that the source does not have, by field of the run."""
    keys = reading.not_found()
    return {"keys_not_found": len(keys), "first_keys_not_found": keys[:DIFFERENCES_SHOWN]}


def differences(writes: list[Accepted], *, limit: int) -> list[dict[str, Any]]:
    """What the first writes would change, field by field: [old, new]."""
    shown = writes[:limit] if limit > 0 else []
    ids = [each.stored.product_id for each in shown if each.stored is not None]
    old = Product.objects.in_bulk(ids) if ids else {}
    return [_difference(each, old.get(each.stored.product_id) if each.stored else None) for each in shown]


def _difference(accepted: Accepted, old: Product | None) -> dict[str, Any]:
    product, fields = accepted.product, dict[str, list[Any]]()
    if accepted.stored is None:
        change = ChangeType.CREATE
    elif old is None:  # written by an earlier page of this dry run, so only in memory
        change = ChangeType.UPDATE
    else:
        change = ChangeType.RESTORE if old.is_deleted else ChangeType.UPDATE
        new = {name: getattr(product, name) for name in BUSINESS_FIELDS} | {"price": Decimal(product.price)}
        fields = {name: [getattr(old, name), new[name]] for name in new if getattr(old, name) != new[name]}
    return {"brand": product.brand_code, "sku": product.sku, "type": str(change), "fields": fields}


def _as_if_stored(accepted: Accepted) -> Stored:
    product_id = accepted.stored.product_id if accepted.stored else 0
    return Stored(product_id, accepted.product.data_version, *accepted.position, is_deleted=False)
