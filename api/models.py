"""What the API remembers between two requests."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from api.querysets import IdempotencyKeyQuerySet


class IdempotencyKey(models.Model):
    """The answer to a request that carried an Idempotency-Key, kept to be given again.

    Written in the transaction of the work itself: there is a row exactly when the work was done.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    route = models.CharField(_("route"), max_length=255, help_text=_("Method and path, without /api/ and version."))
    key = models.CharField(_("key"), max_length=255)
    fingerprint = models.CharField(max_length=64, editable=False)
    status = models.PositiveSmallIntegerField(_("status"))
    headers = models.JSONField(_("headers"), default=dict)
    # text, not jsonb: the answer is given again byte for byte
    body = models.TextField(_("answer"), blank=True)
    created_at = models.DateTimeField(_("stored"), db_default=Now(), editable=False)

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["user", "route", "key"],
                name="one_answer_per_user_route_and_key",
                violation_error_message=_("This key was used already."),
            ),
            models.CheckConstraint(
                condition=Q(key__regex=r"^[\x20-\x7e]+$"),
                name="idempotency_key_is_printable_ascii",
                violation_error_message=_("A key is 1 to 255 printable ASCII characters."),
            ),
            models.CheckConstraint(
                condition=Q(status__gte=200, status__lte=299),
                name="idempotency_key_keeps_successes_only",
                violation_error_message=_("Only the answer of a success is kept."),
            ),
            models.CheckConstraint(
                condition=Q(fingerprint__regex=r"^[0-9a-f]{64}$"),
                name="idempotency_key_fingerprint_is_sha256",
                violation_error_message=_("A request is remembered as its SHA-256 hash only."),
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_by_age")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
