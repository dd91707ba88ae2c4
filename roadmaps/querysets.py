"""Questions about roadmaps, their concepts, the tasks that make them, and what learners did."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models
from django.db.models import Case, Count, Exists, F, OuterRef, Prefetch, Q, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce

from api.bounded import narrowed
from roadmaps.choices import CONTENT_STEPS, TASK_STATUSES, ContentKind, ContentStatus, StepName
from runs.querysets import ClockTimestamp, RunQuerySet, seconds_from_now

SHORTEST_PART = 3  # characters; a trigram index finds nothing shorter


def _related(model: Any, name: str) -> Any:
    """The rows of the model at the other end of a relation, which no queryset may import."""
    return model._meta.get_field(name).related_model._default_manager


def sees_all(user: Any) -> bool:
    """Whether this user sees what belongs to others: administrators do."""
    return bool(user.is_active and user.has_perm("roadmaps.see_all_roadmaps"))


def _has(field: str, word: str) -> Q:
    """The word is part of the text or, below SHORTEST_PART, its beginning; both by the trigrams of UPPER(field)."""
    return Q(**{f"{field}__{'icontains' if len(word) >= SHORTEST_PART else 'istartswith'}": word})


class RoadmapQuerySet(models.QuerySet):
    """Questions about roadmaps."""

    def visible_to(self, user: Any) -> RoadmapQuerySet:
        """The user's own; all for an administrator."""
        return self.all() if sees_all(user) else self.filter(owner=user)

    def newest_first(self) -> RoadmapQuerySet:
        """In the order of lists."""
        return self.order_by("-created_at", "roadmap_id")

    def with_tasks(self) -> RoadmapQuerySet:
        """Each with its tasks, the newest first, and who made the tree (Roadmap.designed_by); without the trees."""
        tasks = _related(self.model, "tasks")
        frameworks = ("framework",), ("original_framework", "modified_framework")
        designs = [
            Prefetch(f"tasks__{name}", queryset=_related(tasks.model, name).defer(*long))
            for name, long in zip(("curricula", "edits"), frameworks, strict=True)
        ]
        return self.prefetch_related(Prefetch("tasks", queryset=tasks.order_by("-created_at")), *designs)

    def with_concept_count(self) -> RoadmapQuerySet:
        """Annotates `concept_count`."""
        return self.annotate(concept_count=_count(_related(self.model, "concepts").filter(roadmap=OuterRef("pk"))))

    def search(self, text: str) -> RoadmapQuerySet:
        """Of which every word is the id, or part of the title (its beginning, if it is short)."""
        found = self
        for word in text.split():
            found = narrowed(found, Q(pk=word), _has("title", word))
        return found

    def with_contents(self, user: Any) -> RoadmapQuerySet:
        """Annotates how many concepts there are, how many have all contents, how many lack one that failed, and how
        many this user has learnt."""
        concepts: Any = self.model._meta.get_field("concepts").related_model
        of_roadmap = concepts.objects.filter(roadmap=OuterRef("pk"))
        complete = {f"{kind}_status": ContentStatus.COMPLETED for kind in ContentKind.values}
        learnt = of_roadmap.filter(progress__user=user, progress__is_completed=True)
        return self.annotate(
            concept_count=_count(of_roadmap),
            complete_count=_count(of_roadmap.filter(**complete)),
            failed_count=_count(of_roadmap.with_failed_content()),
            learnt_count=_count(learnt),
        )

    def with_designer(self) -> RoadmapQuerySet:
        """Annotates who designed the tree: `designer_kind` and `designer_model`."""
        tasks: Any = self.model._meta.get_field("tasks").related_model
        designs: Any = tasks._meta.get_field("curricula").related_model
        newest = designs._default_manager.filter(task__roadmap=OuterRef("pk")).order_by("-created_at")
        return self.annotate(
            designer_kind=Subquery(newest.values("generator_kind")[:1]),
            designer_model=Subquery(newest.values("generator_model")[:1]),
        )


def _count(rows: models.QuerySet) -> Coalesce:
    """How many rows a correlated question finds."""
    counted = rows.order_by().values("roadmap").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0)


class ConceptQuerySet(models.QuerySet):
    """Questions about concepts."""

    def in_order(self) -> ConceptQuerySet:
        """As they are learnt."""
        return self.order_by("stage", "module", "position")

    def with_failed_content(self, *kinds: str) -> ConceptQuerySet:
        """Where at least one content failed, of these kinds or of any."""
        failed = Q()
        for kind in kinds or ContentKind.values:
            failed |= Q(**{f"{kind}_status": ContentStatus.FAILED})
        return self.filter(failed)

    def with_live_status(self) -> ConceptQuerySet:
        """Annotates `shown_tutorial`, `shown_resources` and `shown_quiz`: the stored status, and `generating` for a
        pending content while a task of the roadmap is open and at its contents."""
        roadmaps = self.model._meta.get_field("roadmap").related_model
        at_contents = _related(roadmaps, "tasks").filter(
            roadmap=OuterRef("roadmap"), status__in=TASK_STATUSES.open, current_step__in=CONTENT_STEPS.values()
        )
        return self.annotate(at_contents=Exists(at_contents)).annotate(
            **{
                f"shown_{kind}": Case(
                    When(
                        **{f"{kind}_status": ContentStatus.PENDING, "at_contents": True},
                        then=Value(ContentStatus.GENERATING.value),
                    ),
                    default=F(f"{kind}_status"),
                    output_field=models.CharField(),
                )
                for kind in ContentKind.values
            }
        )

    def with_progress_of(self, user: Any) -> ConceptQuerySet:
        """Annotates `learnt_at`: when this user completed it, or None."""
        progress = _related(self.model, "progress").filter(concept=OuterRef("pk"), user=user)
        return self.annotate(learnt_at=Subquery(progress.values("completed_at")))

    def make_pending(self, kinds: Iterable[ContentKind]) -> int:
        """Have these contents made (again); how many concepts that are."""
        values: dict[str, Any] = {f"{kind}_status": ContentStatus.PENDING for kind in kinds}
        values |= {f"{kind}_error": "" for kind in kinds}
        return self.update(**values, updated_at=ClockTimestamp())

    def states_of(self, roadmap_id: str) -> dict[str, dict[str, str]]:
        """Where every content of every concept of a roadmap stands: concept → kind → status, as they are learnt."""
        rows = self.filter(roadmap=roadmap_id).in_order()
        columns = [f"{kind}_status" for kind in ContentKind.values]
        return {
            concept: dict(zip(ContentKind.values, states, strict=True))
            for concept, *states in rows.values_list("concept_id", *columns)
        }


class HumanReviewQuerySet(models.QuerySet):
    """Questions about reviews by persons."""

    def of(self, task: models.Model, framework: dict[str, Any]) -> Any:
        """The latest review of exactly this tree; None when nobody has looked at it, or is to look again."""
        steps = _related(_related(self.model, "task").model, "steps")
        taken_back = steps.filter(
            run=OuterRef("task"),
            step=StepName.HUMAN_REVIEW,
            key=Cast(OuterRef("round"), models.CharField()),
            is_void=True,
        )
        return self.filter(~Exists(taken_back), task=task, framework=framework).order_by("-round").first()


class RoadmapTaskQuerySet(RunQuerySet):
    """Questions about roadmap tasks, beside those about every run."""

    def visible_to(self, user: Any) -> Any:
        """The user's own; all for an administrator."""
        return self if sees_all(user) else self.filter(requested_by=user)

    def newest_first(self) -> Any:
        """In the order of lists."""
        return self.order_by("-created_at", "task_id")

    def search(self, text: str) -> Any:
        """Of which every word is the id, or part of the wish (its beginning, if it is short)."""
        found = self
        for word in text.split():
            found = narrowed(found, *_ids(word), _has("user_request__query", word))
        return found

    def stuck(self, seconds: float) -> Any:
        """Begun, or asked for, longer ago than that, and no step was done since; those that wait for a person are
        not stuck."""
        before = seconds_from_now(-seconds)
        steps: Any = self.model._meta.get_field("steps").related_model
        moved = steps.objects.filter(run=OuterRef("pk"), updated_at__gte=before)
        return self.filter(
            Q(started_at__lt=before) | Q(started_at=None, updated_at__lt=before),
            ~Exists(moved),
            status__in=[self.statuses.queued, *self.statuses.active],
        )

    def incomplete(self) -> Any:
        """Ended without everything that was asked for."""
        return self.filter(status__in=[self.statuses.failed, self.statuses.cancelled, *self.statuses.more_final])

    def completed_without_contents(self) -> Any:
        """Called complete although a content of their roadmap is not there."""
        roadmaps = self.model._meta.get_field("roadmap").related_model
        lacking = Q()
        for kind in ContentKind.values:
            lacking |= ~Q(**{f"{kind}_status": ContentStatus.COMPLETED})
        concepts = _related(roadmaps, "concepts").filter(lacking, roadmap=OuterRef("roadmap"))
        return self.filter(Exists(concepts), status=TASK_STATUSES.completed)

    def waiting_since_before(self, moment: datetime) -> Any:
        """Parked for a person since before that moment."""
        return self.filter(status__in=TASK_STATUSES.waiting, updated_at__lt=moment)


def _ids(word: str) -> list[Q]:
    try:
        return [Q(pk=UUID(word))]
    except ValueError:
        return []


class OfConceptQuerySet(models.QuerySet):
    """Questions about contents of concepts."""

    def without_roadmap(self, before: datetime) -> OfConceptQuerySet:
        """Last changed before that moment, of roadmaps that were deleted."""
        roadmaps = apps.get_model("roadmaps", "Roadmap")._default_manager.filter(pk=OuterRef("roadmap_id"))
        return self.filter(~Exists(roadmaps), updated_at__lt=before)


class QuizAttemptQuerySet(models.QuerySet):
    """Questions about tries at quizzes."""

    def of(self, quiz: Any, user: Any) -> QuizAttemptQuerySet:
        """This user's tries at the quiz as it is now, not at one that stood there before."""
        return self.filter(quiz=quiz, user=user, created_at__gte=quiz.updated_at)
