"""The log of real changes, and who follows it."""

from typing import Any, ClassVar

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Func, Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from etl.products.choices import ChangeType
from etl.products.models.products import Product
from etl.products.querysets import ProductChangeQuerySet
from runs.querysets import ClockTimestamp


class TransactionId(models.Field):
    """PostgreSQL's xid8: the transaction that wrote a row, comparable with snapshots. A number in Python."""

    def db_type(self, connection: object) -> str:
        return "xid8"

    def get_prep_value(self, value: Any) -> Any:
        # xid8 compares with no integer; a text of unknown type becomes what it is compared with
        return str(value) if isinstance(value, int) else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value if value is None else int(value)


class ProductChange(models.Model):
    """One real change of one product. Append-only; the trusted queue for downstream consumers."""

    # no index of their own: the indexes below begin with these columns
    product = models.ForeignKey(
        Product,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="changes",
        verbose_name=_("product"),
    )
    brand_code = models.CharField(_("brand"), max_length=64)
    sku = models.CharField(_("SKU"), max_length=64)
    change_type = models.CharField(_("type"), max_length=8, choices=ChangeType)
    old_version = models.CharField(_("old version"), max_length=80, null=True)  # noqa: DJ001 - a CREATE has none
    new_version = models.CharField(_("new version"), max_length=80)
    changed_fields = ExactJSONField(_("changed fields"), help_text=_("Field → [old, new]; empty for a CREATE."))
    run = models.ForeignKey(
        "etl.ProductSyncRun",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="changes",
        verbose_name=_("run"),
    )
    xid = TransactionId(db_default=Func(function="pg_current_xact_id"), editable=False)
    created_at = models.DateTimeField(_("at"), db_default=ClockTimestamp())

    objects = ProductChangeQuerySet.as_manager()

    class Meta:
        db_table = "product_change_log"
        verbose_name = _("product change")
        verbose_name_plural = _("product changes")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("export_productchange", _("Can export product changes"))]
        indexes: ClassVar = [
            models.Index(fields=["brand_code", "id"], name="product_change_by_brand"),
            models.Index(fields=["sku", "id"], name="product_change_by_sku"),
            # one per type: of an index that begins with the type the planner would rather read the whole log
            *(
                models.Index(fields=["id"], condition=Q(change_type=each), name=f"product_change_{each.lower()}")
                for each in ChangeType.values
            ),
            models.Index(fields=["product", "id"], name="product_change_by_product"),
            models.Index(fields=["run", "id"], name="product_change_by_run"),
            models.Index(fields=["xid"], name="product_change_by_xid"),
            # the log grows in the order of time, so a few pages of BRIN find a day among millions
            BrinIndex(fields=["created_at"], name="product_change_by_day", autosummarize=True),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="change_log_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.change_type} {self.brand_code} {self.sku}"


class FeedConsumer(models.Model):
    """A program that follows the change feed and keeps its place here, beside the effects of what it read."""

    name = models.CharField(_("consumer"), max_length=64, unique=True)
    cursor = models.TextField(_("cursor"))
    received = models.PositiveBigIntegerField(_("changes received"), default=0, db_default=0)
    last_change_id = models.BigIntegerField(_("last change"), null=True)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp())
    updated_at = models.DateTimeField(_("moved at"), db_default=ClockTimestamp())

    class Meta:
        verbose_name = _("feed consumer")
        verbose_name_plural = _("feed consumers")
        ordering: ClassVar = ["name"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name
