"""The verbs of services.py on every task of a selection: set-based, one audit event for the whole deed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Case, Value, When

from access.services import record
from llm.models import LLMCall
from roadmaps.choices import ContentKind, ContentStatus, RoadmapError, Strategy
from roadmaps.models import Concept, RoadmapStep, RoadmapTask
from roadmaps.services import HAD_CONTENTS, OF_STRUCTURE, REFUSED_BY_REVIEW, is_plannable, take_back_reviews
from roadmaps.wishes import Wish
from runs.services import ring
from runs.transactions import atomic_retried

RUNG = 100  # at once; the reaper rings for the others, as for every queued run that nobody rang for
NAMED = 1_000  # ids in an audit event


def retry_all(tasks: Any, *, actor: Any) -> int:
    """Have those of these tasks tried again that ended without all they were asked for, each as a retry without any
    choice goes: its contents that failed, or the step that did. How many; open and complete ones are left alone, and
    those whose topic nobody here can plan."""

    def reopen() -> int:
        locked = _locked(tasks.incomplete())
        keys = [task.pk for task in locked if is_plannable(Wish.from_json(task.user_request))]
        chosen = RoadmapTask.objects.filter(pk__in=keys)
        faulty = list(chosen.filter(error=RoadmapError.VALIDATION_FAILED).values_list("pk", flat=True))
        RoadmapStep.objects.filter(run__in=faulty, step__in=OF_STRUCTURE).make_void()
        refused = list(chosen.filter(error__in=REFUSED_BY_REVIEW).values_list("pk", flat=True))
        take_back_reviews(refused)
        LLMCall.objects.of_runs(RoadmapTask, [*faulty, *refused]).filter(usable=True).update(usable=False)
        for kind in ContentKind:
            failed = {f"{kind}_status": ContentStatus.FAILED}
            Concept.objects.filter(roadmap__in=chosen.values("roadmap"), **failed).make_pending([kind])
        recovery = Case(
            When(current_step__in=HAD_CONTENTS, then=Value(Strategy.CONTENT.value)),
            default=Value(Strategy.CHECKPOINT.value),
        )
        chosen.reopen_ended(of=RoadmapTask.STATUSES.final, recovery=recovery, failed_concepts=[], summary={})
        _note(keys, "roadmap.retried", actor)
        for task in chosen.order_by("pk")[:RUNG]:
            ring(task)
        return len(keys)

    return atomic_retried(reopen)


def cancel_all(tasks: Any, *, actor: Any) -> int:
    """End those of these tasks that are open; how many."""

    def cancel() -> int:
        keys = [task.pk for task in _locked(tasks.open())]
        RoadmapTask.objects.filter(pk__in=keys).cancel_open()
        _note(keys, "roadmaptask.cancelled", actor)
        return len(keys)

    return atomic_retried(cancel)


def _locked(tasks: Any) -> list[RoadmapTask]:
    locked = tasks.order_by("pk").select_related(None).select_for_update(no_key=True, of=("self",))
    return list(locked.only("pk", "user_request"))


def _note(keys: list[UUID], action: str, actor: Any) -> None:
    """One event; about the task where there is just one."""
    if len(keys) == 1:
        record(actor=actor, action=action, target=RoadmapTask.objects.get(pk=keys[0]))
    elif keys:
        after = {"tasks": len(keys), "first": [str(key) for key in keys[:NAMED]]}
        record(actor=actor, action=action, after=after, reference=(RoadmapTask._meta.label_lower, ""))
