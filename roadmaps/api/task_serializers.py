"""Roadmap tasks in JSON: the wish, the row, the whole, what a retry does."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers import JSONField, ModelSerializer, Serializer
from roadmaps.choices import Level, StepName, Strategy, TaskStatus
from roadmaps.history import steps_of
from roadmaps.models import RoadmapStep, RoadmapTask
from roadmaps.services import LONGEST_FEEDBACK, RetryWish
from roadmaps.wishes import LONGEST_QUERY, LONGEST_TEXT, MOST_FORMATS, MOST_HOURS, Wish
from runs.api import RunErrorSerializer, RunSerializer


def _text(**options: Any) -> serializers.CharField:
    return serializers.CharField(max_length=LONGEST_TEXT, required=False, allow_blank=True, **options)


class RoadmapPreferencesSerializer(Serializer):
    """How somebody wants to learn; what is left out has its default or, in a retry, stays."""

    level = serializers.ChoiceField(Level.choices, required=False, help_text="Without one: beginner.")
    hours_per_week = serializers.IntegerField(
        min_value=1, max_value=MOST_HOURS, required=False, help_text="Without a number: 6."
    )
    motivation = _text()
    background = _text(help_text="What is known already.")
    language = serializers.ChoiceField(
        [("zh", "zh"), ("en", "en")], required=False, help_text="Without one that of the query."
    )
    content_preference = serializers.ListField(
        child=serializers.CharField(max_length=50), max_length=MOST_FORMATS, required=False
    )
    deadline = serializers.DateField(required=False, allow_null=True)
    context = _text(help_text="Whatever else there is to say.")

    def to_internal_value(self, data: Any) -> Any:
        given = super().to_internal_value(data)
        if "content_preference" in given:
            given["content_preference"] = tuple(given["content_preference"])
        return given


class RoadmapWishSerializer(RoadmapPreferencesSerializer):
    """What somebody wants to learn."""

    query = serializers.CharField(max_length=LONGEST_QUERY)
    human_review = serializers.BooleanField(default=False, help_text="Wait for an approval before contents are made.")

    def as_wish(self) -> tuple[Wish, bool]:
        """The validated wish in the service's words, and whether a person is to review the tree."""
        given = dict(self.validated_data)
        human_review = given.pop("human_review")
        return Wish(**given), human_review


class RoadmapRetrySerializer(Serializer):
    """How a task is tried again; with an empty body: the contents that failed, or the step that did."""

    strategy = serializers.ChoiceField(Strategy.choices, required=False, allow_null=True)
    from_step = serializers.ChoiceField(StepName.choices, required=False, allow_null=True)
    query = serializers.CharField(max_length=LONGEST_QUERY, required=False)
    preferences = RoadmapPreferencesSerializer(required=False)

    def as_wish(self) -> RetryWish:
        """The validated wish in the service's words."""
        given = dict(self.validated_data)
        strategy, step = given.get("strategy"), given.get("from_step")
        changes = {**given.get("preferences", {}), **({"query": given["query"]} if "query" in given else {})}
        return RetryWish(Strategy(strategy) if strategy else None, StepName(step) if step else None, changes)


class RoadmapDecisionSerializer(Serializer):
    """What a person decided about a tree. A refusal without feedback ends the task."""

    approved = serializers.BooleanField()
    feedback = serializers.CharField(max_length=LONGEST_FEEDBACK, default="", allow_blank=True)


class RoadmapAcceptedSerializer(Serializer):
    """A task that was just asked for."""

    task_id = serializers.UUIDField(source="pk")
    status = serializers.ChoiceField(TaskStatus.choices)
    message = serializers.CharField()


class RoadmapRetriedSerializer(Serializer):
    """What a retry will do."""

    task_id = serializers.UUIDField(source="task.pk")
    status = serializers.ChoiceField(TaskStatus.choices, source="task.status")
    attempt = serializers.IntegerField(min_value=2, help_text="The first is 1.")
    recovery_type = serializers.ChoiceField(Strategy.choices)
    resumed_from = serializers.CharField(help_text="The first step that may have to run.")
    reused_steps = serializers.ListField(
        child=serializers.CharField(), help_text="Steps that are not run again where their input is the same."
    )
    items_to_retry = serializers.DictField(
        child=serializers.IntegerField(min_value=1), help_text="How many contents of each kind are missing."
    )


class ActiveTaskSerializer(Serializer):
    """The task that is at work on a roadmap; without one all but the first are null."""

    has_active_task = serializers.BooleanField()
    task_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(TaskStatus.choices, allow_null=True)
    current_step = serializers.CharField(allow_null=True)
    progress = serializers.IntegerField(allow_null=True)


class RoadmapTaskRowSerializer(RunSerializer):
    """A task in a list; the queryset must be with_stalled()."""

    task_id = serializers.UUIDField(read_only=True)
    roadmap_id = serializers.CharField(read_only=True, allow_null=True)
    query = serializers.CharField(source="user_request.query", read_only=True)
    current_step = serializers.CharField(read_only=True, help_text="Empty before the first.")
    attempt = serializers.SerializerMethodField(help_text="How often it was asked for; the first is 1.")
    recovery_type = serializers.SerializerMethodField(help_text="How the last retry went on; null without one.")
    error_message = serializers.SerializerMethodField()
    failed_concepts = JSONField(read_only=True)
    completed_at = serializers.DateTimeField(source="finished_at", read_only=True, allow_null=True)

    class Meta:
        model = RoadmapTask
        fields: tuple[str, ...] = (
            "task_id", "status", "stalled", "progress", "current_step", "roadmap_id", "query", "attempt",
            "recovery_type", "human_review", "error_message", "error", "failed_concepts", "requested_by", "created_at",
            "started_at", "heartbeat_at", "updated_at", "completed_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_attempt(self, task: RoadmapTask) -> int:
        """One more than its retries."""
        return task.retries + 1

    def get_recovery_type(self, task: RoadmapTask) -> str | None:
        """Null before the first retry."""
        return task.recovery or None

    def get_error_message(self, task: RoadmapTask) -> str | None:
        """Why it failed or waits, in the reader's language; null when there is nothing to say."""
        return str(task.error_label) if task.error else None


class ChangeSerializer(Serializer):
    """A value of a step's input that an earlier attempt had otherwise."""

    pointer = serializers.CharField(help_text="RFC 6901.")
    before = JSONField(allow_null=True)
    after = JSONField(allow_null=True)


class RoadmapStepSerializer(ModelSerializer):
    """What became of a step in one attempt of its task."""

    key = serializers.CharField(help_text="Which of several: a concept, or the round of a check or edit.")
    attempt = serializers.SerializerMethodField(help_text="Of the task.")
    runs = serializers.IntegerField(source="attempts", help_text="How often it was begun in that attempt.")
    error = serializers.SerializerMethodField()
    input_changes = ChangeSerializer(
        source="changes", many=True, allow_null=True,
        help_text="Against the attempt before: the first 20 values, long texts cut. Null where there was none.",
    )  # fmt: skip

    class Meta:
        model = RoadmapStep
        fields = (
            "step", "key", "attempt", "runs", "outcome", "is_void", "milliseconds", "tokens", "error", "input_changes",
            "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_attempt(self, step: RoadmapStep) -> int:
        """One more than the retries before."""
        return step.retry + 1

    @extend_schema_field(RunErrorSerializer(allow_null=True))
    def get_error(self, step: RoadmapStep) -> dict[str, str] | None:
        """Null unless it failed."""
        if not step.error:
            return None
        return {"slug": step.error, "text": str(RoadmapTask.error_in_words(step.error)), "detail": step.error_text}


class RoadmapTaskSerializer(RoadmapTaskRowSerializer):
    """A whole task with what became of its steps."""

    user_request = JSONField(read_only=True, help_text="The wish as it is stored.")
    summary = JSONField(read_only=True)
    steps = serializers.SerializerMethodField(help_text="As they happened, of every attempt.")

    class Meta(RoadmapTaskRowSerializer.Meta):
        fields = (*RoadmapTaskRowSerializer.Meta.fields, "user_request", "summary", "steps")
        read_only_fields = fields

    @extend_schema_field(RoadmapStepSerializer(many=True))
    def get_steps(self, task: RoadmapTask) -> Any:
        """Two queries, however many there are."""
        return RoadmapStepSerializer(steps_of(task), many=True).data
