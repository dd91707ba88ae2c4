"""One export, of either kind."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from exports.choices import ExportError, SkipScope, Source
from exports.models.batches import EMPTY_OBJECT, BriefBatch, ManualExportBatch
from runs.models import Run, open_index, run_constraints

EMPTY_LIST = models.Value([], output_field=ExactJSONField())


class ExportRun(Run):
    """One export: what was asked for, how candidates became items, and the text. Nothing in it is overwritten.

    An export by hand is done in the request and its run is born completed; the worker's is queued.
    Statuses and transitions are those of runs.models.Run.
    """

    TASK: ClassVar[str] = "exports.tasks.run_export"
    QUEUE: ClassVar[str] = "default"
    ERRORS: ClassVar[type[models.TextChoices]] = ExportError

    kind = models.CharField(_("kind"), max_length=8, choices=Source)
    report_tag = models.TextField(_("tag"))
    report_date = models.DateField(_("date"))
    template = models.TextField(_("template"))
    dry_run = models.BooleanField(_("dry run"), default=False)
    limit = models.PositiveIntegerField(_("articles at most"), null=True, blank=True)
    min_score = models.DecimalField(_("score at least"), max_digits=6, decimal_places=3, null=True, blank=True)
    skip_exported = models.BooleanField(_("skip what was exported"), default=True, db_default=True)
    skip_scope = models.CharField(
        _("exported where"), max_length=8, choices=SkipScope, default=SkipScope.ALL, db_default=SkipScope.ALL
    )
    mark_exported = models.BooleanField(_("mark exported"), default=False, db_default=False)
    output_path = models.TextField(_("file"), blank=True, default="", db_default="")

    funnel = ExactJSONField(_("funnel"), default=dict, db_default=EMPTY_OBJECT)
    payload = ExactJSONField(_("payload"), default=dict, db_default=EMPTY_OBJECT)
    content = models.TextField(_("text"), blank=True, default="", db_default="")
    sha256 = models.CharField(_("SHA-256 of the text"), max_length=64, blank=True, default="", db_default="")
    printed = models.PositiveIntegerField(_("printed"), default=0, db_default=0)
    recorded = models.PositiveIntegerField(_("newly recorded"), default=0, db_default=0)
    not_printed = ExactJSONField(_("not printed"), default=list, db_default=EMPTY_LIST)
    skipped_duplicates = ExactJSONField(_("already in this brief"), default=list, db_default=EMPTY_LIST)
    manual_batch = models.ForeignKey(
        ManualExportBatch, on_delete=models.PROTECT, null=True, editable=False, related_name="runs"
    )
    brief_batch = models.ForeignKey(
        BriefBatch, on_delete=models.PROTECT, null=True, editable=False, related_name="runs"
    )

    class Meta:
        verbose_name = _("export run")
        verbose_name_plural = _("export runs")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("run_export", _("Can run the worker's export")),
            ("export_exportrun", _("Can export the list of export runs")),
        ]
        indexes: ClassVar = [
            open_index(Run.STATUSES),
            models.Index(fields=["status", "id"], name="exportrun_by_status"),
            models.Index(fields=["report_tag", "id"], name="exportrun_by_tag"),
        ]
        constraints: ClassVar = [
            *run_constraints(Run.STATUSES),
            models.CheckConstraint(
                condition=Q(kind__in=Source.values),
                name="export_run_kind_is_known",
                violation_error_message=_("A brief is made by hand or by the worker."),
            ),
            models.CheckConstraint(
                condition=Q(manual_batch=None) | Q(brief_batch=None),
                name="export_run_made_one_batch_at_most",
                violation_error_message=_("An export goes to one batch."),
            ),
        ]

    @property
    def batch(self) -> ManualExportBatch | BriefBatch | None:
        """Where the items went; None for a dry run and for one that did not get that far."""
        return self.manual_batch or self.brief_batch
