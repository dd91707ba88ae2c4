"""One page from reading to commit, for a whole run or for one of its shards."""

from __future__ import annotations

import time
from typing import Any

from django.db import DataError, IntegrityError, transaction
from django.db.models import F

from etl.products.decisions import Decision, settle
from etl.products.merge import refuse_unstorable, write
from etl.products.models import ProductSyncBatch, ProductSyncRun
from etl.products.pages import Page, Reading
from etl.products.readings import NamedRows
from etl.products.shards import ProductSyncShard
from etl.products.source import Source
from runs import failpoints
from runs.lease import Lease

UNSHARDED = 0


class PageWork:
    """A claimed run or shard at work, page by page.

    `reading` is set before the first page. What a page changes is one transaction that begins with the
    fence, and each page starts from the stored cursor, so a repeat after a COMMIT of unknown outcome does
    no harm.
    """

    reading: Reading | NamedRows
    shard = UNSHARDED

    def __init__(self, lease: Lease, source: Source) -> None:
        self.lease, self.source = lease, source
        self.state: Any = self.reloaded()

    @property
    def run(self) -> ProductSyncRun:
        """The run this is work for."""
        return self.state.run if isinstance(self.state, ProductSyncShard) else self.state

    def reloaded(self) -> ProductSyncRun | ProductSyncShard:
        """What holds the cursor, as stored now."""
        return self.lease.model.objects.get(pk=self.lease.pk)  # type: ignore[return-value]

    def next_page(self) -> bool:
        """Read one page and commit it; False when there is none left.

        Raises ConcurrentWrite when someone else wrote one of its products in between; to be repeated.
        """
        began = time.perf_counter()
        self.state = self.reloaded()
        page = self.reading.next_page(self.state.cursor)
        if page is None:
            return False
        decision = settle(page, self.source)
        try:
            self._commit(page, decision, began)
        except (DataError, IntegrityError):
            # the database refuses what we took for good; put it on the list like any bad row
            refuse_unstorable(decision)
            self._commit(page, decision, began)
        return True

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
