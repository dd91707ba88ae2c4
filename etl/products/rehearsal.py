"""A dry run: the same reading and deciding as a real run, with its writes remembered in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from etl.products.choices import ChangeType, Phase, SyncError
from etl.products.decisions import Accepted, Counts, Key, settle
from etl.products.merge import BUSINESS_FIELDS
from etl.products.models import Product, ProductSyncRun, Watermark
from etl.products.pages import BEGINNING, reading_of
from etl.products.source import Source, Stored
from runs.errors import RunFailed

DIFFERENCES_SHOWN = 20


def rehearse(
    run: ProductSyncRun, source: Source, on_batch: Callable[[ProductSyncRun], None] = lambda run: None
) -> dict[str, Any]:
    """Count what a real run with these options would do now; the values to store, by field of the run.

    Writes nothing at all, not even to be rolled back, since that would leave dead tuples. `run` need
    not be saved; its fields are brought up to date for `on_batch`. Raises RunFailed where a real run would.
    """
    began = time.perf_counter()
    run.begin(watermark=Watermark.objects.position_of(run.source), until=source.now())
    reading = reading_of(run, source)
    run.rows_expected = source.count_between(reading.start, reading.until)
    counts = Counts()
    overlay: dict[Key, Stored] = {}
    cursor, pages = BEGINNING, 0
    while not run.has_enough(pages) and (page := reading.next_page(cursor)):
        decision = settle(page, source, overlay=overlay)
        run.differences += differences(decision.writes, limit=DIFFERENCES_SHOWN - len(run.differences))
        for accepted in decision.writes:
            overlay[accepted.key] = _as_if_stored(accepted)
        counts.add(decision.counts)
        if page.watermark and (run.watermark is None or page.watermark > run.watermark):
            run.watermark_after_at, run.watermark_after_id = page.watermark
        cursor = page.cursor
        pages += cursor.phase == Phase.PAGES
        run.batches += 1
        run.progress = run.progress_after(decision.counts.read)
        for name, count in counts.as_dict().items():
            setattr(run, name, count)
        run.seconds = time.perf_counter() - began
        on_batch(run)
        if run.max_rejects is not None and run.rejected > run.max_rejects:
            raise RunFailed(SyncError.TOO_MANY_REJECTS, f"{run.rejected} > {run.max_rejects}")
    run.seconds = time.perf_counter() - began
    run.waiting = source.count_waiting(reading.until)
    stored = ("batches", "differences", "rows_expected", "seconds", "waiting")
    return run.fixed_at_start() | counts.as_dict() | {name: getattr(run, name) for name in stored}


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
        new = product._asdict() | {"price": Decimal(product.price)}
        fields = {name: [getattr(old, name), new[name]] for name in BUSINESS_FIELDS if getattr(old, name) != new[name]}
    return {"brand": product.brand_code, "sku": product.sku, "type": str(change), "fields": fields}


def _as_if_stored(accepted: Accepted) -> Stored:
    product_id = accepted.stored.product_id if accepted.stored else 0
    return Stored(product_id, accepted.product.data_version, *accepted.position, is_deleted=False)
