"""What exports show on the home page."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from api.bounded import count_of
from desk.charts import Chart, Series
from desk.home import Card, LiveRun, Need, Section
from exports.choices import ReviewStatus, Source
from exports.models import ExportRun, ManualReview
from runs.admin import is_stalled

DAYS_SHOWN = 14
RUNS_LOOKED_AT = 2_000  # the newest; two weeks of one export every ten minutes
POLL_PATH = "/api/v1/exports/runs/{}"

Recorded = Counter[tuple[date, str]]


def home(request: HttpRequest) -> Section | None:
    """The section of exports; None for who may see neither reviews nor runs."""
    user = request.user
    if not user.has_perm("exports.view_manualreview") or not user.has_perm("exports.view_exportrun"):
        return None
    days = last_days()
    recorded = recorded_since(days[0])
    failures = ExportRun.objects.unhandled_failures().count()
    open_runs = list(ExportRun.objects.open().defer("content", "payload", "funnel").order_by("-id"))
    return Section(
        title=_("Briefs"),
        cards=list(_cards(recorded, days[-1], failures, len(open_runs))),
        needs=list(_needs(failures, open_runs)),
        charts=[_chart(recorded, days)],
        runs=[_live(run) for run in open_runs],
    )


def last_days() -> list[date]:
    """The last two weeks, today at the end."""
    today = timezone.localdate()
    return [today - timedelta(days=back) for back in reversed(range(DAYS_SHOWN))]


def recorded_since(day: date) -> Recorded:
    """Articles exported per local day and line, as the newest runs tell."""
    newest = ExportRun.objects.order_by("-id").values_list("status", "finished_at", "kind", "recorded")
    first = timezone.make_aware(datetime.combine(day, time.min))
    recorded: Recorded = Counter()
    for status, finished_at, kind, count in newest[:RUNS_LOOKED_AT]:
        if status == ExportRun.STATUSES.completed and finished_at is not None and finished_at >= first:
            recorded[timezone.localdate(finished_at), kind] += count
    return recorded


def _list(model: str, query: str = "") -> str:
    try:
        return reverse(f"admin:exports_{model}_changelist") + query
    except NoReverseMatch:
        return ""


def _cards(recorded: Recorded, today: date, failures: int, running: int) -> Iterator[Card]:
    reviews = ManualReview.objects.all()
    waiting = count_of(reviews.with_status(ReviewStatus.PENDING))
    yield Card(_("Waiting for review"), str(waiting), _list("manualreview", "?tab=pending"))
    selected = count_of(reviews.with_status(ReviewStatus.SELECTED))
    wanted = _list("manualreview", "?tab=selected")
    yield Card(_("Selected"), str(selected), wanted, tone="info" if selected else "neutral")
    by_hand, by_worker = recorded[today, Source.MANUAL], recorded[today, Source.WORKER]
    yield Card(_("Exported today by hand"), by_hand, _list("exportrun", "?kind__exact=manual"))
    yield Card(_("Exported today by the worker"), by_worker, _list("exportrun", "?kind__exact=worker"))
    yield Card(_("Running"), running, _list("exportrun"), tone="info" if running else "neutral")
    failed = _list("exportrun", "?status__exact=failed")
    yield Card(_("Failed, not handled"), failures, failed, tone="danger" if failures else "neutral")


def _needs(failures: int, open_runs: list[ExportRun]) -> Iterator[Need]:
    if failures:
        text = ngettext(
            "%(count)s export failed and no later run took over.",
            "%(count)s exports failed and no later run took over.",
            failures,
        )
        yield Need(text % {"count": failures}, _list("exportrun", "?status__exact=failed"), "danger")
    for run in filter(is_stalled, open_runs):
        text = _("Export #%(id)s gives no sign of life.") % {"id": run.pk}
        yield Need(text, reverse("admin:exports_exportrun_change", args=[run.pk]))


def _live(run: ExportRun) -> LiveRun:
    return LiveRun(
        title=_("Export #%(id)s “%(tag)s”") % {"id": run.pk, "tag": run.report_tag},
        url=reverse("admin:exports_exportrun_change", args=[run.pk]),
        poll=POLL_PATH.format(run.pk),
        status=run.status,
        status_label=run.get_status_display(),
        progress=run.progress,
    )


def _chart(recorded: Recorded, days: list[date]) -> Chart:
    return Chart(
        title=_("Exported per day"),
        labels=[date_format(day, "m-d") for day in days],
        series=[Series(str(source.label), [recorded[day, source] for day in days]) for source in Source],
        unit=_("articles"),
        url=_list("exportrun"),
    )
