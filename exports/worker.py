"""The worker's export: a brief is drafted in peace and recorded in one transaction, or not at all.

Drafts are made without any lock, so two runs may choose the same articles. Whoever records first wins: recording is
one at a time for the whole line of the worker, looks again whether what was chosen is still free, and a draft of
which something was taken meanwhile (by another run, by hand, by an editor who discards it) is thrown away and made
again. No review is changed by any of this.
"""

from __future__ import annotations

import random
import time
from dataclasses import asdict, replace
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from access.services import record
from exports.briefs import payload_of
from exports.candidates import are_free
from exports.choices import ExportError, Source
from exports.funnel import Draft, OnStep, draft, ignore
from exports.models import BriefBatch, ExportRun
from exports.numbering import take_numbers
from exports.recording import Entry, Recorded, entries_of, record_export
from exports.services import ExportOptions, refuse_other_date
from runs import failpoints
from runs.errors import Conflict, Contention, LeaseLost, RunFailed
from runs.lease import Lease
from runs.transactions import retried

logger = structlog.get_logger(__name__)

# each time it was in vain, some other export came through
DRAFTS_AT_MOST = 20
JITTER_SECONDS = (0.02, 0.2)
LOCK_LINE = "SELECT pg_advisory_xact_lock(hashtextextended('exports:worker', 0))"


class TakenMeanwhile(Exception):
    """Something of the draft was exported or discarded while it was made."""


def run_export(pk: int, *, on_step: OnStep = ignore) -> None:
    """Work on one run until it has ended; do nothing when it is not to be had. `on_step` is told the percentage."""
    lease = Lease.take(ExportRun, pk)
    if lease is None:
        return
    with lease:
        Export(lease, on_step).work()


def rehearse(options: ExportOptions, *, on_step: OnStep = ignore) -> ExportRun:
    """What a run with these options would export now, as a run in memory; nothing at all is written.

    Raises as services.request_export() does.
    """
    options = replace(options, dry_run=True).complete()
    refuse_other_date(options)
    run = options.unsaved_run(status=ExportRun.STATUSES.completed, progress=100)
    for name, value in outcome(draft(run, on_step), run).items():
        setattr(run, name, value)
    return run


class Export:
    """One claimed run at work."""

    def __init__(self, lease: Lease, on_step: OnStep) -> None:
        self.lease, self._on_step = lease, on_step
        self.run: ExportRun = ExportRun.objects.get(pk=lease.pk)

    def work(self) -> None:
        """Draft and record until nothing of the draft was taken in between."""
        for _ in range(DRAFTS_AT_MOST):
            made = retried(lambda: draft(self.run, self.on_step))
            try:
                failpoints.reached("batch.before")
                retried(lambda made=made: self._conclude(made))  # type: ignore[misc]
                failpoints.reached("commit.after")
            except TakenMeanwhile:
                logger.info("export.taken_meanwhile", chosen=len(made.article_ids))
                time.sleep(random.uniform(*JITTER_SECONDS))  # noqa: S311 - jitter, not a secret
                continue
            return
        raise Contention

    def on_step(self, percent: int) -> None:
        """Tell how far it is; whoever has lost the run or was cancelled stops here."""
        # a heartbeat and not progress: a run that dies here every time must come to its attempt cap
        if not ExportRun.objects.heartbeat(self.lease.pk, self.lease.token, progress=percent):
            raise LeaseLost
        self._on_step(percent)

    def _conclude(self, made: Draft) -> None:
        """All that a run leaves behind, in one transaction that begins with the fence."""
        with transaction.atomic():
            if self.run.dry_run or not made.article_ids:
                self._finish(made)
            else:
                self._record(made)
            failpoints.reached("commit.before")

    def _record(self, made: Draft) -> None:
        run = self.run
        with connection.cursor() as cursor:
            cursor.execute(LOCK_LINE)
        self.lease.advance()
        recorded = self._recorded(made)
        if recorded.skipped_duplicates or not are_free(made.article_ids, run, recorded_in=_brief(recorded)):
            raise TakenMeanwhile
        if take_numbers(made.layout, run.report_date) != made.numbers:
            raise TakenMeanwhile
        self._finish(made, recorded=len(recorded.items), brief_batch=recorded.batch)
        failed = ExportRun.objects.unhandled_failures().filter(kind=Source.WORKER, report_tag=run.report_tag)
        failed.update(superseded_by=run)
        record(
            actor=run.requested_by or "worker",
            action="brief.exported",
            target=recorded.batch,
            after={
                "run": run.pk,
                "source": str(Source.WORKER),
                "tag": run.report_tag,
                "date": run.report_date,
                "template": run.template,
                "printed": len(made.article_ids),
                "recorded": len(recorded.items),
                "sha256": made.printed.sha256,
            },
        )

    def _recorded(self, made: Draft) -> Recorded:
        run = self.run
        try:
            return record_export(
                run.report_tag,
                run.report_date,
                entries(made),
                template=run.template,
                payload=payload(made, run),
                content=made.printed.text,
            )
        except Conflict as conflict:
            raise RunFailed(ExportError.TAG_HAS_OTHER_DATE, str(conflict)) from conflict
        except ValidationError as error:  # an article was deleted
            raise TakenMeanwhile from error

    def _finish(self, made: Draft, **values: Any) -> None:
        self.lease.finish(ExportRun.STATUSES.completed, progress=100, **outcome(made, self.run), **values)


def entries(made: Draft) -> list[Entry]:
    """What is recorded: the printed stories as they looked, each with what made it part of its cluster."""
    return [
        replace(entry, metadata=entry.metadata | made.likeness[entry.article_id]) for entry in entries_of(made.printed)
    ]


def outcome(made: Draft, run: ExportRun) -> dict[str, Any]:
    """What a run tells of its draft, by field."""
    return {
        "funnel": made.funnel,
        "payload": payload(made, run),
        "content": made.printed.text,
        "sha256": made.printed.sha256,
        "printed": len(made.printed.placed),
        "not_printed": [asdict(each) for each in made.printed.not_printed],
    }


def payload(made: Draft, run: ExportRun) -> dict[str, Any]:
    """What was asked for and what came of it, as the batch and the run keep it."""
    return payload_of(made.printed, tag=run.report_tag, template=run.template, numbers=made.numbers) | {
        "min_score": run.min_score,
        "limit": run.limit,
        "skip_exported": run.skip_exported,
        "skip_scope": str(run.skip_scope),
    }


def _brief(recorded: Recorded) -> BriefBatch:
    assert isinstance(recorded.batch, BriefBatch)
    return recorded.batch
