"""What distillations show on the home page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from api.bounded import Count, count_of
from api.shared_cache import ask
from desk.charts import Chart, Series
from desk.home import Card, LiveRun, Need, Section
from distillations.choices import TaskStatus
from distillations.models import Distillation, GeneratedArticle, GenerationTask, UsageCheck
from runs.admin import is_stalled
from watch.models import Counter

DAYS_SHOWN = 14
KEPT_SECONDS = 600
LIVE_SHOWN = 10
STALLED_SHOWN = 5
CONTENTION = "pressroom_transactions_failed_total"
CONTENTION_IS_NEWS = timedelta(days=1)
DRIFTED = "?drifted=yes"
POLL_PATH = "/api/v1/generation/tasks/{}"


def home(request: HttpRequest) -> Section | None:
    """The section of distillations; None for who may not see tasks."""
    user = request.user
    if not user.has_perm("distillations.view_generationtask") or not user.has_perm("distillations.view_distillation"):
        return None
    open_tasks: Any = GenerationTask.objects.open()
    check = UsageCheck.objects.order_by("-id").first()
    unhandled = {
        status: count_of(GenerationTask.objects.unhandled().filter(status=status))
        for status in (TaskStatus.FAILED, TaskStatus.PARTIAL)
    }
    return Section(
        title=_("Articles from distillations"),
        cards=list(_cards(count_of(open_tasks), unhandled, check)),
        needs=list(_needs(unhandled, check)),
        charts=[_chart()],
        runs=[_live(task) for task in open_tasks.with_keyword().order_by("-id")[:LIVE_SHOWN]],
    )


def _list(model: str, query: str = "") -> str:
    try:
        return reverse(f"admin:distillations_{model}_changelist") + query
    except NoReverseMatch:
        return ""


def _tasks(status: str) -> str:
    return _list("generationtask", f"?status__exact={status}")


def _cards(running: Count, unhandled: dict[TaskStatus, Count], check: UsageCheck | None) -> Iterator[Card]:
    everything = Distillation.objects.all()
    yield Card(_("Distillations"), str(count_of(everything)), _list("distillation"))
    unused = count_of(everything.filter(usage_count=0))
    yield Card(_("Never used"), str(unused), _list("distillation", "?used=never"))
    yield Card(_("Open tasks"), str(running), _list("generationtask"), tone="info" if running else "neutral")
    failed, partial = unhandled[TaskStatus.FAILED], unhandled[TaskStatus.PARTIAL]
    yield Card(_("Failed, not handled"), str(failed), _tasks(TaskStatus.FAILED), tone="danger" if failed else "neutral")
    yield Card(
        _("Incomplete, not handled"), str(partial), _tasks(TaskStatus.PARTIAL), tone="warning" if partial else "neutral"
    )
    drifted = check.drifted if check else 0
    note = time_format(timezone.localtime(check.checked_at)) if check else _("not checked yet")
    drifted_list = _list("distillation", DRIFTED)
    yield Card(_("Drifted counters"), drifted, drifted_list, tone="danger" if drifted else "neutral", note=note)
    given_up = _given_up()
    if given_up is not None:
        yield Card(
            _("Given up under contention"), int(given_up.value), tone="warning" if _is_news(given_up) else "neutral"
        )


def _needs(unhandled: dict[TaskStatus, Count], check: UsageCheck | None) -> Iterator[Need]:
    if failed := unhandled[TaskStatus.FAILED]:
        text = ngettext(
            "%(count)s generation task failed and was not retried.",
            "%(count)s generation tasks failed and were not retried.",
            failed,
        )
        yield Need(text % {"count": failed}, _tasks(TaskStatus.FAILED), "danger")
    if partial := unhandled[TaskStatus.PARTIAL]:
        text = ngettext(
            "%(count)s generation task made fewer articles than were asked for.",
            "%(count)s generation tasks made fewer articles than were asked for.",
            partial,
        )
        yield Need(text % {"count": partial}, _tasks(TaskStatus.PARTIAL))
    if check is not None and check.drifted:
        text = ngettext(
            "%(count)s usage counter differs from the rows it counts; an administrator can repair it.",
            "%(count)s usage counters differ from the rows they count; an administrator can repair them.",
            check.drifted,
        )
        yield Need(text % {"count": check.drifted}, _list("distillation", DRIFTED), "danger")
    given_up = _given_up()
    if given_up is not None and _is_news(given_up):
        text = _("Requests gave up because too much went on at once, last at %(time)s; nothing was lost, repeat them.")
        yield Need(text % {"time": time_format(timezone.localtime(given_up.changed_at))}, reverse("admin:index"))
    yield from _stalled()


def _stalled() -> Iterator[Need]:
    """Tasks whose worker gives no sign of life; the reaper will find them."""
    for task in GenerationTask.objects.expired().order_by("id")[:STALLED_SHOWN]:
        if is_stalled(task):
            text = _("Generation task #%(id)s gives no sign of life.") % {"id": task.pk}
            yield Need(text, reverse("admin:distillations_generationtask_change", args=[task.pk]))


def _given_up() -> Any:
    """How many transactions lost every retry, and when the last one did; None when none ever has."""
    return Counter.objects.filter(name=CONTENTION).first()


def _is_news(counter: Counter) -> bool:
    return counter.changed_at is not None and timezone.now() - counter.changed_at < CONTENTION_IS_NEWS


def _live(task: Any) -> LiveRun:
    return LiveRun(
        title=_("Generation task #%(id)s “%(keyword)s”") % {"id": task.pk, "keyword": task.shown_keyword},
        url=reverse("admin:distillations_generationtask_change", args=[task.pk]),
        poll=POLL_PATH.format(task.pk),
        status=task.status,
        status_label=task.get_status_display(),
        progress=task.progress,
    )


def _chart() -> Chart:
    today = timezone.localdate()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS_SHOWN))]
    made = _made_until(days[0], days[-2]) | GeneratedArticle.objects.per_day(today, today)
    return Chart(
        title=_("Articles per day"),
        labels=[date_format(day, "m-d") for day in days],
        series=[Series(_("articles"), [made.get(day, 0) for day in days])],
        unit=_("articles"),
        url=_list("generatedarticle"),
    )


def _made_until(first: date, last: date) -> dict[date, int]:
    """Of days that are over, which nobody need count for every page."""
    key = f"articles-per-day-{first}-{last}"
    made: dict[date, int] | None = ask(lambda: cache.get(key), otherwise=None)
    if made is None:
        made = GeneratedArticle.objects.per_day(first, last)
        ask(lambda: cache.set(key, made, KEPT_SECONDS), otherwise=None)
    return made
