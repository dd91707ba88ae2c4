"""A document on its way from a file to JSON."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from etl.documents.choices import DOCUMENT_STATUSES, DocumentError, DocumentStatus, Stage
from etl.documents.models.projects import EMPTY_OBJECT, ETLRule, Project, Table
from etl.documents.querysets import TaskQuerySet
from runs.models import RunWithSteps, StepRecord, open_index, run_constraints, step_constraints


class ETLTask(RunWithSteps):
    """One uploaded file and what became of it (document 002). `requested_by` is its user.

    Statuses: pending (queued), mineru_parsing (a worker has it; the hot store tells mineru_parsing from
    llm_processing), completed, failed, cancelled. Transitions are those of runs.models.Run; a retry opens the same
    task again, so that whoever polls it goes on polling the same id.
    """

    TASK: ClassVar[str] = "etl.tasks.run_document"
    QUEUE: ClassVar[str] = "etl"
    STATUSES = DOCUMENT_STATUSES
    ERRORS: ClassVar[type[models.TextChoices]] = DocumentError

    status = models.CharField(_("status"), max_length=32, choices=DocumentStatus, default=DocumentStatus.PENDING)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="tasks", verbose_name=_("project"))
    rule = models.ForeignKey(
        ETLRule, on_delete=models.SET_NULL, null=True, blank=True, related_name="tasks", verbose_name=_("rule")
    )
    rule_name = models.CharField(max_length=255, blank=True, default="", db_default="")  # snapshot
    filename = models.CharField(_("file name"), max_length=255)  # as uploaded; a file is never stored by it
    media = models.CharField(_("kind of file"), max_length=16)
    file = models.CharField(_("stored at"), max_length=255, editable=False)
    sha256 = models.CharField(_("SHA-256"), max_length=64, editable=False)
    size = models.PositiveBigIntegerField(_("bytes"), editable=False)
    remote_id = models.CharField(  # kept before it is polled, so that a resumed task polls and submits nothing twice
        _("id at the parsing server"), max_length=255, blank=True, default="", db_default="", editable=False
    )
    result: Any = ExactJSONField(_("result"), null=True, editable=False)
    error_stage = models.CharField(_("failed at"), max_length=16, choices=Stage, blank=True, default="", db_default="")
    metadata = ExactJSONField(_("metadata"), default=dict, db_default=EMPTY_OBJECT, blank=True)

    # a mount asked for at upload: the same wish made early
    mount_table = models.ForeignKey(
        Table, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("mount into")
    )
    mount_pointer = models.TextField(_("mount at"), blank=True, default="", db_default="")

    objects = TaskQuerySet.as_manager()  # type: ignore[assignment,misc]

    class Meta:
        db_table = "etl_task"
        verbose_name = _("document task")
        verbose_name_plural = _("document tasks")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("run_document", _("Can have documents read")),
            ("export_etltask", _("Can export the list of document tasks")),
        ]
        indexes: ClassVar = [
            open_index(DOCUMENT_STATUSES),
            models.Index(fields=["status", "id"], name="etltask_by_status"),
            models.Index(fields=["project", "-id"], name="etltask_newest_of_project"),
            models.Index(fields=["requested_by", "-id"], name="etltask_newest_of_user"),
        ]
        constraints: ClassVar = [
            *run_constraints(DOCUMENT_STATUSES),
            models.CheckConstraint(
                condition=~Q(status=DocumentStatus.COMPLETED) | Q(result__isnull=False),
                name="etl_task_completed_has_a_result",
                violation_error_message=_("A completed document has a result."),
            ),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"),
                name="etl_task_sha256_is_hex",
                violation_error_message=_("A file is known by its SHA-256."),
            ),
        ]

    def __str__(self) -> str:
        return self.filename


class DocumentStep(StepRecord):
    """What became of a stage of a task in one of its retries; `output` of reading tells where the text lies."""

    run = models.ForeignKey(
        ETLTask, on_delete=models.CASCADE, related_name="steps", verbose_name=_("task"), db_index=False
    )

    class Meta:
        db_table = "etl_task_step"
        verbose_name = _("step of a document")
        verbose_name_plural = _("steps of documents")
        ordering: ClassVar = ["retry", "id"]
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [*step_constraints()]
