"""Distillations, their topics and uses as programs see them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers import ModelSerializer, Serializer
from distillations.api.shared import BatchDeletedSerializer, DoneSerializer, keys
from distillations.keywords import LONGEST_KEYWORD, LONGEST_QUESTION, MOST_QUESTIONS
from distillations.models import Distillation, DistillationRun, GenerationSlot, Topic
from distillations.models.sources import DEFAULT_TOPICS, FEWEST_TOPICS, MOST_TOPICS
from distillations.querysets import BIGGEST_ID
from runs.api import RUN_FIELDS, RunSerializer

# --- What is asked for -------------------------------------------------------------------------


class DistilSerializer(Serializer):
    """A wish for the topics of a keyword."""

    keyword = serializers.CharField(max_length=LONGEST_KEYWORD)
    topic_count = serializers.IntegerField(min_value=FEWEST_TOPICS, max_value=MOST_TOPICS, default=DEFAULT_TOPICS)


class ManualSerializer(Serializer):
    """A keyword with the questions somebody thought of."""

    keyword = serializers.CharField(max_length=LONGEST_KEYWORD)
    questions = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_QUESTION, allow_blank=True),
        allow_empty=False,
        max_length=MOST_QUESTIONS,
        help_text="Blank and repeated ones are left out.",
    )


class RenameSerializer(Serializer):
    """Another keyword for a distillation."""

    keyword = serializers.CharField(max_length=LONGEST_KEYWORD)


class DistillationIdsSerializer(Serializer):
    """Which distillations."""

    distillation_ids = keys()


class ResetAllSerializer(Serializer):
    """How many uses who asks has seen, if that is to matter."""

    expected_total = serializers.IntegerField(
        min_value=0,
        max_value=BIGGEST_ID,
        default=None,
        allow_null=True,
        help_text="409 `uses-changed` with the `total` now, when there are not just so many uses.",
    )


# --- What is answered --------------------------------------------------------------------------


class DistillationSerializer(ModelSerializer):
    """A distillation with_stats(). Only a recommended one has a reason."""

    distillation_id = serializers.IntegerField(source="pk", read_only=True)
    provider_label = serializers.CharField(source="get_provider_display", read_only=True)
    last_used_at = serializers.DateTimeField(read_only=True, allow_null=True)
    is_recommended = serializers.BooleanField(
        read_only=True, help_text="One of the three least used of all that have topics."
    )
    recommend_reason = serializers.SerializerMethodField()
    recorded_count = serializers.IntegerField(
        read_only=True, help_text="Uses on record; where it differs from usageCount, the counter has drifted."
    )

    class Meta:
        model = Distillation
        fields = (
            "distillation_id", "keyword", "provider", "provider_label", "usage_count", "last_used_at", "topic_count",
            "created_at", "is_recommended", "recommend_reason", "recorded_count", "reserved_count",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_recommend_reason(self, row: Any) -> str | None:
        """In the reader's language."""
        return row.recommend_reason if row.is_recommended else None


class RecommendedSerializer(ModelSerializer):
    """One of the least used distillations that have topics."""

    distillation_id = serializers.IntegerField(source="pk", read_only=True)
    is_recommended = serializers.BooleanField(default=True, read_only=True)
    recommend_reason = serializers.CharField(read_only=True)

    class Meta:
        model = Distillation
        fields = ("distillation_id", "keyword", "usage_count", "topic_count", "is_recommended", "recommend_reason")
        read_only_fields = fields


class HistoryRowSerializer(serializers.ModelSerializer):
    """A row of the one list that existing forms read in snake_case."""

    class Meta:
        model = Distillation
        fields = ("id", "keyword", "provider", "created_at")
        read_only_fields = fields


class KeywordsSerializer(Serializer):
    """Keywords, newest first."""

    keywords = serializers.ListField(child=serializers.CharField())
    more = serializers.BooleanField(help_text="Whether there are older distillations than those looked at.")


class TopicSerializer(ModelSerializer):
    """A question."""

    class Meta:
        model = Topic
        fields = ("id", "question", "usage_count", "created_at")
        read_only_fields = fields


class UsageSerializer(Serializer):
    """One article that was made from a distillation."""

    id = serializers.IntegerField()
    task_id = serializers.IntegerField()
    article_id = serializers.IntegerField()
    article_title = serializers.CharField()
    used_at = serializers.DateTimeField()


class HistorySerializer(UsageSerializer):
    """The same, or what is left of it where the article was deleted."""

    id = serializers.IntegerField(allow_null=True)
    article_id = serializers.IntegerField(allow_null=True)
    article_title = serializers.CharField(allow_null=True)
    is_deleted = serializers.BooleanField(
        default=False, help_text="The article is deleted and no longer counts as a use."
    )

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """A use, or a slot whose article is gone."""
        return super().to_representation(
            _of_lost_article(instance) if isinstance(instance, GenerationSlot) else instance
        )


def _of_lost_article(slot: GenerationSlot) -> dict[str, Any]:
    return {
        "id": None,
        "task_id": slot.task_id,
        "article_id": None,
        "article_title": None,
        "used_at": slot.updated_at,
        "is_deleted": True,
    }


class DeletedSerializer(BatchDeletedSerializer):
    """What was deleted, and what was not there to be deleted."""

    missing_ids = serializers.ListField(child=serializers.IntegerField())


class ResetSerializer(DoneSerializer):
    """What the reset of one distillation forgot."""

    previous_count = serializers.IntegerField(min_value=0)
    deleted_records = serializers.IntegerField(min_value=0)


class AllResetSerializer(DoneSerializer):
    """What the reset of all distillations forgot."""

    affected = serializers.IntegerField(min_value=0)
    deleted_records = serializers.IntegerField(min_value=0)


class DriftSerializer(Serializer):
    """A usage count that differed from its rows."""

    distillation_id = serializers.IntegerField()
    old_count = serializers.IntegerField()
    new_count = serializers.IntegerField()


class RepairedSerializer(Serializer):
    """What a repair put right; a dry run: what it would."""

    fixed = serializers.IntegerField(min_value=0, help_text="Usage counts of distillations.")
    other_counters = serializers.IntegerField(
        min_value=0, help_text="Counters of topics, of topics' uses and of reservations among what was wrong."
    )
    errors = serializers.ListField(child=serializers.CharField())
    details = DriftSerializer(many=True, help_text="At most the first 1,000.")
    dry_run = serializers.BooleanField()
    checked = serializers.IntegerField(min_value=0, help_text="Distillations.")


class DistillationRunSerializer(RunSerializer):
    """A keyword on its way to topics. `distillationId` is there once it is completed."""

    distillation_id = serializers.IntegerField(read_only=True, allow_null=True)

    class Meta:
        model = DistillationRun
        fields = (*RUN_FIELDS, "keyword", "topic_count", "distillation_id")
        read_only_fields = fields
