"""Who may call from outside, and what everybody did."""

from typing import Any

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField


class AccessToken(models.Model):
    """A bearer token. Only its hash is kept, so a stolen database opens no door."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="access_tokens",
        verbose_name=_("user"),
    )
    name = models.CharField(_("name"), max_length=100, blank=True)
    prefix = models.CharField(_("begins with"), max_length=16, editable=False)
    sha256 = models.CharField(max_length=64, editable=False)
    read_only = models.BooleanField(_("read only"), default=False, db_default=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-id"]
        default_permissions = ("add", "view")
        permissions = [("revoke_accesstoken", "Can revoke API token")]
        constraints = [
            models.UniqueConstraint(fields=["sha256"], name="access_token_sha256_unique"),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"),
                name="access_token_sha256_is_hex",
                violation_error_message=_("A token is stored as its SHA-256 hash only."),
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=models.F("created_at")),
                name="access_token_expires_after_creation",
                violation_error_message=_("A token must expire after it was created."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…" if not self.name else f"{self.name} ({self.prefix}…)"

    @property
    def is_usable(self) -> bool:
        """Neither revoked nor expired; whether its user may sign in is asked separately."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class AppendOnly(pgtrigger.Protect):
    """Refuse UPDATE and DELETE in words a person can read; TRUNCATE stays possible."""

    def get_func(self, model: Any) -> Any:
        return self.format_sql(
            "RAISE EXCEPTION"
            f" 'The audit log is append-only: a row of % cannot be {self._done()}.', TG_TABLE_NAME"
            " USING ERRCODE = 'restrict_violation';"
        )

    def _done(self) -> str:
        return "changed" if self.operation == pgtrigger.Update else "deleted"


class AuditEvent(models.Model):
    """One thing somebody did. Plain values and no foreign key: history outlives what it mentions."""

    created_at = models.DateTimeField(_("time"), db_default=Now(), editable=False)
    actor_id = models.BigIntegerField(_("actor id"), null=True, blank=True)
    actor_name = models.CharField(_("actor"), max_length=150, blank=True)
    action = models.CharField(_("action"), max_length=100)
    object_type = models.CharField(_("object type"), max_length=100, blank=True)
    object_id = models.TextField(_("object id"), blank=True)
    object_name = models.TextField(_("object"), blank=True)
    before = ExactJSONField(_("before"), null=True, blank=True)
    after = ExactJSONField(_("after"), null=True, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["object_type", "object_id", "id"], name="audit_event_timeline"),
            models.Index(fields=["created_at", "id"], name="audit_event_by_time"),
            # each filter and each exact search of the list, newest first
            models.Index(fields=["action", "id"], name="audit_event_by_action"),
            models.Index(fields=["actor_name", "id"], name="audit_event_by_actor"),
            models.Index(fields=["object_id", "id"], name="audit_event_by_object"),
            models.Index(fields=["request_id", "id"], name="audit_event_by_request", condition=~Q(request_id="")),
        ]
        triggers = [
            AppendOnly(name="audit_event_no_update", operation=pgtrigger.Update),
            AppendOnly(name="audit_event_no_delete", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_name}".strip()


class Pruning(models.Model):
    """How far an append-only log was cut off by age: what lies at or before this may be gone.

    Written in the transaction that deletes, so a reader whose own position lies before it knows that it
    may have missed rows.
    """

    table_name = models.CharField(_("table"), max_length=64, unique=True)
    up_to_id = models.BigIntegerField(_("highest id"))
    up_to_at = models.DateTimeField(_("older than"))
    updated_at = models.DateTimeField(_("pruned at"), db_default=Now())

    class Meta:
        verbose_name = _("pruned log")
        verbose_name_plural = _("pruned logs")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.table_name
