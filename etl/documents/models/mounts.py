"""What was mounted where, what stood there before, and whether it still stands."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from etl.documents.choices import OnConflict
from etl.documents.models.projects import Table
from etl.documents.models.tasks import ETLTask
from etl.documents.pointers import join
from etl.documents.querysets import MountQuerySet
from runs.querysets import ClockTimestamp


class TableMount(models.Model):
    """A result at a key of an object in a table.

    It stands until it is un-mounted (`unmounted_at`: what stood there before is back) or until another mount replaces
    it (`superseded_at`).
    """

    task = models.ForeignKey(ETLTask, on_delete=models.PROTECT, related_name="mounts", verbose_name=_("task"))
    table = models.ForeignKey(
        Table, on_delete=models.CASCADE, related_name="mounts", verbose_name=_("table"), db_index=False
    )
    pointer = models.TextField(_("in the object"), help_text=_("RFC 6901; empty for the root."), blank=True)
    key = models.TextField(_("key"), blank=True)
    on_conflict = models.CharField(_("if taken"), max_length=8, choices=OnConflict, default=OnConflict.ERROR)
    had_previous = models.BooleanField(_("replaced something"), default=False)
    previous = ExactJSONField(_("what stood there"), null=True, editable=False)  # JSON null only with had_previous
    value_sha256 = models.CharField(_("SHA-256 of the value"), max_length=64, editable=False)
    table_version = models.PositiveBigIntegerField(_("version of the table"))
    mounted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    mounted_at = models.DateTimeField(_("at"), db_default=ClockTimestamp(), editable=False)
    unmounted_at = models.DateTimeField(_("un-mounted at"), null=True, editable=False)
    superseded_at = models.DateTimeField(_("replaced at"), null=True, editable=False)

    objects = MountQuerySet.as_manager()

    class Meta:
        db_table = "table_mount"
        verbose_name = _("mount")
        verbose_name_plural = _("mounts")
        ordering: ClassVar = ["-id"]
        default_permissions: ClassVar = ("view",)
        indexes: ClassVar = [models.Index(fields=["table", "-id"], name="tablemount_newest_of_table")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["table", "pointer", "key"],
                condition=Q(unmounted_at=None, superseded_at=None),
                name="one_mount_stands_at_a_key",
                violation_error_message=_("Something is mounted at this key."),
            ),
            models.CheckConstraint(
                condition=Q(unmounted_at=None) | Q(superseded_at=None),
                name="a_mount_ends_once",
                violation_error_message=_("A mount is either un-mounted or replaced."),
            ),
            models.CheckConstraint(
                condition=Q(value_sha256__regex=r"^[0-9a-f]{64}$"),
                name="table_mount_sha256_is_hex",
                violation_error_message=_("A mounted value is known by its SHA-256."),
            ),
            models.CheckConstraint(
                condition=Q(on_conflict__in=OnConflict.values),
                name="table_mount_conflict_rule_is_known",
                violation_error_message=_("This rule for conflicts does not exist."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.table_id}:{self.path}"

    @property
    def path(self) -> str:
        """The pointer to what was mounted."""
        return join(self.pointer, self.key)

    @property
    def is_standing(self) -> bool:
        """Neither un-mounted nor replaced."""
        return self.unmounted_at is None and self.superseded_at is None
