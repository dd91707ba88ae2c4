"""What learners do with a roadmap."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from llm.generator import Generated, generated_constraints
from roadmaps.models.contents import QuizMetadata
from roadmaps.models.roadmaps import Concept, Roadmap
from roadmaps.querysets import QuizAttemptQuerySet
from runs.querysets import ClockTimestamp


class ConceptProgress(models.Model):
    """Whether somebody has learnt a concept."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("learner")
    )
    concept = models.ForeignKey(Concept, on_delete=models.CASCADE, related_name="progress", verbose_name=_("concept"))
    is_completed = models.BooleanField(_("completed"), default=False)
    completed_at = models.DateTimeField(_("completed at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    class Meta:
        db_table = "concept_progress"
        verbose_name = _("progress")
        verbose_name_plural = _("progress")
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "concept"], name="progress_is_kept_once_per_learner"),
            models.CheckConstraint(
                condition=Q(is_completed=True, completed_at__isnull=False)
                | Q(is_completed=False, completed_at__isnull=True),
                name="progress_has_a_time_iff_completed",
                violation_error_message=_("What is completed says when."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}:{self.concept_id}"


class QuizAttempt(Generated):
    """One try at a quiz, with the questions as they were asked and who wrote them."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("learner")
    )
    roadmap = models.ForeignKey(Roadmap, on_delete=models.CASCADE, related_name="+", verbose_name=_("roadmap"))
    concept_id = models.CharField(_("concept"), max_length=32)
    quiz = models.ForeignKey(
        QuizMetadata, on_delete=models.SET_NULL, null=True, related_name="attempts", verbose_name=_("quiz")
    )
    questions = ExactJSONField(_("questions"))  # snapshot: the quiz may be made anew
    answers = ExactJSONField(_("answers"))
    total_questions = models.PositiveSmallIntegerField(_("questions in all"))
    correct_answers = models.PositiveSmallIntegerField(_("right answers"))
    score_percentage = models.DecimalField(_("percent"), max_digits=5, decimal_places=2)
    incorrect_question_indices = ExactJSONField(_("wrong answers"), default=list)
    created_at = models.DateTimeField(_("at"), db_default=ClockTimestamp(), editable=False)

    objects = QuizAttemptQuerySet.as_manager()

    class Meta:
        db_table = "quiz_attempt"
        verbose_name = _("try at a quiz")
        verbose_name_plural = _("tries at quizzes")
        default_permissions: ClassVar = ("view",)
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["roadmap", "concept_id", "user", "-id"], name="quizattempt_newest_of_learner")
        ]
        constraints: ClassVar = [
            *generated_constraints(),
            models.CheckConstraint(
                condition=Q(total_questions__gte=1, correct_answers__lte=models.F("total_questions")),
                name="quiz_attempt_counts_are_possible",
                violation_error_message=_("No more answers can be right than there are questions."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.roadmap_id}:{self.concept_id} {self.score_percentage} %"
