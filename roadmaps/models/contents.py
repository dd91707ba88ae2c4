"""What each concept gets: a tutorial with its versions, resources, a quiz."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from llm.generator import Generated, generated_constraints
from roadmaps.querysets import OfConceptQuerySet
from runs.querysets import ClockTimestamp


class OfConcept(Generated):
    """A content of a concept. Both are named without a foreign key, as document 004 has it."""

    roadmap_id = models.CharField(_("roadmap"), max_length=80)
    concept_id = models.CharField(_("concept"), max_length=32)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    objects = OfConceptQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.roadmap_id}:{self.concept_id}"


class TutorialMetadata(OfConcept):
    """A version of a concept's tutorial. A step that runs again in one retry writes the same version, the next retry of
    a person the next one."""

    version = models.PositiveSmallIntegerField(_("version"))
    retry = models.PositiveSmallIntegerField(_("retry"), default=0)  # of the task that wrote it
    is_latest = models.BooleanField(_("latest"), default=True)
    title = models.CharField(_("title"), max_length=255)
    summary = models.CharField(_("summary"), max_length=500, blank=True, default="")
    content = models.TextField(_("text"))  # Markdown
    estimated_completion_time = models.PositiveSmallIntegerField(_("minutes"), null=True)

    class Meta:
        db_table = "tutorial_metadata"
        verbose_name = _("tutorial")
        verbose_name_plural = _("tutorials")
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [
            *generated_constraints(),
            models.UniqueConstraint(
                fields=["roadmap_id", "concept_id", "version"], name="tutorial_has_each_version_once"
            ),
            models.UniqueConstraint(
                fields=["roadmap_id", "concept_id"],
                condition=Q(is_latest=True),
                name="tutorial_has_one_latest_version",
            ),
        ]


class ResourceRecommendationMetadata(OfConcept):
    """Where else to read about a concept."""

    resources = ExactJSONField(_("resources"))
    resources_count = models.PositiveSmallIntegerField(_("resources in all"))
    search_queries_used = ExactJSONField(_("searched for"), default=list)

    class Meta:
        db_table = "resource_recommendation_metadata"
        verbose_name = _("resources")
        verbose_name_plural = _("resources")
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [
            *generated_constraints(),
            models.UniqueConstraint(fields=["roadmap_id", "concept_id"], name="resources_are_kept_once_per_concept"),
        ]


class QuizMetadata(OfConcept):
    """Questions about a concept."""

    questions = ExactJSONField(_("questions"))
    total_questions = models.PositiveSmallIntegerField(_("questions in all"))
    easy_count = models.PositiveSmallIntegerField(_("easy"))
    medium_count = models.PositiveSmallIntegerField(_("medium"))
    hard_count = models.PositiveSmallIntegerField(_("hard"))

    class Meta:
        db_table = "quiz_metadata"
        verbose_name = _("quiz")
        verbose_name_plural = _("quizzes")
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [
            *generated_constraints(),
            models.UniqueConstraint(fields=["roadmap_id", "concept_id"], name="quiz_is_kept_once_per_concept"),
            models.CheckConstraint(
                condition=Q(total_questions=models.F("easy_count") + models.F("medium_count") + models.F("hard_count")),
                name="quiz_counts_its_questions",
                violation_error_message=_("The questions of a quiz are easy, medium or hard."),
            ),
        ]
