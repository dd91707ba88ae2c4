"""Roadmaps and their concepts in JSON: the row, the tree, one concept with its contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers import JSONField, ModelSerializer, Serializer
from llm.api import GeneratorSerializer
from roadmaps.choices import ContentKind, ContentStatus, TaskStatus
from roadmaps.models import (
    Concept,
    QuizMetadata,
    ResourceRecommendationMetadata,
    Roadmap,
    RoadmapTask,
    TutorialMetadata,
)

ANSWERS = ("correct_answer", "explanation")  # what a question does not show before it was answered


class RoadmapRowSerializer(ModelSerializer):
    """A roadmap in a list; the queryset must be with_tasks() and with_concept_count()."""

    owner = serializers.CharField(source="owner.username", default=None, read_only=True, allow_null=True)
    concepts_in_all = serializers.IntegerField(source="concept_count", read_only=True)
    task_id = serializers.SerializerMethodField(help_text="Of the newest task; null without one.")
    task_status = serializers.SerializerMethodField()
    generator = GeneratorSerializer(
        source="designed_by", read_only=True, allow_null=True, help_text="Who made the tree; null while there is none."
    )

    class Meta:
        model = Roadmap
        fields: tuple[str, ...] = (
            "roadmap_id", "title", "total_estimated_hours", "recommended_completion_weeks", "concepts_in_all", "owner",
            "task_id", "task_status", "generator", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_task_id(self, roadmap: Roadmap) -> str | None:
        """As text."""
        task = _newest(roadmap)
        return str(task.pk) if task else None

    @extend_schema_field(serializers.ChoiceField(TaskStatus.choices, allow_null=True))
    def get_task_status(self, roadmap: Roadmap) -> str | None:
        """Where its making stands."""
        task = _newest(roadmap)
        return task.status if task else None


def _newest(roadmap: Roadmap) -> RoadmapTask | None:
    return next(iter(roadmap.tasks.all()), None)


class ContentStateSerializer(Serializer):
    """Where one content of a concept stands."""

    status = serializers.ChoiceField(
        ContentStatus.choices, help_text="`generating`: not there yet, while the task is at the contents."
    )
    error = serializers.CharField(allow_null=True, help_text="The slug of why it failed.")
    error_message = serializers.CharField(allow_null=True)


class ContentStatesSerializer(Serializer):
    """Where the contents of a concept stand."""

    tutorial = ContentStateSerializer()
    resources = ContentStateSerializer()
    quiz = ContentStateSerializer()


class ConceptRowSerializer(ModelSerializer):
    """A concept in the tree; the queryset must be with_live_status() and with_progress_of()."""

    contents = serializers.SerializerMethodField()
    completed_at = serializers.DateTimeField(
        source="learnt_at", read_only=True, allow_null=True, help_text="When you completed it."
    )

    class Meta:
        model = Concept
        fields: tuple[str, ...] = (
            "concept_id", "name", "description", "estimated_hours", "difficulty", "keywords", "prerequisites",
            "contents", "completed_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(ContentStatesSerializer)
    def get_contents(self, concept: Concept) -> dict[str, Any]:
        """Of each kind."""
        return {kind: _state(concept, kind) for kind in ContentKind.values}


def _state(concept: Concept, kind: str) -> dict[str, Any]:
    error = getattr(concept, f"{kind}_error")
    said = str(RoadmapTask.error_in_words(error)) if error else None
    return {"status": getattr(concept, f"shown_{kind}"), "error": error or None, "errorMessage": said}


class ModuleSerializer(Serializer):
    """Concepts that belong together."""

    module_id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    concepts = ConceptRowSerializer(many=True)


class StageSerializer(Serializer):
    """A part of the way."""

    stage_id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    order = serializers.IntegerField()
    modules = ModuleSerializer(many=True)


class RoadmapSerializer(RoadmapRowSerializer):
    """A roadmap with its tree. Beside the row's wants it needs `shown_concepts`."""

    design_rationale = serializers.SerializerMethodField()
    stages = serializers.SerializerMethodField(help_text="Empty while there is no tree.")

    class Meta(RoadmapRowSerializer.Meta):
        fields = (*RoadmapRowSerializer.Meta.fields, "design_rationale", "stages")
        read_only_fields = fields

    def get_design_rationale(self, roadmap: Roadmap) -> str:
        """Why it is made as it is."""
        return str(roadmap.framework.get("design_rationale", ""))

    @extend_schema_field(StageSerializer(many=True))
    def get_stages(self, roadmap: Any) -> Any:
        """Names of stages and modules are the tree's, all else is the concepts' own."""
        return StageSerializer(tree(roadmap.framework, roadmap.shown_concepts), many=True).data


def tree(framework: Mapping[str, Any], concepts: Sequence[Concept]) -> list[dict[str, Any]]:
    """The stored tree with the rows of its concepts in their places."""
    rows = {concept.concept_id: concept for concept in concepts}
    return [
        stage | {"modules": [_module(module, rows) for module in stage["modules"]]}
        for stage in framework.get("stages", [])
    ]


def _module(module: dict[str, Any], rows: Mapping[str, Concept]) -> dict[str, Any]:
    ids = [concept["concept_id"] for concept in module["concepts"]]
    return module | {"concepts": [rows[each] for each in ids if each in rows]}


class TutorialVersionSerializer(ModelSerializer):
    """A version of a tutorial, without its text."""

    generator = GeneratorSerializer(source="*", read_only=True)

    class Meta:
        model = TutorialMetadata
        fields: tuple[str, ...] = (
            "version", "is_latest", "title", "summary", "estimated_completion_time", "generator", "created_at",
            "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class TutorialSerializer(TutorialVersionSerializer):
    """A whole tutorial, in Markdown."""

    class Meta(TutorialVersionSerializer.Meta):
        fields = (*TutorialVersionSerializer.Meta.fields, "content")
        read_only_fields = fields


class ResourcesSerializer(ModelSerializer):
    """Where else to read; each resource is JSON as it was stored."""

    resources = JSONField(read_only=True)
    generator = GeneratorSerializer(source="*", read_only=True)

    class Meta:
        model = ResourceRecommendationMetadata
        fields = ("resources", "resources_count", "search_queries_used", "generator", "created_at", "updated_at")
        read_only_fields = fields


class QuizSerializer(ModelSerializer):
    """A quiz; each question is JSON as it was stored, its answer left out unless the context has `with_answers`."""

    questions = serializers.SerializerMethodField()
    with_answers = serializers.SerializerMethodField(help_text="Whether the questions say what is right, and why.")
    generator = GeneratorSerializer(source="*", read_only=True)

    class Meta:
        model = QuizMetadata
        fields = (
            "questions", "with_answers", "total_questions", "easy_count", "medium_count", "hard_count", "generator",
            "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(JSONField())
    def get_questions(self, quiz: QuizMetadata) -> list[dict[str, Any]]:
        """With or without what is right."""
        if self.get_with_answers(quiz):
            return list(quiz.questions)
        return [{name: value for name, value in each.items() if name not in ANSWERS} for each in quiz.questions]

    def get_with_answers(self, quiz: QuizMetadata) -> bool:
        """As the view decided."""
        return bool(self.context.get("with_answers"))


class ConceptSerializer(ConceptRowSerializer):
    """A concept with its contents, which the view found: `tutorial`, `versions`, `resources`, `quiz`, `generator`."""

    roadmap_id = serializers.CharField(read_only=True)
    generator = GeneratorSerializer(
        source="designed_by", read_only=True, allow_null=True, help_text="Who made the tree."
    )
    tutorial = TutorialSerializer(read_only=True, allow_null=True, help_text="The latest, or the version asked for.")
    tutorial_versions = TutorialVersionSerializer(many=True, read_only=True, help_text="The newest first.")
    resources = ResourcesSerializer(read_only=True, allow_null=True)
    quiz = QuizSerializer(read_only=True, allow_null=True)

    class Meta(ConceptRowSerializer.Meta):
        fields = (
            "roadmap_id", *ConceptRowSerializer.Meta.fields, "generator", "tutorial", "tutorial_versions", "resources",
            "quiz",
        )  # fmt: skip
        read_only_fields = fields


class KindsSerializer(Serializer):
    """Which contents are to be made anew; without any those that are not there."""

    kinds = serializers.ListField(
        child=serializers.ChoiceField(ContentKind.choices), min_length=1, max_length=len(ContentKind.values),
        required=False,
    )  # fmt: skip
