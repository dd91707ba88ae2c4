"""What may be spent today, and what was. Nothing is asked of a model beyond it.

Looked at before every request, and not locked: as many requests as are under way at that moment may go beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from config.language_model import DailyBudget
from llm.choices import LLMError
from llm.errors import failure
from llm.models import LLMCall, LLMPrice
from llm.querysets import Used

MILLION = 1_000_000
NEAR = 0.8


@dataclass(frozen=True)
class Today:
    """The budget of today and what was used of it."""

    budget: DailyBudget
    used: Used

    @property
    def share(self) -> float:
        """The larger share of what is limited; 1 and more is spent, 0 without a limit."""
        shares = [0.0]
        if self.budget.tokens is not None:
            shares.append(_share(self.used.tokens, self.budget.tokens))
        if self.budget.money is not None:
            shares.append(_share(self.used.money, self.budget.money))
        return max(shares)

    @property
    def is_spent(self) -> bool:
        return self.share >= 1

    @property
    def is_near(self) -> bool:
        return self.share >= NEAR


def _share(used: int | Decimal, limit: int | Decimal) -> float:
    return float(used) / float(limit) if limit else 1.0


def today() -> Today:
    """As of now, in the local day."""
    budget: DailyBudget = settings.LLM_DAILY_BUDGET
    return Today(budget, LLMCall.objects.on_day(timezone.localdate()).used(budget.currency))


def check(model: str) -> None:
    """Raise RunFailed when today's budget is used up, or is in money and cannot be counted for this model."""
    budget: DailyBudget = settings.LLM_DAILY_BUDGET
    if not budget.is_limited:
        return
    if budget.money is not None and not has_price(model):
        raise failure(LLMError.NO_PRICE, f"{model}, {budget.currency}")
    now = today()
    if now.is_spent:
        raise failure(LLMError.BUDGET_SPENT, spent_text(now))


def has_price(model: str) -> bool:
    """Whether the model's price in the budget's currency is known, so that money can be counted."""
    price = LLMPrice.objects.at(model, timezone.now())
    return price is not None and price.currency == settings.LLM_DAILY_BUDGET.currency


def spent_text(now: Today) -> str:
    """Used and allowed, for people and the log."""
    told = []
    if now.budget.tokens is not None:
        told.append(f"{now.used.tokens} / {now.budget.tokens} tokens")
    if now.budget.money is not None:
        told.append(f"{now.used.money.normalize():f} / {now.budget.money} {now.budget.currency}")
    return ", ".join(told)


def cost_of(model: str, tokens_in: int | None, tokens_out: int | None) -> tuple[Decimal | None, str]:
    """What that many tokens cost now, with the currency; None and "" where price or numbers are not known."""
    price = LLMPrice.objects.at(model, timezone.now())
    if price is None or tokens_in is None or tokens_out is None:
        return None, ""
    cost = (tokens_in * price.input_per_million + tokens_out * price.output_per_million) / MILLION
    return cost, price.currency
