"""The worker of product sync: page by page, one transaction each, resumable at any kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from django.db import connection

from etl.products.ahead import ReadAhead
from etl.products.batches import (
    PageWork,
    failing_on_unusable_source,
    move_watermark,
    refuse_too_many_rejects,
    watermark_moved,
)
from etl.products.choices import Mode, Phase
from etl.products.decisions import Decision
from etl.products.disappeared import FullCompare
from etl.products.merge import ConcurrentWrite
from etl.products.models import COUNTED_PHASES, Product, ProductSyncRun, Watermark
from etl.products.pages import Page
from etl.products.readings import NamedRows, reading_of
from etl.products.rehash import Rehash
from etl.products.rehearsal import not_found, rehearse
from etl.products.sharding import InShards
from etl.products.source import Source
from etl.products.staging import configured_source
from runs.errors import LeaseLost
from runs.lease import Lease
from runs.services import ring
from runs.transactions import retried

logger = structlog.get_logger(__name__)

# below this the planner's old statistics do no harm
ANALYZE_FROM_CREATED = 10_000

READING_PHASES = (Phase.REJECTS, Phase.UNTIMED, Phase.PAGES, Phase.KEYS)

OnBatch = Callable[[ProductSyncRun], None]


def ignore(run: ProductSyncRun) -> None:
    """Nobody watches this run."""


def run_product_sync(pk: int, *, hand_over_after: float | None = None, on_batch: OnBatch = ignore) -> None:
    """Work on one run until it has ended; do nothing when it is not to be had.

    After `hand_over_after` seconds the run goes back to the queue and rings, so that a worker's time
    limit never cuts it. `on_batch` is told of the run after every batch.
    """
    lease = Lease.take(ProductSyncRun, pk)
    if lease is None:
        return
    with lease, configured_source() as source, ReadAhead() as ahead:
        work = ProductSync(lease, source, ahead, on_batch)
        with failing_on_unusable_source():
            work.rehearse() if work.run.dry_run else work.synchronise(hand_over_after)


class ProductSync(PageWork):
    """One claimed run at work."""

    def __init__(self, lease: Lease, source: Source, ahead: ReadAhead, on_batch: OnBatch) -> None:
        super().__init__(lease, source, ahead)
        self.on_batch = on_batch

    def synchronise(self, hand_over_after: float | None) -> None:
        """Work to the end of what the run's mode asks for, or until it is time to hand over."""
        began = time.monotonic()
        for _batch in self._batches():
            self.on_batch(self.run)
            if hand_over_after is not None and time.monotonic() - began > hand_over_after:
                self.lease.release()
                ring(self.run)
                return
        self._end()

    def _batches(self) -> Iterator[None]:
        """The work, yielding after every batch."""
        if self.run.mode == Mode.REHASH:
            retried(self._count_products)
            yield from self._following(Rehash(self.lease).batches())
            return
        retried(self._begin)
        while self.run.phase in READING_PHASES and retried(self._step, also=(ConcurrentWrite,)):
            yield
        if self.run.shards > 1:
            yield from self._following(InShards(self.lease, self.source).batches())
        if self.run.mode == Mode.FULL:
            yield from self._following(FullCompare(self.lease, self.source).batches())

    def _following(self, batches: Iterator[None]) -> Iterator[None]:
        for _batch in batches:
            self.state = self.reloaded()
            yield

    def rehearse(self) -> None:
        """Compare only; nothing but the run's own row is written."""

        def on_batch(run: ProductSyncRun) -> None:
            if not ProductSyncRun.objects.heartbeat(run.pk, self.lease.token, progress=run.progress):
                raise LeaseLost
            self.on_batch(run)

        outcome = rehearse(self.run, self.source, on_batch)
        self.lease.finish(ProductSyncRun.STATUSES.completed, progress=100, **outcome)

    def _begin(self) -> None:
        """Fix what the whole run reads; a run that goes on keeps what was fixed at its first start."""
        self.state = self.reloaded()
        if self.run.read_until is not None:
            self.reading = reading_of(self.run, self.source)
            return
        self.run.begin(watermark=Watermark.objects.position_of(self.run.source), until=self.source.now())
        self.reading = reading_of(self.run, self.source)
        fixed = self.run.fixed_at_start() | {"rows_expected": self.reading.expected_rows()}
        if isinstance(self.reading, NamedRows):
            fixed |= not_found(self.reading)
        self._fix(fixed)

    def _count_products(self) -> None:
        self.state = self.reloaded()
        if self.run.rows_expected is None:
            self._fix({"rows_expected": Product.objects.count()})

    def _fix(self, values: dict[str, Any]) -> None:
        # a heartbeat and not progress: a run that dies here every time must come to its attempt cap
        if not ProductSyncRun.objects.heartbeat(self.run.pk, self.lease.token, **values):
            raise LeaseLost

    def _step(self) -> bool:
        """One page from reading to commit; False when there is none left, or enough are read."""
        if self.run.max_batches is not None and self.run.has_enough(self._pages_done()):
            return False
        if not self.next_page():
            return False
        self.state = self.reloaded()
        refuse_too_many_rejects(self.run, self.run.rejected)
        return True

    def _pages_done(self) -> int:
        return self.run.batch_log.filter(phase__in=COUNTED_PHASES).count()

    def moving_with(self, page: Page, decision: Decision) -> dict[str, Any]:
        """The phase, the progress, and the watermark with the page that goes beyond it."""
        progress = self.run.progress_after(decision.counts.read)
        return {"phase": page.cursor.phase, "progress": progress, **watermark_moved(self.run, page.watermark)}

    def commit_also(self, page: Page) -> None:
        """The watermark, in the page's own transaction."""
        move_watermark(self.run, page.watermark)

    def _end(self) -> None:
        if self.run.created >= ANALYZE_FROM_CREATED:
            with connection.cursor() as cursor:
                # only what pages are joined by; autovacuum does the wide columns, which take ten times as long
                cursor.execute("ANALYZE products (brand_code, sku)")
        waiting = self.source.count_waiting(self.reading.until) if self.run.reads_to_the_end else 0
        self.lease.finish(ProductSyncRun.STATUSES.completed, progress=100, phase=Phase.DONE, waiting=waiting)
