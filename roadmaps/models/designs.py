"""What the steps before the contents store. One row per task or round, however often the step runs (runs.upsert).

`roadmap_id` stands without a foreign key, as document 004 has it: a step's row outlives its roadmap.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from llm.generator import Generated, generated_constraints
from roadmaps.choices import EditOrigin
from roadmaps.models.tasks import RoadmapTask
from roadmaps.querysets import HumanReviewQuerySet
from runs.querysets import ClockTimestamp


class OfTask(Generated):
    """A row that a step stores for its task."""

    roadmap_id = models.CharField(_("roadmap"), max_length=80, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


def _texts(label: Any) -> ArrayField:
    return ArrayField(models.TextField(), verbose_name=label, default=list, blank=True)


class IntentAnalysisMetadata(OfTask):
    """What a wish was understood to be (document 004)."""

    task = models.ForeignKey(
        RoadmapTask, on_delete=models.CASCADE, related_name="intents", verbose_name=_("task"), db_index=False
    )
    parsed_goal = models.TextField(_("goal"))
    key_technologies = _texts(_("technologies"))
    difficulty_profile = models.TextField(_("difficulty"), blank=True, default="")
    time_constraint = models.TextField(_("time"), blank=True, default="")
    recommended_focus = _texts(_("focus"))
    user_profile_summary = models.TextField(_("learner"), blank=True, default="")
    skill_gap_analysis = _texts(_("gaps"))
    personalized_suggestions = _texts(_("suggestions"))
    estimated_learning_path_type = models.CharField(_("kind of path"), max_length=32, blank=True, default="")
    content_format_weights = ExactJSONField(_("formats"), null=True)
    language_preferences = ExactJSONField(_("languages"), null=True)
    full_analysis_data = ExactJSONField(_("whole analysis"))

    class Meta:
        db_table = "intent_analysis_metadata"
        verbose_name = _("analysis of a wish")
        verbose_name_plural = _("analyses of wishes")
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [
            *generated_constraints(),
            models.UniqueConstraint(fields=["task"], name="ix_intent_analysis_metadata_task_id"),
        ]


class CurriculumDesignMetadata(OfTask):
    """The tree as it was designed first, before any edit."""

    task = models.ForeignKey(
        RoadmapTask, on_delete=models.CASCADE, related_name="curricula", verbose_name=_("task"), db_index=False
    )
    title = models.CharField(_("title"), max_length=255)
    total_estimated_hours = models.DecimalField(_("hours in all"), max_digits=7, decimal_places=1)
    recommended_completion_weeks = models.PositiveSmallIntegerField(_("weeks"))
    design_rationale = models.TextField(_("why so"), blank=True, default="")
    framework = ExactJSONField(_("tree"))

    class Meta:
        db_table = "curriculum_design_metadata"
        verbose_name = _("curriculum")
        verbose_name_plural = _("curricula")
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [
            *generated_constraints(),
            models.UniqueConstraint(fields=["task"], name="curriculum_design_is_kept_once_per_task"),
        ]


class StructureValidationRecord(OfTask):
    """What one round of checks found. Hard checks always decide; the soft part may not have been judged."""

    task = models.ForeignKey(
        RoadmapTask, on_delete=models.CASCADE, related_name="validations", verbose_name=_("task"), db_index=False
    )
    round = models.PositiveSmallIntegerField(_("round"))
    is_valid = models.BooleanField(_("valid"))
    soft_judged = models.BooleanField(_("judged by a model"), default=False)
    overall_score = models.DecimalField(_("score"), max_digits=4, decimal_places=1, null=True)
    dimension_scores = ExactJSONField(_("scores"), null=True)
    issues = ExactJSONField(_("issues"), default=list)
    validation_summary = models.TextField(_("summary"), blank=True, default="")

    class Meta:
        db_table = "structure_validation_record"
        verbose_name = _("check of a structure")
        verbose_name_plural = _("checks of structures")
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [
            *generated_constraints(),
            models.UniqueConstraint(fields=["task", "round"], name="structure_is_checked_once_per_round"),
            models.CheckConstraint(
                condition=Q(soft_judged=True) | Q(overall_score=None, dimension_scores=None),
                name="structure_has_scores_only_if_judged",
                violation_error_message=_("Scores are those of a model."),
            ),
        ]


class RoadmapEditRecord(OfTask):
    """What one edit changed."""

    task = models.ForeignKey(
        RoadmapTask, on_delete=models.CASCADE, related_name="edits", verbose_name=_("task"), db_index=False
    )
    round = models.PositiveSmallIntegerField(_("round"))
    origin = models.CharField(_("because"), max_length=16, choices=EditOrigin)
    feedback = models.TextField(_("what was asked for"), blank=True, default="")
    original_framework = ExactJSONField(_("tree before"))
    modified_framework = ExactJSONField(_("tree after"))
    modification_summary = models.TextField(_("what changed"), blank=True, default="")
    modified_node_ids = _texts(_("changed parts"))

    class Meta:
        db_table = "roadmap_edit_record"
        verbose_name = _("edit of a structure")
        verbose_name_plural = _("edits of structures")
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [
            *generated_constraints(),
            models.UniqueConstraint(fields=["task", "round"], name="roadmap_is_edited_once_per_round"),
            models.CheckConstraint(
                condition=Q(origin__in=EditOrigin.values),
                name="roadmap_edit_origin_is_known",
                violation_error_message=_("This origin does not exist."),
            ),
        ]


class HumanReview(models.Model):
    """What a person decided about a structure. The decision is made by RunQuerySet.unpark, which only one wins."""

    task = models.ForeignKey(
        RoadmapTask, on_delete=models.CASCADE, related_name="reviews", verbose_name=_("task"), db_index=False
    )
    round = models.PositiveSmallIntegerField(_("round"))
    approved = models.BooleanField(_("approved"))
    feedback = models.TextField(_("feedback"), blank=True, default="")
    framework = ExactJSONField(_("tree"))
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("at"), db_default=ClockTimestamp(), editable=False)

    objects = HumanReviewQuerySet.as_manager()

    class Meta:
        db_table = "human_review"
        verbose_name = _("review by a person")
        verbose_name_plural = _("reviews by persons")
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["task", "round"], name="structure_is_reviewed_once_per_round")
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
