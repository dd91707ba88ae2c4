"""What roadmaps show on the home page: to each user their own, to an administrator everybody's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from api.bounded import Count, count_of
from desk.home import Card, LiveRun, Need, Section
from roadmaps.choices import TaskStatus
from roadmaps.models import Roadmap, RoadmapTask

LIVE_SHOWN = 10
STUCK_SECONDS = 15 * 60
POLL_PATH = "/api/v1/roadmaps/tasks/{}"


def home(request: HttpRequest) -> Section | None:
    """The section of roadmaps; None for who may not see tasks."""
    user = request.user
    if not user.has_perm("roadmaps.view_roadmaptask"):
        return None
    tasks: Any = RoadmapTask.objects.visible_to(user)
    counts = {status: count_of(tasks.filter(status=status)) for status in TaskStatus}
    stuck = count_of(tasks.stuck(STUCK_SECONDS))
    running = tasks.filter(status__in=[TaskStatus.PENDING, TaskStatus.PROCESSING])
    return Section(
        title=_("Roadmaps"),
        cards=list(_cards(user, counts)),
        needs=list(_needs(counts, stuck)),
        runs=[_live(task) for task in running.order_by("-created_at", "task_id")[:LIVE_SHOWN]],
    )


def _tasks(**query: Any) -> str:
    address = reverse("admin:roadmaps_roadmaptask_changelist")
    return f"{address}?{urlencode(query)}" if query else address


def _cards(user: Any, counts: dict[TaskStatus, Count]) -> Iterator[Card]:
    roadmaps = count_of(Roadmap.objects.visible_to(user))
    yield Card(_("Roadmaps"), str(roadmaps), reverse("admin:roadmaps_roadmap_changelist"))
    running = counts[TaskStatus.PENDING] + counts[TaskStatus.PROCESSING]
    yield Card(_("Under way"), running, _tasks(), tone="info" if running else "neutral")
    waiting, failed = counts[TaskStatus.HUMAN_REVIEW_PENDING], counts[TaskStatus.FAILED]
    partial = counts[TaskStatus.PARTIAL_FAILURE]
    yield Card(
        _("Waiting for a review"),
        str(waiting),
        _tasks(status__exact=TaskStatus.HUMAN_REVIEW_PENDING.value),
        tone="warning" if waiting else "neutral",
    )
    yield Card(
        _("Failed"), str(failed), _tasks(status__exact=TaskStatus.FAILED.value), tone="danger" if failed else "neutral"
    )
    yield Card(
        _("Partly failed"),
        str(partial),
        _tasks(status__exact=TaskStatus.PARTIAL_FAILURE.value),
        tone="warning" if partial else "neutral",
    )


def _needs(counts: dict[TaskStatus, Count], stuck: Count) -> Iterator[Need]:
    if waiting := counts[TaskStatus.HUMAN_REVIEW_PENDING]:
        text = ngettext("%(count)s roadmap waits for a review.", "%(count)s roadmaps wait for a review.", waiting)
        yield Need(text % {"count": waiting}, _tasks(status__exact=TaskStatus.HUMAN_REVIEW_PENDING.value))
    if failed := counts[TaskStatus.FAILED]:
        text = ngettext("%(count)s roadmap failed.", "%(count)s roadmaps failed.", failed)
        yield Need(text % {"count": failed}, _tasks(status__exact=TaskStatus.FAILED.value), "danger")
    if partial := counts[TaskStatus.PARTIAL_FAILURE]:
        text = ngettext(
            "%(count)s roadmap lacks contents that failed.", "%(count)s roadmaps lack contents that failed.", partial
        )
        yield Need(text % {"count": partial}, _tasks(status__exact=TaskStatus.PARTIAL_FAILURE.value))
    if stuck:
        text = ngettext(
            "%(count)s roadmap has not moved for 15 minutes.",
            "%(count)s roadmaps have not moved for 15 minutes.",
            stuck,
        )
        yield Need(text % {"count": stuck}, _tasks(stuck=15), "danger")


def _live(task: RoadmapTask) -> LiveRun:
    return LiveRun(
        title=_("Roadmap “%(wish)s”") % {"wish": Truncator(str(task)).chars(60)},
        url=reverse("admin:roadmaps_roadmaptask_change", args=[task.pk]),
        poll=POLL_PATH.format(task.pk),
        status=task.status,
        status_label=task.get_status_display(),
        progress=task.progress,
    )
