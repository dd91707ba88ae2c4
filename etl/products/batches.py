"""One page from reading to commit, for a whole run or for one of its shards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DataError, IntegrityError, transaction
from django.db.models import F

from etl.products.ahead import Prepared, ReadAhead, prepare
from etl.products.choices import SyncError
from etl.products.decisions import Decision, Key, collector_paused, settle_sifted
from etl.products.merge import refuse_unstorable, write
from etl.products.models import ProductSyncBatch, ProductSyncRun, Watermark
from etl.products.pages import Page, Reading
from etl.products.positions import Position
from etl.products.readings import NamedRows
from etl.products.shards import ProductSyncShard
from etl.products.source import Source, SourceUnusable
from runs import failpoints
from runs.errors import Outage, RunFailed
from runs.lease import Lease

UNSHARDED = 0


@contextmanager
def failing_on_unusable_source() -> Iterator[None]:
    """A source that cannot be read fails what is done here; one that is only away is left to the lease."""
    try:
        yield
    except Outage:
        raise
    except SourceUnusable as error:
        raise RunFailed(SyncError.SOURCE_UNUSABLE, str(error)) from error


def refuse_too_many_rejects(run: ProductSyncRun, rejected: int) -> None:
    """Raise RunFailed when more rows were rejected than the run allows."""
    if run.max_rejects is not None and rejected > run.max_rejects:
        raise RunFailed(SyncError.TOO_MANY_REJECTS, f"{rejected} > {run.max_rejects}")


def watermark_moved(run: ProductSyncRun, to: Position | None) -> dict[str, Any]:
    """What moves on a run that has read as far as `to`, by field; nothing while that lies before its watermark."""
    if to is None or (run.watermark is not None and to <= run.watermark):
        return {}
    return {"watermark_after_at": to.at, "watermark_after_id": to.id}


def move_watermark(run: ProductSyncRun, to: Position | None) -> None:
    """Move the source's watermark along, by compare-and-set in the caller's transaction.

    Raises RunFailed when someone else has moved it since.
    """
    if to is None or not watermark_moved(run, to):
        return
    if not Watermark.objects.move(run.source, expected=run.watermark, to=to):
        raise RunFailed(SyncError.WATERMARK_MOVED)


class PageWork:
    """A claimed run or shard at work, page by page.

    `reading` is set before the first page. What a page changes is one transaction that begins with the
    fence, and each page starts from the stored cursor, so a repeat after a COMMIT of unknown outcome does
    no harm.
    """

    reading: Reading | NamedRows
    shard = UNSHARDED

    def __init__(self, lease: Lease, source: Source, ahead: ReadAhead | None = None) -> None:
        self.lease, self.source, self.ahead = lease, source, ahead
        self._last_written: set[Key] = set()
        self.state: Any = self.reloaded()

    @property
    def run(self) -> ProductSyncRun:
        """The run this is work for."""
        return self.state.run if isinstance(self.state, ProductSyncShard) else self.state

    def reloaded(self) -> ProductSyncRun | ProductSyncShard:
        """What holds the cursor, as stored now."""
        return self.lease.model.objects.get(pk=self.lease.pk)  # type: ignore[return-value]

    @collector_paused()
    def next_page(self) -> bool:
        """Read one page and commit it; False when there is none left.

        Raises ConcurrentWrite when someone else wrote one of its products in between; to be repeated.
        """
        began = time.perf_counter()
        self.state = self.reloaded()
        prepared = self._prepared()
        if prepared is None:
            return False
        page, sifted = prepared
        # between the reading of a page ahead and now, only the page before it was written
        again = self._last_written.intersection(accepted.key for accepted in sifted.accepted)
        decision = settle_sifted(page, sifted, self.source, overlay=self.source.stored(again) if again else None)
        self._last_written = {accepted.key for accepted in decision.writes}
        # a run of so many batches goes on to use the source without asking for the page, and a connection to
        # MySQL is for one thread at a time
        if self.ahead and page.in_order and self.run.max_batches is None:
            self.ahead.begin(self.reading.next_page, page.cursor)
        try:
            self._commit(page, decision, began)
        except (DataError, IntegrityError):
            # the database refuses what we took for good; put it on the list like any bad row
            refuse_unstorable(decision)
            self._commit(page, decision, began)
        return True

    def _prepared(self) -> Prepared | None:
        """The next page: as read ahead, unless it says of a product written since that its text is the stored one."""
        cursor = self.state.cursor
        prepared = self.ahead.take(cursor) if self.ahead else None
        if prepared is None or self._last_written & prepared.sifted.same:
            self._last_written = set()
            return prepare(self.reading.next_page, cursor)
        return prepared

    def moving_with(self, page: Page, decision: Decision) -> dict[str, Any]:
        """What else moves on the run or shard with a page, by field."""
        return {}

    def commit_also(self, page: Page) -> None:
        """What else is written in the page's transaction."""

    def _commit(self, page: Page, decision: Decision, began: float) -> None:
        """Everything a page changes, in one transaction that begins with the fence."""
        counts = decision.counts.as_dict()
        failpoints.reached("batch.before")
        with transaction.atomic():
            self.lease.advance(
                cursor_at=page.cursor.at,
                cursor_id=page.cursor.id,
                batches=F("batches") + 1,
                seconds=F("seconds") + (time.perf_counter() - began),
                **{name: F(name) + count for name, count in counts.items()},
                **self.moving_with(page, decision),
            )
            write(decision, source=self.run.source, run_id=self.run.pk, gone=page.gone)
            self.commit_also(page)
            ProductSyncBatch.objects.create(
                run_id=self.run.pk,
                shard=self.shard,
                number=self.state.batches + 1,
                phase=page.cursor.phase,
                seconds=time.perf_counter() - began,
                cursor_at=page.cursor.at,
                cursor_id=page.cursor.id,
                **counts,
            )
            failpoints.reached("commit.before")
        failpoints.reached("commit.after")
