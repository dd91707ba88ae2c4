"""What operators and clients want of the worker's export."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, Q
from django.utils.translation import gettext as _

from access.services import record
from exports.choices import SkipScope, Source
from exports.funnel import MOST_ARTICLES
from exports.models import BriefBatch, BriefTemplate, ExportRun
from exports.recording import other_date, resolve_tag
from runs.querysets import ClockTimestamp
from runs.services import ring
from runs.transactions import atomic_retried

SCORE_FROM, SCORE_BELOW, SCORE_STEP = Decimal(-1000), Decimal(1000), Decimal("0.001")


@dataclass(frozen=True)
class ExportOptions:
    """What the worker is asked to export; the names are fields of ExportRun.

    Without a date it is the one that the tag begins with, else today; without a tag it is the date.
    """

    report_tag: str = ""
    report_date: date | None = None
    limit: int | None = None
    min_score: Decimal = Decimal(60)
    template: str = "brief"
    skip_exported: bool = True
    skip_scope: SkipScope = SkipScope.ALL
    dry_run: bool = False

    def complete(self) -> ExportOptions:
        """The same with a tag and a date. Raises ValidationError, by option, for what cannot be."""
        self._check()
        tag, day = resolve_tag(self.report_tag, self.report_date)
        return replace(self, report_tag=tag, report_date=day)

    def unsaved_run(self, **values: Any) -> ExportRun:
        """A run with these options that exists in memory only."""
        return ExportRun(kind=Source.WORKER, **self.as_fields(), **values)

    def as_fields(self) -> dict[str, Any]:
        """What a run with these options stores."""
        return asdict(self)

    def _check(self) -> None:
        if self.limit is not None and not 1 <= self.limit <= MOST_ARTICLES:
            message = _("A brief has 1 to %(most)s articles.") % {"most": MOST_ARTICLES}
            raise ValidationError({"limit": message})
        if not self.min_score.is_finite() or not SCORE_FROM < self.min_score < SCORE_BELOW:
            raise ValidationError({"min_score": _("No article has such a score.")})
        if self.min_score != self.min_score.quantize(SCORE_STEP):
            raise ValidationError({"min_score": _("A score has three decimals at most.")})
        if self.skip_scope not in SkipScope.values:
            raise ValidationError({"skip_scope": _("It must be one of: all, worker.")})
        if self.template not in BriefTemplate.objects.values_list("slug", flat=True):
            raise ValidationError({"template": _("There is no template “%(name)s”.") % {"name": self.template[:50]}})


def request_export(options: ExportOptions, *, actor: Any, requested_by: Any = None) -> ExportRun:
    """Queue an export of the worker and ring for one.

    Raises ValidationError, by option, for what cannot be, and Conflict where the tag belongs to another date.
    """
    options = options.complete()
    refuse_other_date(options)

    def create() -> ExportRun:
        run = _create(options, actor=actor, requested_by=requested_by)
        ring(run)
        return run

    return atomic_retried(create)


def start_export_here(options: ExportOptions, *, actor: Any) -> ExportRun:
    """A run for the caller to work on itself: one with the same options that waits, or a new one.

    Raises as request_export() does. No bell is rung; the reaper would find the run should the caller die.
    """
    options = options.complete()
    refuse_other_date(options)

    def find_or_create() -> ExportRun:
        waiting = ExportRun.objects.filter(
            Q(status=ExportRun.STATUSES.queued)
            | Q(status=ExportRun.STATUSES.running, lease_until__lt=ClockTimestamp()),
            kind=Source.WORKER,
            **options.as_fields(),
            attempt__lt=F("max_attempts"),
        )
        waiting.update(not_before=None)  # whoever starts it has seen to what it waited for
        return waiting.first() or _create(options, actor=actor, dispatched_at=ClockTimestamp())

    return atomic_retried(find_or_create)


def refuse_other_date(options: ExportOptions) -> None:
    """Raise Conflict ("tag-has-other-date") where the worker's brief of the tag belongs to another date."""
    known = BriefBatch.objects.filter(report_tag=options.report_tag, source=Source.WORKER)
    day = known.values_list("report_date", flat=True).first()
    if day is not None and day != options.report_date:
        raise other_date(options.report_tag, day)


def _create(options: ExportOptions, *, actor: Any, **values: Any) -> ExportRun:
    run = options.unsaved_run(**values)
    run.save(force_insert=True)
    record(actor=actor, action="export.requested", target=run, after=options.as_fields())
    return run
