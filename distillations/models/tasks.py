"""A wish for articles, and a place for each."""

from typing import Any, ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from distillations.choices import HOLDING, TASK_STATUSES, Mode, SlotStatus, TaskError, TaskStatus
from distillations.models.counters import (
    ENDED_TASKS_RESERVE_NOTHING,
    FAILED_WITH_ARTICLES_IS_PARTIAL,
    RESERVATIONS_ARE_COUNTED,
)
from distillations.models.materials import ArticleSetting, ConversionTarget, KnowledgeBase
from distillations.models.sources import Distillation, Topic
from distillations.querysets import GenerationSlotQuerySet, GenerationTaskQuerySet
from runs.choices import known_errors
from runs.models import Run, open_index, run_constraints
from runs.querysets import ClockTimestamp

MOST_ARTICLES = 100


class GenerationTask(Run):
    """So many articles, each from a distillation of its own (auto) or all from one (manual).

    Statuses and transitions are those of runs.models.Run, and one more of the database's own:
        running → partial    where it would have failed (or its worker says so) with some of its articles made
    `partial` is final. A task that has ended is never opened again: its retry is a new task for the missing
    articles, which the old one shows as superseded_by.
    """

    TASK: ClassVar[str] = "distillations.tasks.run_generation"
    QUEUE: ClassVar[str] = "llm"
    STATUSES = TASK_STATUSES
    ERRORS: ClassVar[type[models.TextChoices]] = TaskError

    status = models.CharField(_("status"), max_length=32, choices=TaskStatus, default=TaskStatus.PENDING)
    mode = models.CharField(_("mode"), max_length=8, choices=Mode, default=Mode.AUTO)
    requested_count = models.PositiveIntegerField(
        _("articles asked for"), validators=[MinValueValidator(1), MaxValueValidator(MOST_ARTICLES)]
    )
    generated_count = models.PositiveIntegerField(_("articles made"), default=0, db_default=0)
    distillation = models.ForeignKey(
        Distillation, on_delete=models.SET_NULL, null=True, related_name="tasks", verbose_name=_("distillation")
    )
    keyword = models.CharField(_("keyword"), max_length=255, blank=True)  # snapshot
    conversion_target = models.ForeignKey(
        ConversionTarget,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="tasks",
        verbose_name=_("conversion target"),
    )
    conversion_target_name = models.CharField(max_length=255, blank=True, default="", db_default="")  # snapshot
    article_setting = models.ForeignKey(
        ArticleSetting,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="tasks",
        verbose_name=_("article setting"),
    )
    article_setting_name = models.CharField(max_length=255, blank=True, default="", db_default="")  # snapshot
    knowledge_base = models.ForeignKey(
        KnowledgeBase,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="tasks",
        verbose_name=_("knowledge base"),
    )
    knowledge_base_name = models.CharField(max_length=255, blank=True, default="", db_default="")  # snapshot
    # stands for all the articles that came from elsewhere without a task
    is_imported = models.BooleanField(default=False, db_default=False, editable=False)

    objects = GenerationTaskQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        db_table = "generation_tasks"
        verbose_name = _("generation task")
        verbose_name_plural = _("generation tasks")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("run_generation", _("Can have articles written")),
            ("export_generationtask", _("Can export the list of generation tasks")),
        ]
        indexes: ClassVar = [
            open_index(TASK_STATUSES),
            models.Index(fields=["status", "id"], name="generationtask_by_status"),
            models.Index(fields=["-created_at", "-id"], name="generationtask_newest_first"),
            models.Index(fields=["status", "-created_at", "-id"], name="generationtask_newest_of"),
            GinIndex(OpClass(Upper("keyword"), name="gin_trgm_ops"), name="generationtask_keyword_then"),
            models.Index(
                fields=["conversion_target_name"],
                condition=Q(conversion_target=None) & ~Q(conversion_target_name=""),
                name="generationtask_lost_target",
            ),
            models.Index(fields=["mode", "-created_at", "-id"], name="generationtask_newest_mode"),
        ]
        constraints: ClassVar = [
            *run_constraints(TASK_STATUSES),
            models.CheckConstraint(
                condition=Q(is_imported=True) | Q(requested_count__gte=1, requested_count__lte=MOST_ARTICLES),
                name="generation_task_asks_for_1_to_100_articles",
                violation_error_message=_("A task asks for 1 to 100 articles."),
            ),
            models.CheckConstraint(
                condition=Q(is_imported=True) | Q(generated_count__lte=models.F("requested_count")),
                name="generation_task_makes_no_more_than_asked",
                violation_error_message=_("A task makes no more articles than it was asked for."),
            ),
            models.CheckConstraint(
                condition=~Q(status=TaskStatus.COMPLETED)
                | Q(is_imported=True)
                | Q(generated_count=models.F("requested_count")),
                name="generation_task_is_completed_with_every_article",
                violation_error_message=_("Fewer articles than asked for are no success."),
            ),
            models.UniqueConstraint(
                fields=["is_imported"],
                condition=Q(is_imported=True),
                name="one_task_stands_for_imported_articles",
                violation_error_message=_("There is a task for imported articles already."),
            ),
        ]
        triggers: ClassVar = [ENDED_TASKS_RESERVE_NOTHING, FAILED_WITH_ARTICLES_IS_PARTIAL]


class GenerationSlot(models.Model):
    """One article to be: which distillation and topic it takes, and what became of it."""

    task = models.ForeignKey(
        GenerationTask, on_delete=models.CASCADE, related_name="slots", verbose_name=_("task"), db_index=False
    )
    position = models.PositiveSmallIntegerField(_("position"))
    distillation = models.ForeignKey(
        Distillation, on_delete=models.SET_NULL, null=True, related_name="slots", verbose_name=_("distillation")
    )
    keyword = models.CharField(_("keyword"), max_length=255, blank=True)  # snapshot
    topic = models.ForeignKey(
        Topic, on_delete=models.SET_NULL, null=True, related_name="slots", verbose_name=_("topic")
    )
    question = models.TextField(_("question"), blank=True, default="", db_default="")  # snapshot
    is_auto = models.BooleanField(default=True, db_default=True, editable=False)  # of the task, for the constraint
    status = models.CharField(
        _("status"), max_length=16, choices=SlotStatus, default=SlotStatus.RESERVED, db_default=SlotStatus.RESERVED
    )
    token = models.BigIntegerField(_("fencing token"), null=True, editable=False)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0, db_default=0)
    error = models.CharField(_("error"), max_length=64, blank=True, default="", db_default="")
    error_text = models.TextField(_("details of the error"), blank=True, default="", db_default="")
    article = models.OneToOneField(
        "distillations.GeneratedArticle",
        on_delete=models.SET_NULL,
        null=True,
        related_name="slot",
        verbose_name=_("article"),
    )
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    objects = GenerationSlotQuerySet.as_manager()

    class Meta:
        verbose_name = _("slot")
        verbose_name_plural = _("slots")
        ordering: ClassVar = ["task_id", "position"]
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["topic"], condition=Q(status__in=HOLDING), name="slot_reserves_topic"),
            models.Index(
                fields=["distillation", "-updated_at", "-id"],
                condition=Q(status=SlotStatus.DONE, article=None),
                name="slot_without_its_article",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["task", "position"],
                name="one_slot_per_position_of_a_task",
                violation_error_message=_("This task has a slot in this position already."),
            ),
            models.UniqueConstraint(
                fields=["task", "distillation"],
                condition=Q(is_auto=True) & ~Q(status__in=[SlotStatus.FAILED, SlotStatus.RELEASED]),
                name="a_distillation_once_per_automatic_task",
                violation_error_message=_("This task uses this distillation already."),
            ),
            models.UniqueConstraint(
                fields=["task", "topic"],
                condition=~Q(status__in=[SlotStatus.FAILED, SlotStatus.RELEASED]),
                name="a_topic_once_per_task",
                violation_error_message=_("This task uses this topic already."),
            ),
            models.CheckConstraint(
                condition=Q(status__in=SlotStatus.values),
                name="slot_status_is_known",
                violation_error_message=_("This status does not exist."),
            ),
            models.CheckConstraint(
                condition=Q(status=SlotStatus.GENERATING, token__isnull=False)
                | Q(~Q(status=SlotStatus.GENERATING), token__isnull=True),
                name="slot_has_a_token_iff_being_written",
                violation_error_message=_("A slot has a token exactly while its article is being written."),
            ),
        ]
        triggers: ClassVar = RESERVATIONS_ARE_COUNTED

    def __str__(self) -> str:
        return f"{self.task_id}/{self.position}"

    @property
    def error_label(self) -> Any:
        """Why there is no article, in the reader's language; the slug itself if it has no translation."""
        known: tuple[type[models.TextChoices], ...] = (TaskError, *known_errors())
        for errors in known:
            if self.error in errors.values:
                return errors(self.error).label
        return self.error
