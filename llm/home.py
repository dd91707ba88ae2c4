"""What the language model shows on the home page."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from config.language_model import RULES
from desk.badges import Tone
from desk.charts import Chart, Series
from desk.home import Card, Need, Section
from llm import budget
from llm.choices import Outcome
from llm.generator import generator_label
from llm.models import LLMCall

DAYS_SHOWN = 14
CALLS = "admin:llm_llmcall_changelist"


def home(request: HttpRequest) -> Section | None:
    """Which model writes, what it used today; None for who may not see calls."""
    if not request.user.has_perm("llm.view_llmcall"):
        return None
    now = budget.today()
    if settings.LLM_PROVIDER == RULES:
        label = generator_label("rules")
        return Section(title=_("Language model"), cards=[Card(_("Texts are composed by"), _("rules"), note=label)])
    return Section(title=_("Language model"), cards=list(_cards(now)), needs=list(_needs(now)), charts=charts())


def _cards(now: budget.Today) -> Iterator[Card]:
    yield Card(_("Model"), settings.LLM_MODEL, reverse(CALLS))
    tone: Tone = "danger" if now.is_spent else "warning" if now.is_near else "neutral"
    note = _("%(percent)s %% of today's budget") % {"percent": round(now.share * 100)} if now.budget.is_limited else ""
    yield Card(_("Tokens today"), now.used.tokens, reverse(CALLS), tone=tone, note=note)
    if now.budget.money is not None:
        spent = f"{number_format(now.used.money, 2)} {now.budget.currency}"
        yield Card(_("Spent today"), spent, reverse("admin:llm_llmprice_changelist"), tone=tone)


def _needs(now: budget.Today) -> Iterator[Need]:
    calls = reverse(CALLS)
    last = LLMCall.objects.exclude(outcome=Outcome.ASKING).order_by("-id").values_list("outcome", flat=True).first()
    if last in (Outcome.KEY_REFUSED, Outcome.NO_CREDIT, Outcome.REQUEST_REFUSED):
        yield Need(f"{Outcome(last).label}.", f"{calls}?outcome={last}", "danger")
    if now.budget.money is not None and not budget.has_price(settings.LLM_MODEL):
        text = _("The language model has no price in the currency of the daily budget, so nothing is asked.")
        yield Need(text, reverse("admin:llm_llmprice_changelist"), "danger")
    elif now.is_spent:
        yield Need(_("Today's budget of the language model is used up: %(used)s") % _used(now), calls, "danger")
    elif now.is_near:
        yield Need(_("Today's budget of the language model is nearly used up: %(used)s") % _used(now), calls)


def _used(now: budget.Today) -> dict[str, str]:
    return {"used": budget.spent_text(now)}


def charts() -> list[Chart]:
    """Tokens per day, and cost per day for each currency that calls were paid in."""
    today = timezone.localdate()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS_SHOWN))]
    rows = LLMCall.objects.per_day(days[0])
    labels = [date_format(day, "m-d") for day in days]
    tokens = [
        Series(_("in"), _by_day(rows, days, "tokens_in")),
        Series(_("out"), _by_day(rows, days, "tokens_out")),
    ]
    drawn = [Chart(title=_("Tokens per day"), labels=labels, series=tokens, unit=_("tokens"), url=reverse(CALLS))]
    for currency in sorted({row["currency"] for row in rows} - {""}):
        cost = _by_day([row for row in rows if row["currency"] == currency], days, "money")
        title = _("Cost per day")
        drawn.append(Chart(title=title, labels=labels, series=[Series(_("cost"), cost)], unit=currency))
    return drawn


def _by_day(rows: list[dict[str, Any]], days: list[date], what: str) -> list[Any]:
    summed: dict[date, Any] = dict.fromkeys(days, 0)
    for row in rows:
        if row["day"] in summed:
            summed[row["day"]] += row[what] or 0
    return [summed[day] for day in days]
