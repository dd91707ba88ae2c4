"""The worker of a shard, and the run that has its pages read by shards.

The run's own worker reads shards too, one after the other, so a run in shards needs no other worker: each
one that comes makes it faster. What shards count stays on them until the run adds it up; the watermark is
the run's and moves when the last shard is done.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from etl.products.batches import (
    UNSHARDED,
    PageWork,
    failing_on_unusable_source,
    move_watermark,
    refuse_too_many_rejects,
    watermark_moved,
)
from etl.products.choices import Phase, SyncError
from etl.products.merge import ConcurrentWrite
from etl.products.models import ProductSyncRun
from etl.products.readings import shard_reading_of
from etl.products.shards import COUNTS, ProductSyncShard, open_shards
from etl.products.source import Source
from etl.products.staging import configured_source
from runs.errors import LeaseLost, RunFailed
from runs.lease import Lease
from runs.services import ring
from runs.transactions import retried

GATHER_EVERY_SECONDS = 1.0
LOOK_EVERY_SECONDS = 0.2


class ShardSync(PageWork):
    """One claimed shard at work."""

    def __init__(self, lease: Lease, source: Source) -> None:
        super().__init__(lease, source)
        self.shard = self.state.number
        self.reading = shard_reading_of(self.state, source)

    def reloaded(self) -> ProductSyncShard:
        return ProductSyncShard.objects.select_related("run").get(pk=self.lease.pk)


def run_product_sync_shard(pk: int, *, hand_over_after: float | None = None) -> None:
    """Work on one shard until it has read everything; do nothing when it is not to be had.

    After `hand_over_after` seconds the shard goes back to the queue and rings.
    """
    lease = Lease.take(ProductSyncShard, pk)
    if lease is None:
        return
    began = time.monotonic()
    with configured_source() as source:
        for _page in pages_of(lease, source):
            if hand_over_after is not None and time.monotonic() - began > hand_over_after:
                lease.release()
                ring(ProductSyncShard.objects.get(pk=pk))
                return


def pages_of(lease: Lease, source: Source) -> Generator[None, None, None]:
    """Read the shard held by this lease to its end, yielding after every page."""
    with lease, failing_on_unusable_source():
        work = ShardSync(lease, source)
        while retried(work.next_page, also=(ConcurrentWrite,)):
            yield


class InShards:
    """A claimed run whose pages are read by shards."""

    def __init__(self, lease: Lease, source: Source) -> None:
        self.lease, self.source = lease, source
        self._gathered: dict[str, int] = {}
        self._gathered_at = time.monotonic()

    def batches(self) -> Iterator[None]:
        """Open the shards, work on those that nobody else takes, and wait for the others.

        Raises RunFailed when one of them failed.
        """
        retried(self._open)
        while self._is_unfinished():
            lease = self._take_one()
            if lease is None:
                time.sleep(LOOK_EVERY_SECONDS)
                self._gather_now_and_then()
                yield
                continue
            with closing(pages_of(lease, self.source)) as pages:
                for _page in pages:
                    self._gather_now_and_then()
                    yield
        retried(self._conclude)

    def _open(self) -> None:
        with transaction.atomic():
            self._beat()
            run = ProductSyncRun.objects.get(pk=self.lease.pk)
            for shard in open_shards(run):
                if shard.status == ProductSyncShard.STATUSES.queued:
                    ring(shard)
        own = run.batch_log.filter(shard=UNSHARDED)
        self._before = own.aggregate(**{name: Coalesce(Sum(name), 0) for name in COUNTS})
        self._before["batches"] = own.count()
        self._gathered = {name: getattr(run, name) for name in self._before}

    def _beat(self) -> None:
        """Hold on to the run without progress, so that one that dies here every time comes to its attempt cap."""
        if not ProductSyncRun.objects.heartbeat(self.lease.pk, self.lease.token):
            raise LeaseLost

    @property
    def _shards(self) -> Any:
        return ProductSyncShard.objects.filter(run_id=self.lease.pk)

    def _is_unfinished(self) -> bool:
        """Whether a shard is still open. Raises RunFailed when one has failed."""
        statuses = ProductSyncShard.STATUSES
        failed = self._shards.finished().exclude(status=statuses.completed).first()
        if failed is not None:
            raise RunFailed(failed.error or SyncError.SHARD_FAILED, failed.error_text or str(failed))
        return self._shards.open().exists()

    def _take_one(self) -> Lease | None:
        for pk in self._shards.claimable().order_by("number").values_list("pk", flat=True):
            if lease := Lease.take(ProductSyncShard, pk):
                return lease
        return None

    def _gather_now_and_then(self) -> None:
        if time.monotonic() - self._gathered_at > GATHER_EVERY_SECONDS:
            retried(self._gather)

    def _gather(self) -> None:
        """Add up what the shards have counted, for the eyes of those who watch the run."""
        values = self._totals()
        if values == self._gathered:
            self._beat()
            return
        run = ProductSyncRun.objects.get(pk=self.lease.pk)
        self._advance(values, phase=Phase.PAGES, progress=run.progress_after(values["read"] - run.read))
        refuse_too_many_rejects(run, values["rejected"])

    def _conclude(self) -> None:
        """Take over the final counts and move the watermark, which no shard could."""
        run = ProductSyncRun.objects.get(pk=self.lease.pk)
        values, furthest = self._totals(), self._shards.furthest()
        moved = watermark_moved(run, furthest)
        if moved or values != self._gathered:
            place = {"cursor_at": furthest.at, "cursor_id": furthest.id} if furthest else {}
            with transaction.atomic():
                self._advance(values, phase=Phase.PAGES, **place, **moved)
                move_watermark(run, furthest)
        refuse_too_many_rejects(run, values["rejected"])

    def _totals(self) -> dict[str, int]:
        return {name: count + self._before[name] for name, count in self._shards.totals().items()}

    def _advance(self, values: dict[str, int], **more: Any) -> None:
        now = time.monotonic()
        # as long as it takes, not the sum of what each of them worked
        self.lease.advance(**values, **more, seconds=F("seconds") + (now - self._gathered_at))
        self._gathered, self._gathered_at = values, now
