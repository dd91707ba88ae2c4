"""The issue numbers of a brief: they go on from the last earlier date, and a date keeps the ones it has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from exports.models import IssueCounter
from exports.printing import Layout
from runs.querysets import ClockTimestamp

MOST = 2_147_483_647  # what the column holds

Numbers = Mapping[str, int]


def numbers_of(
    layout: Layout, day: date, *, period: int | None = None, total_period: int | None = None
) -> Numbers | None:
    """The numbers an issue of that day bears, wished-for ones first; nothing is written.

    None for a layout without numbers. Raises ValidationError for a number that cannot be.
    """
    wishes = _checked(period=period, total_period=total_period)
    if not layout.is_numbered:
        return None
    known = IssueCounter.objects.filter(template=layout.slug, report_date=day).first()
    found = known.as_fields() if known else _next(layout, day)
    return found | {name: wish for name, wish in wishes.items() if wish is not None}


def take_numbers(
    layout: Layout, day: date, *, period: int | None = None, total_period: int | None = None
) -> Numbers | None:
    """Like numbers_of, and the day keeps them. Must run in the transaction of the export.

    Two first issues of one day wait for each other here, and the second takes what the first took.
    """
    numbers = numbers_of(layout, day, period=period, total_period=total_period)
    if numbers is None:
        return None
    own = IssueCounter.objects.filter(template=layout.slug, report_date=day)
    # most exports are not the first of their day: what is right already is not locked
    if own.filter(**numbers).exists():
        return numbers
    IssueCounter.objects.bulk_create(
        [IssueCounter(template=layout.slug, report_date=day, **numbers)], ignore_conflicts=True
    )
    wishes = {name: wish for name, wish in (("period", period), ("total_period", total_period)) if wish is not None}
    if wishes:
        own.update(**wishes, updated_at=ClockTimestamp())
    return own.get().as_fields()


def _next(layout: Layout, day: date) -> dict[str, int]:
    last = IssueCounter.objects.filter(template=layout.slug, report_date__lt=day).order_by("-report_date").first()
    if last is None:
        return {"period": 1, "total_period": 1}
    issues = layout.issues_per_day * max(1, (day - last.report_date).days)
    return {name: min(MOST, number + issues) for name, number in last.as_fields().items()}


def _checked(**wishes: int | None) -> dict[str, int | None]:
    for name, wish in wishes.items():
        if wish is not None and not 1 <= wish <= MOST:
            message = _("An issue number is a whole number from 1 to %(most)s.")
            raise ValidationError({name: ValidationError(message, code="invalid", params={"most": MOST})})
    return wishes
