"""The workflow of one wish, and what became of each of its steps."""

import uuid
from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from roadmaps.choices import TASK_STATUSES, RoadmapError, StepName, Strategy, TaskStatus
from roadmaps.models.roadmaps import EMPTY_OBJECT, Roadmap
from roadmaps.querysets import RoadmapTaskQuerySet
from runs.models import RunWithSteps, StepRecord, run_constraints, step_constraints

EMPTY_LIST = models.Value([], output_field=ExactJSONField())


class RoadmapTask(RunWithSteps):
    """A wish on its way to a roadmap (document 004). `requested_by` is its user.

    Statuses: pending, processing, human_review_pending (parked until somebody decides), completed, partial_failure
    (some contents failed; final), failed, cancelled. Transitions are those of runs.models.Run; a retry opens the same
    task again.
    """

    TASK: ClassVar[str] = "roadmaps.tasks.run_roadmap"
    QUEUE: ClassVar[str] = "llm"
    STATUSES = TASK_STATUSES
    ERRORS: ClassVar[type[models.TextChoices]] = RoadmapError

    task_id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(_("status"), max_length=32, choices=TaskStatus, default=TaskStatus.PENDING)
    user_request = ExactJSONField(_("wish"))  # {query, level, hoursPerWeek, …}: roadmaps.wishes
    human_review = models.BooleanField(_("with a review"), default=False, db_default=False)
    current_step = models.CharField(_("step"), max_length=32, choices=StepName, blank=True, default="", db_default="")
    roadmap = models.ForeignKey(
        Roadmap, on_delete=models.SET_NULL, null=True, related_name="tasks", verbose_name=_("roadmap")
    )
    recovery = models.CharField(
        _("retried how"), max_length=16, choices=Strategy, blank=True, default="", db_default=""
    )
    failed_concepts = ExactJSONField(_("failed concepts"), default=list, db_default=EMPTY_LIST)
    summary = ExactJSONField(_("summary"), default=dict, db_default=EMPTY_OBJECT)

    objects = RoadmapTaskQuerySet.as_manager()  # type: ignore[assignment,misc]

    class Meta:
        db_table = "roadmap_tasks"
        verbose_name = _("roadmap task")
        verbose_name_plural = _("roadmap tasks")
        ordering: ClassVar = ["-created_at", "task_id"]
        permissions: ClassVar = [
            ("run_roadmap", _("Can have roadmaps made")),
            ("export_roadmaptask", _("Can export the list of roadmap tasks")),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["task_id"], condition=Q(status__in=sorted(TASK_STATUSES.open)), name="roadmaptask_open"
            ),
            models.Index(fields=["status", "-created_at", "task_id"], name="roadmaptask_by_status"),
            models.Index(fields=["requested_by", "-created_at", "task_id"], name="roadmaptask_newest_of_user"),
            models.Index(fields=["-created_at", "task_id"], name="roadmaptask_newest_first"),
            GinIndex(
                OpClass(Upper(KeyTextTransform("query", "user_request")), name="gin_trgm_ops"),
                name="roadmaptask_query_parts",
            ),
        ]
        constraints: ClassVar = [*run_constraints(TASK_STATUSES)]

    def __str__(self) -> str:
        return str(self.user_request.get("query", ""))[:80] or str(self.pk)


class RoadmapStep(StepRecord):
    """What became of a step of a task in one of its retries."""

    run = models.ForeignKey(
        RoadmapTask,
        on_delete=models.CASCADE,
        related_name="steps",
        db_column="task_id",
        db_index=False,
        verbose_name=_("task"),
    )

    class Meta:
        db_table = "step_record"
        verbose_name = _("step of a roadmap")
        verbose_name_plural = _("steps of roadmaps")
        ordering: ClassVar = ["retry", "id"]
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [*step_constraints()]
