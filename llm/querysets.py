"""Questions about calls of the model and about prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from api.days import midnight
from llm.choices import ANSWERED, Outcome

# beyond this a call without an end has lost its process
SURELY_OVER_SECONDS = 3600


@dataclass(frozen=True)
class Used:
    """What some calls used up, as far as the server told."""

    calls: int
    tokens: int
    untold: int  # answers whose server sent no numbers
    money: Decimal  # in one currency, of the calls with a known price


class LLMCallQuerySet(models.QuerySet):
    """Calls of a language model."""

    def reusable(self, *, run_kind: str, run_id: str, purpose: str, prompt_hash: str) -> Any | None:
        """The newest stored answer of this run to this very prompt, unless it was given up or pruned."""
        asked = self.filter(run_kind=run_kind, run_id=run_id, purpose=purpose, prompt_hash=prompt_hash)
        return asked.filter(usable=True, raw__isnull=False).order_by("-id").first()

    def of_run(self, run: Any) -> LLMCallQuerySet:
        """All calls of one run."""
        return self.filter(run_kind=run._meta.label_lower, run_id=str(run.pk))

    def of_runs(self, model: type[models.Model], keys: Iterable[Any]) -> LLMCallQuerySet:
        """All calls of several runs of one kind."""
        return self.filter(run_kind=model._meta.label_lower, run_id__in=[str(key) for key in keys])

    def on_day(self, day: date) -> LLMCallQuerySet:
        """The calls of a local day."""
        return self.filter(created_at__gte=midnight(day), created_at__lt=midnight(day, 1))

    def lost(self) -> LLMCallQuerySet:
        """Asked long ago and never ended: the process died meanwhile, and the server may have billed them."""
        long_ago = timezone.now() - timedelta(seconds=SURELY_OVER_SECONDS)
        return self.filter(outcome=Outcome.ASKING, created_at__lt=long_ago)

    def used(self, currency: str = "") -> Used:
        """Sums over these calls."""
        told = self.aggregate(
            calls=Count("created_at"),
            # two sums, which are bigints: a server may send what two integers cannot add up to
            tokens=Coalesce(Sum("tokens_in"), 0) + Coalesce(Sum("tokens_out"), 0),
            untold=Count("created_at", filter=Q(outcome__in=ANSWERED) & (Q(tokens_in=None) | Q(tokens_out=None))),
            money=Coalesce(Sum("cost", filter=Q(currency=currency)), Decimal(0)),
        )
        return Used(**told)

    def per_day(self, first: date, last: date) -> list[dict[str, Any]]:
        """Per local day and currency: tokens in and out, cost."""
        rows = self.filter(created_at__gte=midnight(first), created_at__lt=midnight(last, 1)).order_by()
        days = rows.annotate(day=TruncDate("created_at")).values("day", "currency")
        sums = {"tokens_in": Sum("tokens_in"), "tokens_out": Sum("tokens_out"), "money": Sum("cost")}
        return list(days.annotate(**sums).order_by("day", "currency"))

    def with_old_answers(self, before: datetime) -> LLMCallQuerySet:
        """Calls before that moment whose raw answer is still kept."""
        return self.filter(raw__isnull=False, created_at__lt=before)


class LLMPriceQuerySet(models.QuerySet):
    """List prices of models."""

    def at(self, model: str, moment: datetime) -> Any | None:
        """The price of a model at that moment; None when nobody told it."""
        return self.filter(model=model, valid_from__lte=moment).order_by("-valid_from").first()
