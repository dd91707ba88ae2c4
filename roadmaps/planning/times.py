"""How many hours there are to learn in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal

from django.utils import timezone

from roadmaps.planning.finding import weeks_of
from roadmaps.planning.phrases import say
from roadmaps.wishes import Wish


@dataclass(frozen=True)
class Time:
    """What the wish leaves of time: hours in all (None: no end is named), and the same said in words."""

    budget: Decimal | None
    text: str


def time_of(wish: Wish, today: date | None = None) -> Time:
    """The hours until the deadline; without one those of the weeks that the query names."""
    weekly = wish.hours_per_week
    if wish.deadline is not None:
        days = (wish.deadline - (today or timezone.localdate())).days
        if days <= 0:
            return Time(None, say(wish.language, "time.past", weekly=weekly, deadline=wish.deadline))
        budget = (Decimal(days * weekly) / 7).quantize(Decimal("0.1"), ROUND_DOWN)
        text = say(wish.language, "time.deadline", weekly=weekly, deadline=wish.deadline, budget=budget)
        return Time(budget, text)
    if weeks := weeks_of(wish.query):
        budget = Decimal(weeks * weekly)
        return Time(budget, say(wish.language, "time.weeks", weekly=weekly, weeks=weeks, budget=budget))
    return Time(None, say(wish.language, "time.open", weekly=weekly))
