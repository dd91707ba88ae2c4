"""The home page: what every app wants an operator to see first.

An app names a function `(request) → Section | None` as `home` in its AppConfig. It leaves out what the
user may not view and returns None when nothing is left.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.module_loading import import_string
from django_celery_beat.models import PeriodicTask

from desk.badges import STATUS_TONES, Tone
from desk.charts import Chart


@dataclass(frozen=True)
class Card:
    """One number worth a glance, and where it leads."""

    label: str
    value: Any
    url: str = ""
    tone: Tone = "neutral"
    note: str = ""

    @property
    def shown(self) -> str:
        if isinstance(self.value, int | float):
            return number_format(self.value, force_grouping=True)
        return str(self.value)


@dataclass(frozen=True)
class Need:
    """Something only a person can settle, worded as a sentence, leading to where it is settled."""

    text: str
    url: str
    tone: Tone = "warning"


@dataclass(frozen=True)
class LiveRun:
    """A run under way; `poll` is its API address, which live.js asks for news."""

    title: str
    url: str
    poll: str
    status: str
    status_label: str
    progress: int | None = None

    @property
    def tone(self) -> Tone:
        return STATUS_TONES.get(self.status, "neutral")


@dataclass(frozen=True)
class Schedule:
    """A periodic task as the scheduler will see it next."""

    name: str
    url: str
    every: str
    enabled: bool
    last_run: datetime | None
    next_run: datetime | None

    @property
    def is_due(self) -> bool:
        """Within the next half minute: "in 0 minutes" is what timeuntil would say."""
        return self.next_run is not None and self.next_run <= timezone.now() + timedelta(seconds=30)


@dataclass(frozen=True)
class Section:
    """What one app shows."""

    title: str
    cards: Sequence[Card] = ()
    needs: Sequence[Need] = ()
    charts: Sequence[Chart] = ()
    runs: Sequence[LiveRun] = ()


@dataclass(frozen=True)
class Home:
    sections: list[Section] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)

    @property
    def needs(self) -> list[Need]:
        """The most pressing first."""
        needs = chain.from_iterable(section.needs for section in self.sections)
        return sorted(needs, key=lambda need: need.tone != "danger")

    @property
    def runs(self) -> list[LiveRun]:
        return list(chain.from_iterable(section.runs for section in self.sections))


def gather(request: HttpRequest) -> Home:
    """Ask every app in the order of INSTALLED_APPS."""
    return Home(sections=list(_sections(request)), schedules=_schedules(request))


def _sections(request: HttpRequest) -> Iterator[Section]:
    for config in apps.get_app_configs():
        path = getattr(config, "home", None)
        section = import_string(path)(request) if path else None
        if section is not None:
            yield section


def _schedules(request: HttpRequest) -> list[Schedule]:
    if not request.user.has_perm("django_celery_beat.view_periodictask"):
        return []
    tasks = (
        PeriodicTask.objects.exclude(task="celery.backend_cleanup")
        .select_related("interval", "crontab", "solar", "clocked")
        .order_by("-enabled", "name")
    )
    return [_schedule(task) for task in tasks]


def _schedule(task: PeriodicTask) -> Schedule:
    return Schedule(
        name=task.name,
        url=reverse("admin:django_celery_beat_periodictask_change", args=[task.pk]),
        every=str(task.interval or task.crontab or task.clocked or task.solar or ""),
        enabled=task.enabled,
        last_run=task.last_run_at,
        next_run=_next_run(task),
    )


def _next_run(task: PeriodicTask) -> datetime | None:
    """When the scheduler will ring next; None when it never will, or only the sun knows."""
    if not task.enabled or task.solar_id or (task.one_off and task.total_run_count):
        return None
    if task.clocked_id:
        return task.clocked.clocked_time
    now = timezone.now()
    # celery counts from the last run; a task that never ran is counted from now by beat itself
    since = task.last_run_at or now
    return now + task.schedule.remaining_estimate(since)
