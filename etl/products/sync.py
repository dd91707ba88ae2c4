"""The worker of product sync: page by page, one transaction each, resumable at any kill."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import F

from etl.products.choices import Phase, SyncError
from etl.products.decisions import Decision, settle
from etl.products.merge import ConcurrentWrite, refuse_unstorable, write
from etl.products.models import ProductSyncBatch, ProductSyncRun, Watermark
from etl.products.pages import Page, reading_of
from etl.products.positions import Position
from etl.products.rehearsal import rehearse
from etl.products.source import Source, SourceUnusable
from etl.products.staging import configured_source
from runs.errors import LeaseLost, Outage, RunFailed
from runs.lease import Lease
from runs.services import ring
from runs.transactions import retried

logger = structlog.get_logger(__name__)

# below this the planner's old statistics do no harm
ANALYZE_FROM_CREATED = 10_000

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
    with lease, configured_source() as source:
        work = ProductSync(lease, source, on_batch)
        try:
            work.rehearse() if work.run.dry_run else work.synchronise(hand_over_after)
        except Outage:  # the lease puts the run back for a while
            raise
        except SourceUnusable as error:
            raise RunFailed(SyncError.SOURCE_UNUSABLE, str(error)) from error


class ProductSync:
    """One claimed run at work."""

    def __init__(self, lease: Lease, source: Source, on_batch: OnBatch) -> None:
        self.lease, self.source, self.on_batch = lease, source, on_batch
        self.run = self._reloaded()

    def synchronise(self, hand_over_after: float | None) -> None:
        """Read, compare and write to the end of the source, or until it is time to hand over."""
        began = time.monotonic()
        retried(self._begin)
        while retried(self._step, also=(ConcurrentWrite,)):
            self.on_batch(self.run)
            if hand_over_after is not None and time.monotonic() - began > hand_over_after:
                self.lease.release()
                ring(self.run)
                return
        self._end()

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
        self.run = self._reloaded()
        if self.run.read_until is not None:
            return
        self.run.begin(watermark=Watermark.objects.position_of(self.run.source), until=self.source.now())
        reading = reading_of(self.run, self.source)
        expected = self.source.count_between(reading.start, reading.until)
        fixed = self.run.fixed_at_start() | {"rows_expected": expected}
        # a heartbeat and not progress: a run that dies here every time must come to its attempt cap
        if not ProductSyncRun.objects.heartbeat(self.run.pk, self.lease.token, **fixed):
            raise LeaseLost

    def _step(self) -> bool:
        """One page from reading to commit; False when there is none left.

        Starts from the stored cursor, so that a repeat after a COMMIT of unknown outcome is harmless.
        """
        began = time.perf_counter()
        self.run = self._reloaded()
        if self.run.max_batches is not None and self.run.has_enough(self._pages_done()):
            return False
        page = reading_of(self.run, self.source).next_page(self.run.cursor)
        if page is None:
            return False
        decision = settle(page, self.source)
        try:
            self._commit(page, decision, began)
        except (DataError, IntegrityError):
            # the database refuses what we took for good; put it on the list like any bad row
            refuse_unstorable(decision)
            self._commit(page, decision, began)
        self.run = self._reloaded()
        if self.run.max_rejects is not None and self.run.rejected > self.run.max_rejects:
            raise RunFailed(SyncError.TOO_MANY_REJECTS, f"{self.run.rejected} > {self.run.max_rejects}")
        return True

    def _pages_done(self) -> int:
        return self.run.batch_log.filter(phase=Phase.PAGES).count()

    def _commit(self, page: Page, decision: Decision, began: float) -> None:
        """Everything a page changes, in one transaction that begins with the fence."""
        with transaction.atomic():
            counts = decision.counts.as_dict()
            watermark = self._watermark_beyond(page)
            moved = {"watermark_after_at": watermark.at, "watermark_after_id": watermark.id} if watermark else {}
            self.lease.advance(
                phase=page.cursor.phase,
                cursor_at=page.cursor.at,
                cursor_id=page.cursor.id,
                batches=F("batches") + 1,
                seconds=F("seconds") + (time.perf_counter() - began),
                progress=self.run.progress_after(decision.counts.read),
                **{name: F(name) + count for name, count in counts.items()},
                **moved,
            )
            write(decision, source=self.run.source, run_id=self.run.pk, gone=page.gone)
            if watermark:
                self._move_watermark(watermark)
            ProductSyncBatch.objects.create(
                run=self.run,
                number=self.run.batches + 1,
                phase=page.cursor.phase,
                seconds=time.perf_counter() - began,
                cursor_at=page.cursor.at,
                cursor_id=page.cursor.id,
                **counts,
            )

    def _watermark_beyond(self, page: Page) -> Position | None:
        """Where the watermark goes with this page; None while the page lies before it."""
        current = self.run.watermark
        return page.watermark if page.watermark and (current is None or page.watermark > current) else None

    def _move_watermark(self, to: Position) -> None:
        if not Watermark.objects.move(self.run.source, expected=self.run.watermark, to=to):
            raise RunFailed(SyncError.WATERMARK_MOVED)

    def _end(self) -> None:
        if self.run.created >= ANALYZE_FROM_CREATED:
            with connection.cursor() as cursor:
                # only what pages are joined by; autovacuum does the wide columns, which take ten times as long
                cursor.execute("ANALYZE products (brand_code, sku)")
        waiting = self.source.count_waiting(reading_of(self.run, self.source).until)
        self.lease.finish(ProductSyncRun.STATUSES.completed, progress=100, phase=Phase.DONE, waiting=waiting)

    def _reloaded(self) -> ProductSyncRun:
        return ProductSyncRun.objects.get(pk=self.lease.pk)
