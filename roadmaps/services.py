"""What people want of roadmaps: made, tried again, cancelled, reviewed, deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from access.services import record
from config.language_model import RULES
from llm.door import forget
from roadmaps import planner, prompts
from roadmaps.choices import CONTENT_STEPS, ContentKind, ContentStatus, RoadmapError, StepName, Strategy, TaskStatus
from roadmaps.models import Concept, HumanReview, Roadmap, RoadmapStep, RoadmapTask
from roadmaps.wishes import Wish
from runs.errors import Conflict, RunFailed
from runs.services import cancel, ring
from runs.transactions import atomic_retried

ORDER = (
    StepName.INTENT_ANALYSIS,
    StepName.CURRICULUM_DESIGN,
    StepName.STRUCTURE_VALIDATION,
    StepName.ROADMAP_EDIT,
    StepName.HUMAN_REVIEW,
    StepName.TUTORIAL,
    StepName.RESOURCES,
    StepName.QUIZ,
    StepName.FINALIZING,
)
CONTENTS = frozenset(CONTENT_STEPS.values())
HAD_CONTENTS = CONTENTS | {StepName.FINALIZING}
OF_STRUCTURE = (StepName.STRUCTURE_VALIDATION, StepName.ROADMAP_EDIT)
REFUSED_BY_REVIEW = (RoadmapError.REJECTED, RoadmapError.REVIEW_IN_VAIN)
LONGEST_FEEDBACK = 2_000


@dataclass(frozen=True)
class RetryWish:
    """How a task is tried again. Without anything: the contents that failed, or the step that did."""

    strategy: Strategy | None = None
    from_step: StepName | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)  # of the Wish: a new query, other preferences


@dataclass(frozen=True)
class Retried:
    """What a retry will do."""

    task: RoadmapTask
    recovery_type: Strategy
    resumed_from: str
    reused_steps: list[str]
    items_to_retry: dict[str, int]  # contents of each kind that are not there

    @property
    def attempt(self) -> int:
        """The first is 1."""
        return self.task.retries + 1


def request_roadmap(wish: Wish, *, human_review: bool = False, user: Any, actor: Any = None) -> RoadmapTask:
    """Queue a wish and ring for a worker. Raises ValidationError for a wish that cannot be stored, and for one that
    nobody here can plan."""
    checked = wish.checked()
    refuse_unplannable(checked)

    def create() -> RoadmapTask:
        task = RoadmapTask(user_request=checked.as_json(), human_review=human_review, requested_by=user)
        task.save(force_insert=True)
        record(actor=actor or user, action="roadmap.requested", target=task, after=task.user_request)
        ring(task)
        return task

    return atomic_retried(create)


def refuse_unplannable(wish: Wish) -> None:
    """Raise ValidationError, naming what is known, for a topic that rules do not know where they are all there is."""
    if settings.LLM_PROVIDER != RULES:
        return
    try:
        planner.intent(wish)
    except RunFailed as failure:
        raise ValidationError({"query": ValidationError(failure.text, code=failure.slug)}) from failure


def is_plannable(wish: Wish) -> bool:
    """Whether anybody here can plan it: the model, or the rules without one."""
    try:
        refuse_unplannable(wish)
    except ValidationError:
        return False
    return True


def retry_roadmap(task: RoadmapTask, wish: RetryWish, *, actor: Any) -> Retried:
    """Queue an ended task again under its own id; what was made before and still fits is used again.

    Raises Conflict while it is open ("already-running") and when there is nothing to do ("nothing-to-retry"),
    ValidationError for changes that make no wish, and for a wish that nobody here can plan.
    """

    def reopen() -> Retried:
        old = _locked(task.pk)
        missing = _missing(old)
        strategy = _strategy(old, wish, missing)
        _make_anew(old, strategy, wish)
        changed = Wish.from_json(old.user_request).changed(wish.changes) if wish.changes else None
        return _reopened(old, strategy, missing, changed=changed, actor=actor)

    return atomic_retried(reopen)


def retry_concept(roadmap: Roadmap, concept_id: str, kinds: Collection[ContentKind], *, actor: Any) -> Retried:
    """Have contents of one concept made anew, whatever became of them; nothing else is touched.

    Raises Conflict while the roadmap's task is open, or when it has none, ValidationError for an unknown concept.
    """

    def reopen() -> Retried:
        newest = RoadmapTask.objects.filter(roadmap=roadmap).order_by("-created_at").first()
        if newest is None:
            raise Conflict("no-task", _("This roadmap has no task that could make its contents."))
        old = _locked(newest.pk)
        concept = Concept.objects.filter(roadmap=roadmap, concept_id=concept_id)
        if not concept.make_pending(kinds):
            message = _("This concept does not exist.")
            raise ValidationError({"concept_id": ValidationError(message, code="does-not-exist")})
        steps = RoadmapStep.objects.of(old).filter(key=concept_id, step__in=[CONTENT_STEPS[kind] for kind in kinds])
        steps.make_void()
        forget(old)
        return _reopened(old, Strategy.CONTENT, _missing(old), changed=None, actor=actor)

    return atomic_retried(reopen)


def cancel_roadmap(task: RoadmapTask, *, actor: Any) -> None:
    """End an open task: its worker stops at its next step. Raises Conflict when it has ended already."""
    atomic_retried(lambda: cancel(task, actor=actor))


def decide(task: RoadmapTask, *, approved: bool, feedback: str = "", user: Any) -> RoadmapTask:
    """Approve the tree that waits for a review, or have it changed as `feedback` says.

    A rejection without feedback fails the task. Compare-and-set: of two quick decisions one counts and the other raises
    Conflict ("not-waiting"), as it does for a task that waits for nobody.
    """
    feedback = feedback.strip()
    if len(feedback) > LONGEST_FEEDBACK:
        message = _("Feedback has at most %(most)s characters.") % {"most": LONGEST_FEEDBACK}
        raise ValidationError({"feedback": ValidationError(message, code="too-long")})

    def settle() -> RoadmapTask:
        if not RoadmapTask.objects.unpark(task.pk):
            raise Conflict("not-waiting", _("This task does not wait for a review."))
        waiting = RoadmapTask.objects.select_related("roadmap").get(pk=task.pk)
        assert waiting.roadmap is not None  # the intent step drew it long before
        review = HumanReview.objects.create(
            task=waiting,
            round=HumanReview.objects.filter(task=waiting).count() + 1,
            approved=approved,
            feedback=feedback,
            framework=waiting.roadmap.framework,
            reviewed_by=user,
        )
        action = "roadmap.approved" if approved else "roadmap.rejected"
        record(actor=user, action=action, target=waiting, after={"round": review.round, "feedback": feedback})
        ring(waiting)
        return waiting

    return atomic_retried(settle)


def delete_roadmap(roadmap: Roadmap, *, actor: Any) -> None:
    """Delete a roadmap with its concepts and what was learnt in it. Raises Conflict while a task works on it."""

    def delete() -> None:
        if RoadmapTask.objects.open().filter(roadmap=roadmap).exists():
            raise Conflict("already-running", _("A task still works on this roadmap; cancel it first."))
        locked = Roadmap.objects.select_for_update().get(pk=roadmap.pk)
        record(actor=actor, action="roadmap.deleted", target=locked, before={"title": locked.title})
        locked.delete()

    atomic_retried(delete)


def _locked(pk: Any) -> RoadmapTask:
    task = RoadmapTask.objects.select_for_update(no_key=True).get(pk=pk)
    if task.is_open:
        raise Conflict("already-running", _("This task has not ended yet."))
    return task


def _missing(task: RoadmapTask) -> dict[str, int]:
    """How many contents of each kind its roadmap lacks."""
    states = Concept.objects.states_of(task.roadmap_id or "")
    counts = {
        kind: sum(each[kind] != ContentStatus.COMPLETED for each in states.values()) for kind in ContentKind.values
    }
    return {kind: count for kind, count in counts.items() if count}


def _strategy(task: RoadmapTask, wish: RetryWish, missing: Mapping[str, int]) -> Strategy:
    """How to go on. Raises Conflict when nothing is left to do."""
    had_contents = task.current_step in HAD_CONTENTS
    strategy = wish.strategy or (
        Strategy.CONTENT if had_contents and not wish.from_step and not wish.changes else Strategy.CHECKPOINT
    )
    if strategy == Strategy.CONTENT and not had_contents:
        raise Conflict("no-contents-yet", _("This roadmap has no contents yet; go on at the step that failed."))
    asks_for_more = strategy == Strategy.RESTART or wish.from_step or wish.changes
    # with all contents and no end, as after a cancel, the finalizing is what is missing
    if task.status == TaskStatus.COMPLETED and not missing and not asks_for_more:
        raise Conflict("nothing-to-retry", _("Everything of this roadmap was made."))
    return strategy


def _make_anew(task: RoadmapTask, strategy: Strategy, wish: RetryWish) -> None:
    """Make void what is to be made again although its input is the same, and let a model be asked about it again."""
    steps: Collection[StepName] = ()
    if strategy == Strategy.RESTART or _lost_its_roadmap(task):
        steps = ORDER
    elif wish.from_step is not None:
        steps = ORDER[ORDER.index(wish.from_step) :]
    elif task.error == RoadmapError.VALIDATION_FAILED:
        steps = OF_STRUCTURE  # or three edits that failed would fail again unread
    elif task.error in REFUSED_BY_REVIEW:
        take_back_reviews([task.pk])
        forget(task, prompts.EDIT)
    if steps:
        RoadmapStep.objects.of(task).filter(step__in=[step.value for step in steps]).make_void()
        forget(task)
    anew = [kind for kind, step in CONTENT_STEPS.items() if step in steps]
    if anew:
        Concept.objects.filter(roadmap=task.roadmap_id).make_pending(anew)
    for kind in ContentKind:
        failed = Concept.objects.filter(roadmap=task.roadmap_id, **{f"{kind}_status": ContentStatus.FAILED})
        failed.make_pending([kind])


def take_back_reviews(tasks: Collection[UUID]) -> None:
    """Have the last review of each of these tasks made once more, and the edits that followed it: unread, what was
    refused would be refused again."""
    reviews = RoadmapStep.objects.filter(run=OuterRef("run"), step=StepName.HUMAN_REVIEW).order_by("-retry", "-id")
    since = RoadmapStep.objects.filter(run__in=tasks, pk__gte=Subquery(reviews.values("pk")[:1]))
    since.filter(step__in=[StepName.HUMAN_REVIEW, StepName.ROADMAP_EDIT]).make_void()


def _lost_its_roadmap(task: RoadmapTask) -> bool:
    """Whether its roadmap was deleted: what its steps made hangs on nothing then."""
    return task.roadmap_id is None and RoadmapStep.objects.of(task).usable().exists()


def _reopened(
    old: RoadmapTask, strategy: Strategy, missing: dict[str, int], *, changed: Wish | None, actor: Any
) -> Retried:
    values: dict[str, Any] = {"recovery": strategy, "failed_concepts": [], "summary": {}}
    refuse_unplannable(changed or Wish.from_json(old.user_request))
    if changed is not None:
        values["user_request"] = changed.as_json()
    RoadmapTask.objects.reopen(old.pk, of=RoadmapTask.STATUSES.final, **values)
    task = RoadmapTask.objects.get(pk=old.pk)
    record(
        actor=actor,
        action="roadmap.retried",
        target=task,
        before={"status": old.status, "error": old.error, "wish": old.user_request},
        after={"recoveryType": strategy.value, "wish": task.user_request, "attempt": task.retries + 1},
    )
    ring(task)
    reused = _usable_steps(task) if task.user_request == old.user_request else set()
    in_order = [step.value for step in ORDER if step.value in reused and step != StepName.FINALIZING]
    return Retried(task, strategy, _first_step(old, strategy, reused, missing), in_order, missing)


def _usable_steps(task: RoadmapTask) -> set[str]:
    return set(RoadmapStep.objects.of(task).usable().values_list("step", flat=True))


def _first_step(old: RoadmapTask, strategy: Strategy, reused: Collection[str], missing: Collection[str]) -> str:
    """Where the work begins, as far as can be told before."""
    if strategy == Strategy.CONTENT:
        lacking = [CONTENT_STEPS[kind].value for kind in ContentKind if kind.value in missing]
        return lacking[0] if lacking else StepName.FINALIZING.value
    if old.error in REFUSED_BY_REVIEW and StepName.HUMAN_REVIEW in reused:
        return StepName.HUMAN_REVIEW.value  # earlier reviews stand, the last does not
    only_if_needed = {StepName.ROADMAP_EDIT} | (set() if old.human_review else {StepName.HUMAN_REVIEW})
    return next((step.value for step in ORDER if step.value not in reused and step not in only_if_needed), "")
