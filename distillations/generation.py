"""The worker of a generation task: slot by slot, the end of each one transaction, resumable at any kill."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from django.db.models import Count, F

from distillations import selection, writing
from distillations.choices import HOLDING, SlotStatus, TaskError, TaskStatus
from distillations.deeds import in_transaction
from distillations.locks import lock_pick, lock_source
from distillations.models import (
    DistillationUsage,
    GeneratedArticle,
    GenerationSlot,
    GenerationTask,
)
from distillations.writing import Written
from runs import failpoints
from runs.choices import RunError
from runs.errors import LeaseLost, Outage, RunFailed
from runs.lease import Lease, is_nobodys_fault
from runs.querysets import ClockTimestamp
from runs.services import ring
from watch import counters

logger = structlog.get_logger(__name__)

# one less than a run has attempts: what kills its worker every time ends as one failed article, not as a failed task
SLOT_ATTEMPTS = 4

Write = Callable[[GenerationSlot, GenerationTask], Written]


class DistillationGone(Exception):
    """It was deleted while the article was being written; its use could not be counted."""


def run_generation(pk: int, *, hand_over_after: float | None = None, write: Write | None = None) -> None:
    """Work on one task until it has ended; do nothing when it is not to be had.

    After `hand_over_after` seconds the task goes back to the queue and rings, so that a worker's time limit never
    cuts it. `write` makes the articles, writing.write_article() unless named.
    """
    lease = Lease.take(GenerationTask, pk)
    if lease is None:
        return
    with lease:
        Generation(lease, write or writing.write_article).work(hand_over_after)


class Generation:
    """One claimed task at work."""

    def __init__(self, lease: Lease, write: Write) -> None:
        self.lease, self.write = lease, write
        self.task = GenerationTask.objects.get(pk=lease.pk)
        self.slots = GenerationSlot.objects.filter(task_id=lease.pk)

    def work(self, hand_over_after: float | None = None) -> None:
        """Make the articles of all slots that are still reserved, or hand over when it is time."""
        began = time.monotonic()
        while slot := self.slots.holding().order_by("position").first():
            self._make(slot)
            if hand_over_after is not None and time.monotonic() - began > hand_over_after:
                self.lease.release()
                ring(self.task)
                return
        in_transaction(self._end)

    def _make(self, slot: GenerationSlot) -> None:
        """One article from taking its slot to its commit, or the reason why there is none."""
        if not in_transaction(partial(self._begin, slot)):
            return
        try:
            written = self._written(slot)
        except Outage:
            in_transaction(partial(self._blame_nobody, slot))
            raise
        except RunFailed as failure:
            in_transaction(partial(self._fail, slot, failure.slug, failure.text))
            return
        try:
            in_transaction(partial(self._save, slot, written))
        except DistillationGone:
            logger.info("slot.distillation_gone", slot=slot.pk)
            return  # the slot is still reserved, and is picked anew
        counters.add("pressroom_articles_total", outcome="done")
        failpoints.reached("commit.after")

    def _written(self, slot: GenerationSlot) -> Written:
        """The text; RunFailed where it is the article that failed, and not the worker, its lease or a server."""
        failpoints.reached("model.before")
        try:
            written = self.write(slot, self.task).storable()
        except RunFailed:
            raise
        except Exception as error:
            if is_nobodys_fault(error):
                raise
            logger.error("article.crashed", slot=slot.pk, exc_info=error)
            raise RunFailed(RunError.INTERNAL_ERROR, type(error).__name__) from error
        failpoints.reached("model.after")
        return written

    def _begin(self, slot: GenerationSlot) -> bool:
        """Take the slot for this worker; False when it failed instead, or somebody deleted it past this room."""
        try:
            slot.refresh_from_db()
        except GenerationSlot.DoesNotExist:
            return False
        if needs_another := slot.distillation_id is None or slot.topic_id is None:
            lock_pick()  # before the task, as everywhere
        self._beat()
        if slot.attempt >= SLOT_ATTEMPTS:
            self._settle_failed(slot, RunError.WORKER_LOST)
            return False
        if needs_another:
            try:
                selection.pick_anew(slot)
            except RunFailed as failure:
                self._settle_failed(slot, failure.slug)
                return False
        self._move(
            slot,
            {"status__in": HOLDING},
            status=SlotStatus.GENERATING,
            token=self.lease.token,
            attempt=F("attempt") + 1,
        )
        return True

    def _save(self, slot: GenerationSlot, written: Written) -> None:
        """The article, its use, the slot and the task's progress: all of it or nothing."""
        self.lease.advance(generated_count=F("generated_count") + 1, progress=self._progress())
        distillation, topic = lock_source(slot)
        if distillation is None:
            raise DistillationGone
        article = GeneratedArticle.objects.create(
            task=self.task,
            distillation_id=distillation,
            topic_id=topic,
            keyword=slot.keyword,
            question=slot.question,
            conversion_target_name=self.task.conversion_target_name,
            title=written.title,
            content=written.content,
            image_url=written.image_url,
            provider=written.provider,
            generator_kind=written.generator_kind,
            generator_name=written.generator_name,
            generator_model=written.generator_model,
        )
        DistillationUsage.objects.create(distillation_id=distillation, task=self.task, article=article, topic_id=topic)
        self._move(slot, self._ours(), status=SlotStatus.DONE, token=None, article=article, error="", error_text="")
        failpoints.reached("commit.before")

    def _fail(self, slot: GenerationSlot, error: str, text: str = "") -> None:
        self._settle_failed(slot, error, text, **self._ours())

    def _settle_failed(self, slot: GenerationSlot, error: str, text: str = "", **guard: Any) -> None:
        """This article will not be; that is progress too, and its distillation is free for others."""
        self.lease.advance(progress=self._progress())
        lock_source(slot)
        self._move(
            slot,
            guard or {"status__in": HOLDING},
            status=SlotStatus.FAILED,
            token=None,
            error=error,
            error_text=text,
        )
        counters.add("pressroom_articles_total", outcome="failed")
        logger.warning("article.failed", slot=slot.pk, error=error, text=text)

    def _blame_nobody(self, slot: GenerationSlot) -> None:
        """What writes is away, which no attempt of this article is to blame for."""
        self._beat()
        self._move(slot, self._ours(), attempt=F("attempt") - 1)

    def _end(self) -> None:
        """Whether every article was made, some, or none, and why not."""
        made = self.slots.filter(status=SlotStatus.DONE).count()
        failed = self.slots.filter(status=SlotStatus.FAILED)
        reasons = list(failed.order_by("error").values_list("error").annotate(number=Count("pk")))
        text = ", ".join(f"{error} × {number}" for error, number in reasons)
        if made == self.task.requested_count:
            self.lease.finish(TaskStatus.COMPLETED, progress=100)
        elif made:
            self.lease.finish(TaskStatus.PARTIAL, progress=100, error=TaskError.SOME_FAILED, error_text=text)
        else:
            error = reasons[0][0] if len(reasons) == 1 else TaskError.ALL_FAILED
            self.lease.finish(TaskStatus.FAILED, progress=100, error=error, error_text=text)

    def _beat(self) -> None:
        # a heartbeat and not progress: a task that dies here every time must come to its attempt cap
        if not GenerationTask.objects.heartbeat(self.lease.pk, self.lease.token):
            raise LeaseLost

    def _move(self, slot: GenerationSlot, guard: dict[str, Any], **values: Any) -> None:
        """The fence of the slot. Raises LeaseLost when it is not as the guard says."""
        if self.slots.filter(pk=slot.pk, **guard).update(**values, updated_at=ClockTimestamp()) != 1:
            raise LeaseLost

    def _ours(self) -> dict[str, Any]:
        return {"status": SlotStatus.GENERATING, "token": self.lease.token}

    def _progress(self) -> int:
        """Percent of the articles that are made or failed, once the one at hand is."""
        settled = self.slots.filter(status__in=[SlotStatus.DONE, SlotStatus.FAILED]).count() + 1
        return min(100, 100 * settled // self.task.requested_count)
