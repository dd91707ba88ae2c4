"""Nouns of this room: what a model was asked and what that cost."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from llm.choices import Outcome
from llm.querysets import LLMCallQuerySet, LLMPriceQuerySet
from runs.querysets import ClockTimestamp


class LLMCall(models.Model):
    """One request to a model, with its repeats, and the answer as it came.

    Plain values and no foreign key: the account outlives the run it was for. The row is there before the
    server is asked, so what a killed process may have spent is on record too (outcome `asking`). Numbers the
    server did not send are NULL, never guessed.
    """

    created_at = models.DateTimeField(_("asked at"), db_default=ClockTimestamp(), editable=False)
    provider = models.CharField(_("provider"), max_length=32)
    model = models.CharField(_("model"), max_length=200)
    host = models.CharField(_("server"), max_length=255, blank=True)
    purpose = models.CharField(_("purpose"), max_length=64)
    prompt_version = models.PositiveSmallIntegerField(_("prompt version"))
    prompt_hash = models.CharField(_("prompt hash"), max_length=64)
    run_kind = models.CharField(_("kind of run"), max_length=100)
    run_id = models.CharField(_("run"), max_length=64)
    run_attempt = models.PositiveSmallIntegerField(_("attempt of the run"))
    outcome = models.CharField(_("outcome"), max_length=32, choices=Outcome, default=Outcome.ASKING)
    reask = models.PositiveSmallIntegerField(
        _("asked again"), default=0, help_text=_("How many answers before this one did not fit.")
    )
    http_attempts = models.PositiveSmallIntegerField(_("requests"), default=0)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    answer_format = models.CharField(_("answer format"), max_length=16, blank=True)
    finish_reason = models.CharField(_("finish reason"), max_length=32, blank=True)
    seconds = models.FloatField(_("seconds"), null=True)
    tokens_in = models.PositiveIntegerField(_("tokens in"), null=True)
    tokens_out = models.PositiveIntegerField(_("tokens out"), null=True)
    cost = models.DecimalField(_("cost"), null=True, max_digits=24, decimal_places=10)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    error_text = models.TextField(_("what the server said"), blank=True)
    raw = models.TextField(_("raw answer"), null=True)  # noqa: DJ001 - an empty answer is not a missing one
    usable = models.BooleanField(
        _("may be used again"), default=True, help_text=_("By a later attempt of the same run, instead of asking.")
    )

    objects = LLMCallQuerySet.as_manager()

    class Meta:
        db_table = "llm_calls"
        verbose_name = _("model call")
        verbose_name_plural = _("model calls")
        ordering: ClassVar = ["-id"]
        default_permissions: ClassVar = ("view",)
        permissions: ClassVar = [("read_raw_llmcall", _("Can read raw answers of the model"))]
        indexes: ClassVar = [
            models.Index(fields=["run_id", "run_kind", "purpose", "prompt_hash"], name="llm_call_by_run"),
            models.Index(fields=["created_at"], name="llm_call_by_time"),
            # each filter of the list, newest first
            models.Index(fields=["outcome", "id"], name="llm_call_by_outcome"),
            models.Index(fields=["purpose", "id"], name="llm_call_by_purpose"),
            models.Index(fields=["model", "id"], name="llm_call_by_model"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(outcome__in=Outcome.values),
                name="llm_call_outcome_is_known",
                violation_error_message=_("This outcome does not exist."),
            ),
            models.CheckConstraint(
                condition=Q(prompt_hash__regex=r"^[0-9a-f]{64}$"),
                name="llm_call_prompt_hash_is_hex",
                violation_error_message=_("A prompt is stored as its SHA-256 hash only."),
            ),
            models.CheckConstraint(
                condition=Q(cost__isnull=True, currency="") | (Q(cost__gte=0) & ~Q(currency="")),
                name="llm_call_cost_has_currency",
                violation_error_message=_("A cost is an amount in a currency."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} · {self.model} · #{self.pk}"


class LLMPrice(models.Model):
    """What a model costs from a moment on: the list price, without discounts for cached input."""

    model = models.CharField(_("model"), max_length=200, help_text=_("Exactly as in LLM_MODEL."))
    currency = models.CharField(_("currency"), max_length=3, help_text=_("Three capitals, such as USD or CNY."))
    input_per_million = models.DecimalField(_("per million tokens in"), max_digits=12, decimal_places=4)
    output_per_million = models.DecimalField(_("per million tokens out"), max_digits=12, decimal_places=4)
    valid_from = models.DateTimeField(_("valid from"), default=timezone.now)

    objects = LLMPriceQuerySet.as_manager()

    class Meta:
        db_table = "llm_prices"
        verbose_name = _("model price")
        verbose_name_plural = _("model prices")
        ordering: ClassVar = ["model", "-valid_from"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model", "valid_from"],
                name="llm_price_one_at_a_time",
                violation_error_message=_("This model already has a price from that moment on."),
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"),
                name="llm_price_currency_is_code",
                violation_error_message=_("A currency is three capitals, such as USD."),
            ),
            models.CheckConstraint(
                condition=Q(input_per_million__gte=0, input_per_million__lt=100_000_000)
                & Q(output_per_million__gte=0, output_per_million__lt=100_000_000),
                name="llm_price_is_an_amount",
                violation_error_message=_("A price is not negative."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} ({self.currency})"
