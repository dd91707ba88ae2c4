"""Screens of the language model: what was asked, what it cost, what it costs."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from access.querysets import distinct_by_index
from config.language_model import RULES
from desk.admin import OpsModelAdmin, ReadOnlyAdmin
from desk.badges import Tone, badge, meter, number
from desk.object_actions import Context
from llm import budget
from llm.choices import Outcome
from llm.errors import WAITS
from llm.home import charts
from llm.models import LLMCall, LLMPrice
from llm.services import delete_price, save_price

TONES: dict[str, Tone] = {
    Outcome.OK: "ok",
    Outcome.ASKING: "info",
    Outcome.ANSWERED: "info",
    **dict.fromkeys(WAITS, "warning"),
}


class KnownValues(admin.SimpleListFilter):
    """A choice among the values a column has; they are read from an index."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, value) for value in distinct_by_index(LLMCall, self.parameter_name, limit=100) if value]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset


class PurposeFilter(KnownValues):
    title = gettext_lazy("purpose")
    parameter_name = "purpose"


class ModelFilter(KnownValues):
    title = gettext_lazy("model")
    parameter_name = "model"


class OutcomeFilter(admin.SimpleListFilter):
    title = gettext_lazy("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Outcome.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(outcome=self.value()) if self.value() else queryset


@admin.register(LLMCall)
class LLMCallAdmin(ReadOnlyAdmin):
    """Calls. The answer itself is for operators: it may hold what only they should read."""

    shows_timeline = False
    list_display = (
        "asked", "purpose", "outcome_mark", "by_run", "model", "tokens", "price", "took", "reask",
    )  # fmt: skip
    list_filter = (OutcomeFilter, PurposeFilter, ModelFilter, "created_at")
    search_fields = ("run_id__exact",)
    search_help_text = gettext_lazy("Run, exactly.")
    list_empty_text = gettext_lazy("A call is listed here as soon as a language model is asked for a text.")
    change_list_template = "llm/calls.html"
    change_form_template = "llm/call.html"
    fieldsets = (
        (None, {"fields": ("purpose", "prompt_version", "outcome_mark", "error_text", "by_run", "run_attempt")}),
        (
            gettext_lazy("Answer"),
            {"fields": ("created_at", "took", "tokens_in", "tokens_out", "price", "finish_reason")},
        ),
        (
            gettext_lazy("Request"),
            {
                "fields": (
                    "provider", "model", "host", "answer_format", "http_attempts", "http_status", "reask", "usable",
                    "prompt_hash",
                )
            },
        ),
    )  # fmt: skip
    readonly_fields = ("outcome_mark", "by_run", "took", "price")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("raw")

    def get_search_results(self, request: HttpRequest, calls: Any, text: str) -> tuple[Any, bool]:
        return (calls.filter(run_id=text.strip()) if text.strip() else calls), False

    def changelist_view(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        now = budget.today()
        context = {
            "charts": charts(),
            "is_rules": settings.LLM_PROVIDER == RULES,
            "configured": settings.LLM_MODEL,
            "calls": number(now.used.calls),
            "tokens": number(now.used.tokens),
            "untold": now.used.untold,
            "spent": budget.spent_text(now),
            "budget_meter": meter(round(now.share * 100)) if now.budget.is_limited else "",
            "lost": LLMCall.objects.lost().count(),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        call = context.get("original")
        if call is not None and request.user.has_perm("llm.read_raw_llmcall"):
            context |= {"may_read_raw": True, "raw": call.raw}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=gettext_lazy("asked at"), ordering=None)
    def asked(self, call: LLMCall) -> Any:
        return call.created_at

    @admin.display(description=gettext_lazy("outcome"))
    def outcome_mark(self, call: LLMCall) -> SafeString:
        return badge(call.get_outcome_display(), TONES.get(call.outcome, "danger"), call.error_text[:200])

    @admin.display(description=gettext_lazy("run"))
    def by_run(self, call: LLMCall) -> SafeString | str:
        """The run's page, where its kind has one."""
        name = f"{call.run_kind} {call.run_id}"
        try:
            address = reverse(f"admin:{call.run_kind.replace('.', '_')}_change", args=[call.run_id])
        except NoReverseMatch:
            return name
        return format_html('<a href="{}">{}</a>', address, name)

    @admin.display(description=gettext_lazy("tokens in / out"))
    def tokens(self, call: LLMCall) -> str:
        return f"{number(call.tokens_in)} / {number(call.tokens_out)}"

    @admin.display(description=gettext_lazy("cost"))
    def price(self, call: LLMCall) -> str | None:
        return f"{number_format(call.cost, 6)} {call.currency}" if call.cost is not None else None

    @admin.display(description=gettext_lazy("took"))
    def took(self, call: LLMCall) -> str | None:
        return _("%(seconds)s s") % {"seconds": number_format(call.seconds, 1)} if call.seconds is not None else None


class PriceForm(forms.ModelForm):
    """A currency may be typed in small letters."""

    class Meta:
        model = LLMPrice
        fields: ClassVar = ["model", "currency", "input_per_million", "output_per_million", "valid_from"]

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()


@admin.register(LLMPrice)
class LLMPriceAdmin(OpsModelAdmin):
    """Prices. Each change is on record; what calls have cost stays as it was counted."""

    form = PriceForm
    list_display = ("model", "currency", "input_per_million", "output_per_million", "valid_from")
    ordering = ("model", "-valid_from")
    list_empty_text = gettext_lazy("Without the price of its model a call's cost is unknown, not zero.")

    def save_model(self, request: HttpRequest, obj: LLMPrice, form: Any, change: bool) -> None:
        save_price(obj, actor=request.user)

    def delete_model(self, request: HttpRequest, obj: LLMPrice) -> None:
        delete_price(obj, actor=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        for price in queryset:
            delete_price(price, actor=request.user)
