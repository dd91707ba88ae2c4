"""Screens of runs: what every kind of run shares, and the schedules that start them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_celery_beat.admin import PeriodicTaskAdmin
from django_celery_beat.models import PeriodicTask

from access.admin import Audited
from access.services import record
from desk.admin import OpsList, ReadOnlyAdmin
from desk.badges import badge, meter, number, status_badge
from desk.object_actions import Context, object_action
from runs.errors import Conflict
from runs.models import Run
from runs.services import cancel


class SupersededFilter(admin.SimpleListFilter):
    """Hides what a later run has taken over, unless one asks for it: a handled failure is no news."""

    title = gettext_lazy("taken over")
    parameter_name = "taken_over"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", _("Show")), ("only", _("Only these"))]

    def choices(self, changelist: Any) -> Iterator[Any]:
        hidden, *others = super().choices(changelist)
        yield {**hidden, "display": _("Hide")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "all":
            return queryset
        return queryset.filter(superseded_by__isnull=self.value() != "only")


class RunAdmin(ReadOnlyAdmin):
    """A kind of run: a list that tells how each went, and a page that moves while it works."""

    list_display = (
        "name",
        "status_mark",
        "progress_meter",
        "requested_by",
        "started",
        "duration",
        "speed",
    )
    list_filter = ("status", SupersededFilter)
    list_select_related = ("requested_by", "superseded_by")
    ordering = ("-id",)
    sortable_by = ()
    object_actions = ["cancel_run"]
    change_form_template = "runs/run.html"

    # the API address of one run, asked every two seconds while it is open; the page without it stands still
    poll_path: ClassVar[str] = ""
    cancel_permission: ClassVar[str]  # whoever may start this kind of run may end it

    def poll(self, run: Run) -> str:
        return self.poll_path.format(run.pk) if self.poll_path and run.is_open else ""

    @object_action(
        label=gettext_lazy("Cancel the run"),
        permission=lambda admin: admin.cancel_permission,
        confirm=gettext_lazy("What is committed stays; the step under way is dropped."),
        tone="danger",
        when=lambda run: run.is_open,
    )
    def cancel_run(self, request: HttpRequest, run: Run) -> None:
        try:
            cancel(run, actor=request.user)
        except Conflict as conflict:
            self.message_user(request, conflict.message, messages.WARNING)
        else:
            self.message_user(request, _("%(run)s was cancelled.") % {"run": capfirst(str(run))})

    def page_context(self, run: Run) -> Context:
        return {
            "title": capfirst(str(run)),
            "poll": self.poll(run),
            "status_mark": self.status_mark(run),
            "status_marks": {
                status: self.status_badge(run, status, label)
                for status, label in run._meta.get_field("status").flatchoices
            },
            "duration": self.duration(run),
        }

    @admin.display(description=gettext_lazy("run"))
    def name(self, run: Run) -> str:
        return f"#{run.pk}"

    def status_badge(self, run: Run, status: str, label: Any, title: str = "") -> SafeString:
        """One of the statuses of this kind of run; each word for being worked on looks the same."""
        return badge(label, "info", title) if status in run.STATUSES.active else status_badge(status, label, title)

    @admin.display(description=gettext_lazy("status"))
    def status_mark(self, run: Run) -> SafeString:
        """The status, how often it was tried, why it failed and who took over: one glance, no click."""
        mark = self.status_badge(run, run.status, run.get_status_display(), str(run.error_label))
        if is_stalled(run):
            mark = format_html("{} {}", mark, badge(_("stalled"), "warning", _("No sign of life of its worker")))
        if run.attempt > 1:  # an attempt that makes progress sets the count back to 0
            tried = _("attempt %(attempt)s of %(most)s") % {"attempt": run.attempt, "most": run.max_attempts}
            mark = format_html('{}<span class="under">{}</span>', mark, tried)
        if run.error:
            mark = format_html('{}<span class="under">{}</span>', mark, run.error_label)
        if (later := run.superseded_by) is not None:
            followed = _("taken over by #%(id)s") % {"id": later.pk}
            mark = format_html('{}<span class="under">{}</span>', mark, followed)
        return mark

    @admin.display(description=gettext_lazy("progress"))
    def progress_meter(self, run: Run) -> SafeString | str:
        """A bar only while it moves."""
        return meter(run.progress) if run.is_open else f"{run.progress} %"

    @admin.display(description=gettext_lazy("started"))
    def started(self, run: Run) -> str | None:
        started = run.started_at
        return date_format(timezone.localtime(started), "SHORT_DATETIME_FORMAT") if started else None

    @admin.display(description=gettext_lazy("took"))
    def duration(self, run: Run) -> str | None:
        if run.started_at is None:
            return None
        return span((run.finished_at or timezone.now()) - run.started_at)

    @admin.display(description=gettext_lazy("rows/s"))
    def speed(self, run: Run) -> str | None:
        per_second = getattr(run, "rows_per_second", None)
        return number(round(per_second)) if per_second else None


def audited_action(name: str) -> Callable[..., None]:
    """One of beat's bulk actions, for those who may change schedules, and on record."""
    original = getattr(PeriodicTaskAdmin, name)

    @admin.action(description=original.short_description, permissions=["change"])
    def action(self: PeriodicTaskAdmin, request: HttpRequest, schedules: QuerySet) -> None:
        with transaction.atomic():
            for schedule in schedules:
                record(actor=request.user, action=f"schedule.{name.removesuffix('_tasks')}", target=schedule)
            original(self, request, schedules)

    return action


admin.site.unregister(PeriodicTask)


@admin.register(PeriodicTask)
class ScheduleAdmin(Audited, OpsList, PeriodicTaskAdmin):
    """Schedules. Beat's bulk actions name no permission: whoever may look could run and disable tasks."""

    noun = "schedule"
    enable_tasks = audited_action("enable_tasks")
    disable_tasks = audited_action("disable_tasks")
    toggle_tasks = audited_action("toggle_tasks")
    run_tasks = audited_action("run_tasks")


def is_stalled(run: Run) -> bool:
    """Held by a worker whose lease has run out; the reaper will find it."""
    return run.lease_until is not None and run.lease_until < timezone.now()


def span(length: timedelta) -> str:
    """A duration in its two largest units: 1 h 5 min, 3 min 20 s, 12 s."""
    seconds = max(0, round(length.total_seconds()))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if seconds >= 2 * 86400:
        days = seconds // 86400
        return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}
    if hours:
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return _("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": seconds % 60}
    return _("%(seconds)s s") % {"seconds": seconds}
