"""How the commands of this room work on a task, and how they tell what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from config.shell import CANCELLED, FAILED
from roadmaps import workflow
from roadmaps.choices import TaskStatus
from roadmaps.models import Concept, RoadmapTask
from roadmaps.services import cancel_roadmap
from runs.errors import Conflict

LOOK_AGAIN_SECONDS = 1


def worked(task: RoadmapTask) -> RoadmapTask:
    """Work on it here, or watch a worker that was faster, until it has ended or waits for a person.

    Ctrl-C cancels it.
    """
    try:
        while True:
            workflow.run_roadmap(task.pk)
            task.refresh_from_db()
            if not task.is_open or task.status in task.STATUSES.waiting:
                return task
            time.sleep(LOOK_AGAIN_SECONDS)
    except KeyboardInterrupt:
        with suppress(Conflict):  # it ended in the same moment
            cancel_roadmap(task, actor="command")
        task.refresh_from_db()
        return task


def as_report(task: RoadmapTask) -> dict[str, Any]:
    """The task for a program."""
    return {
        "taskId": task.pk,
        "status": task.status,
        "currentStep": task.current_step,
        "roadmapId": task.roadmap_id,
        "attempt": task.retries + 1,
        "errorMessage": str(task.error_label) if task.error else None,
        "failedConcepts": task.failed_concepts,
        "summary": task.summary,
    }


def as_lines(task: RoadmapTask) -> Iterator[str]:
    """The task for a person."""
    yield f"{_('task'):>12}  {task.pk}"
    yield f"{_('status'):>12}  {task.get_status_display()}"
    if task.roadmap is not None:
        yield f"{_('roadmap'):>12}  {task.roadmap_id}  {task.roadmap.title}"
        yield f"{_('concepts'):>12}  {Concept.objects.filter(roadmap=task.roadmap_id).count()}"
    for concept in task.failed_concepts:
        yield f"{_('failed'):>12}  {concept}"
    if task.is_open and task.status not in task.STATUSES.waiting:
        yield _("A worker makes it. See manage.py generate_roadmap --wait, or the admin.")


def refuse_failure(task: RoadmapTask) -> None:
    """Leave with the exit code of a task that did not become what was wished for."""
    if task.is_open or task.status == TaskStatus.COMPLETED:
        return
    detail = f": {task.error_text}" if task.error_text else ""
    reason = f" ({task.error_label}{detail})" if task.error else ""
    message = _("The roadmap task ended as “%(status)s”%(reason)s.")
    facts = {"status": task.get_status_display(), "reason": reason}
    raise CommandError(message % facts, returncode=CANCELLED if task.status == TaskStatus.CANCELLED else FAILED)
