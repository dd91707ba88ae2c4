"""What learners do in JSON: progress and tries at quizzes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.serializers import JSONField, ModelSerializer, Serializer
from llm.api import GeneratorSerializer
from roadmaps.contracts import MOST_QUESTIONS
from roadmaps.models import QuizAttempt, Roadmap

MOST_OPTIONS = 8  # of a question


class ProgressRequestSerializer(Serializer):
    """Whether a concept was learnt."""

    is_completed = serializers.BooleanField()


class ProgressSerializer(Serializer):
    """Whether you have learnt a concept; of a concept with `learnt_at`."""

    concept_id = serializers.CharField()
    is_completed = serializers.SerializerMethodField()
    completed_at = serializers.DateTimeField(source="learnt_at", allow_null=True)

    def get_is_completed(self, concept: Any) -> bool:
        """What is completed says when."""
        return concept.learnt_at is not None


class RoadmapProgressSerializer(Serializer):
    """What you have learnt of a roadmap."""

    roadmap_id = serializers.CharField()
    total = serializers.IntegerField(help_text="Concepts.")
    completed = serializers.IntegerField()
    percent = serializers.IntegerField(help_text="Rounded down, so that 100 is all.")
    concepts = ProgressSerializer(many=True, help_text="As they are learnt.")

    @classmethod
    def of(cls, roadmap: Roadmap, concepts: list[Any]) -> RoadmapProgressSerializer:
        """For concepts with `learnt_at`."""
        completed = sum(concept.learnt_at is not None for concept in concepts)
        percent = 100 * completed // len(concepts) if concepts else 0
        facts = {"roadmap_id": roadmap.pk, "total": len(concepts), "completed": completed, "percent": percent}
        return cls(facts | {"concepts": concepts})


class AnswersSerializer(Serializer):
    """Answers to a quiz."""

    answers = serializers.ListField(
        child=serializers.ListField(
            child=serializers.IntegerField(min_value=0, max_value=MOST_OPTIONS - 1), max_length=MOST_OPTIONS
        ),
        max_length=MOST_QUESTIONS,
        help_text="For each question the places of the chosen options, from 0; none is a wrong answer.",
    )
    quiz_updated_at = serializers.DateTimeField(
        required=False, help_text="`updatedAt` of the quiz you have seen: refused when it was made anew since."
    )


class QuizAttemptSerializer(ModelSerializer):
    """A try at a quiz with its questions as they were; each is JSON as it was stored."""

    roadmap_id = serializers.CharField(read_only=True)
    questions = JSONField(read_only=True)
    answers = JSONField(read_only=True)
    incorrect_question_indices = JSONField(read_only=True, help_text="From 0.")
    generator = GeneratorSerializer(source="*", read_only=True, help_text="Who wrote the questions.")

    class Meta:
        model = QuizAttempt
        fields = (
            "id", "roadmap_id", "concept_id", "total_questions", "correct_answers", "score_percentage",
            "incorrect_question_indices", "answers", "questions", "generator", "created_at",
        )  # fmt: skip
        read_only_fields = fields
