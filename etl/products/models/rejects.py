"""Source rows that could not be taken over."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from etl.products.choices import RejectReason, Resolution
from etl.products.models.runs import ProductSyncRun
from etl.products.querysets import RejectedRowQuerySet
from runs.querysets import ClockTimestamp


class RejectedRow(models.Model):
    """A source row that could not be taken over, kept until it is mended or gone."""

    source = models.CharField(_("source"), max_length=64)
    src_id = models.BigIntegerField(_("source row"))
    brand = models.CharField(_("brand"), max_length=64, blank=True)
    sku = models.CharField(_("SKU"), max_length=64, blank=True)
    reason = models.CharField(_("reason"), max_length=32, choices=RejectReason)
    field = models.CharField(_("field"), max_length=32, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    raw = ExactJSONField(_("row as read"))
    run = models.ForeignKey(
        ProductSyncRun, on_delete=models.SET_NULL, null=True, related_name="rejects", verbose_name=_("run")
    )
    created_at = models.DateTimeField(_("rejected at"), db_default=ClockTimestamp())
    resolved_at = models.DateTimeField(_("resolved at"), null=True)
    resolved_by_run = models.ForeignKey(
        ProductSyncRun,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("resolved by run"),
    )
    resolution = models.CharField(_("resolution"), max_length=16, choices=Resolution, blank=True, default="")

    objects = RejectedRowQuerySet.as_manager()

    class Meta:
        verbose_name = _("rejected row")
        verbose_name_plural = _("rejected rows")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("retry_rejectedrow", _("Can retry rejected rows")),
            ("dismiss_rejectedrow", _("Can dismiss rejected rows")),
            ("export_rejectedrow", _("Can export rejected rows")),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(resolved_at=None), name="rejected_row_open"),
            models.Index(fields=["reason", "id"], name="rejected_row_by_reason"),
            models.Index(fields=["field", "id"], name="rejected_row_by_field"),
            models.Index(fields=["brand", "id"], name="rejected_row_by_brand"),
            models.Index(fields=["sku", "id"], name="rejected_row_by_sku"),
            models.Index(fields=["src_id", "id"], name="rejected_row_by_source_row"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "src_id"],
                condition=Q(resolved_at=None),
                name="one_unresolved_reject_per_source_row",
                violation_error_message=_("This source row is already on the list."),
            ),
            models.CheckConstraint(
                condition=Q(resolved_at=None, resolution="") | Q(~Q(resolution=""), resolved_at__isnull=False),
                name="resolved_reject_says_how",
                violation_error_message=_("A resolved row says how it was resolved."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.src_id}: {self.reason}"
