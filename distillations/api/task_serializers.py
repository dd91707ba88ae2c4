"""Generation tasks in JSON: the wish, the row, the whole."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers import JSONField, ModelSerializer, Serializer
from distillations.api.articles import ArticleRowSerializer
from distillations.api.shared import key, keys
from distillations.models import GeneratedArticle, GenerationSlot, GenerationTask
from distillations.models.tasks import MOST_ARTICLES
from distillations.services import GenerationOptions
from runs.api import RUN_FIELDS, RunErrorSerializer, RunSerializer


class GenerationRequestSerializer(Serializer):
    """A wish for articles; with a distillation all are made from its topics, without from the least used ones."""

    requested_count = serializers.IntegerField(min_value=1, max_value=MOST_ARTICLES, required=False)
    article_count = serializers.IntegerField(
        min_value=1, max_value=MOST_ARTICLES, required=False, help_text="The same by its older name; one is needed."
    )
    distillation_id = key(default=None, allow_null=True)
    conversion_target_id = key(default=None, allow_null=True)
    article_setting_id = key(default=None, allow_null=True)
    knowledge_base_id = key(default=None, allow_null=True)
    album_id = JSONField(required=False, allow_null=True, help_text="Has no effect.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = {attrs[name] for name in ("requested_count", "article_count") if name in attrs}
        if len(given) != 1:
            code, message = ("two-spellings", _("The number is given twice, with different values.")) if given else (
                "required", _("Say how many articles.")
            )  # fmt: skip
            raise serializers.ValidationError({"requested_count": [serializers.ErrorDetail(message, code=code)]})
        return attrs | {"requested_count": given.pop()}

    def as_options(self) -> GenerationOptions:
        """The validated wish in the service's words."""
        wish = dict(self.validated_data)
        return GenerationOptions(**{name: wish[name] for name in GenerationOptions.__dataclass_fields__})


class TaskIdsSerializer(Serializer):
    """Which tasks."""

    task_ids = keys()


class TaskRowSerializer(ModelSerializer):
    """A task in a list. The queryset must be with_keyword(), with_target_name() and with_sources()."""

    distillation_id = serializers.IntegerField(read_only=True, allow_null=True)
    keyword = serializers.CharField(
        source="shown_keyword", read_only=True, help_text="The distillation's; once that is deleted, as it was."
    )
    conversion_target_name = serializers.CharField(source="shown_target_name", read_only=True, allow_null=True)
    conversion_target_id = serializers.IntegerField(read_only=True, allow_null=True)
    provider = serializers.CharField(
        source="source_provider",
        read_only=True,
        allow_null=True,
        help_text="Who made the distillation's topics; null once it is deleted.",
    )
    distillation_result = serializers.CharField(
        source="first_question", read_only=True, allow_null=True, help_text="The topic of the first article."
    )
    keywords = serializers.SerializerMethodField(help_text="Of all its articles, each once.")
    distillation_deleted = serializers.BooleanField(source="is_orphaned", read_only=True)
    error_message = serializers.SerializerMethodField()

    class Meta:
        model = GenerationTask
        fields: tuple[str, ...] = (
            "id", "distillation_id", "status", "keyword", "conversion_target_name", "conversion_target_id", "progress",
            "generated_count", "requested_count", "created_at", "updated_at", "provider", "distillation_result",
            "keywords", "distillation_deleted", "error_message",
        )  # fmt: skip
        read_only_fields = fields

    def get_keywords(self, task: Any) -> list[str]:
        """In the order of the articles."""
        return list(dict.fromkeys(filter(None, task.slot_keywords or [task.shown_keyword])))

    def get_error_message(self, task: GenerationTask) -> str | None:
        """Why it failed or waits, in the reader's language; null when there is nothing to say."""
        return str(task.error_label) if task.error else None


class TaskAcceptedSerializer(TaskRowSerializer):
    """A task that was just asked for; its id also under the older name."""

    task_id = serializers.IntegerField(source="pk", read_only=True)

    class Meta(TaskRowSerializer.Meta):
        fields = ("task_id", *TaskRowSerializer.Meta.fields)
        read_only_fields = fields


class SlotSerializer(ModelSerializer):
    """One article to be, the distillation and topic it takes, and what became of it."""

    distillation_id = serializers.IntegerField(read_only=True, allow_null=True)
    keyword = serializers.CharField(source="shown_keyword", read_only=True)
    usage_count = serializers.IntegerField(
        source="source_usage", read_only=True, allow_null=True, help_text="Of its distillation, now."
    )
    topic_id = serializers.IntegerField(read_only=True, allow_null=True)
    article_id = serializers.IntegerField(read_only=True, allow_null=True)
    error = serializers.SerializerMethodField()

    class Meta:
        model = GenerationSlot
        fields = (
            "position", "status", "distillation_id", "keyword", "usage_count", "topic_id", "question", "article_id",
            "attempt", "error", "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(RunErrorSerializer(allow_null=True))
    def get_error(self, slot: GenerationSlot) -> dict[str, str] | None:
        """Null unless the article failed."""
        if not slot.error:
            return None
        return {"slug": slot.error, "text": str(slot.error_label), "detail": slot.error_text}


class GeneratedArticleSerializer(ArticleRowSerializer):
    """An article as the older console reads it."""

    class Meta(ArticleRowSerializer.Meta):
        model = GeneratedArticle
        fields = ("id", "title", "keyword", "image_url", "created_at", "generator")
        read_only_fields = fields


class TaskSerializer(RunSerializer, TaskRowSerializer):
    """A whole task. Beside the row's annotations it needs with_stalled(), `shown_slots` and `shown_articles`."""

    usage_count = serializers.IntegerField(
        source="source_usage", read_only=True, allow_null=True, help_text="Of the task's distillation, now."
    )
    article_setting_id = serializers.IntegerField(read_only=True, allow_null=True)
    knowledge_base_id = serializers.IntegerField(read_only=True, allow_null=True)
    slots = SlotSerializer(source="shown_slots", many=True, read_only=True)
    articles = ArticleRowSerializer(source="shown_articles", many=True, read_only=True)
    generated_articles = GeneratedArticleSerializer(source="shown_articles", many=True, read_only=True)

    class Meta(TaskRowSerializer.Meta):
        fields = (
            *TaskRowSerializer.Meta.fields,
            *(name for name in RUN_FIELDS if name not in TaskRowSerializer.Meta.fields),
            "mode", "article_setting_id", "article_setting_name", "knowledge_base_id", "knowledge_base_name",
            "usage_count", "slots", "articles", "generated_articles",
        )  # fmt: skip
        read_only_fields = fields
