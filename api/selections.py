"""Deeds on every row of a filter, however many: the filter travels, never a list of keys.

    seen = selection_of(rows)                       # what a page shows: 100,000 rows, and their fingerprint
    act_on(lambda: rows_of(filter), seen, deed)     # one transaction, or SelectionChanged and nothing done

The fingerprint tells any other set of rows apart, also when one came and one went.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.contrib.postgres.aggregates import BitXor
from django.db import OperationalError, connection, models, transaction
from django.db.models import BigIntegerField, Count, Func, TextField, Value
from django.db.models.functions import Cast, Coalesce
from django.utils.translation import gettext_lazy as _

_SERIALIZATION_FAILURE = "40001"

Rows = TypeVar("Rows", bound=models.QuerySet)


class SelectionChanged(Exception):
    """The filter no longer selects the rows that were looked at."""

    slug = "selection-changed"
    title = _("The selection changed")
    message = _("The rows that match have changed since you looked. Nothing was done; look again.")

    def __init__(self, now: Selection | None = None) -> None:
        super().__init__(str(self.message))
        self.now = now


@dataclass(frozen=True)
class Selection:
    """Which rows: how many, and the xor of the hashes of their keys."""

    count: int
    fingerprint: str  # a 64-bit number, which JavaScript would round


def selection_of(rows: models.QuerySet) -> Selection:
    """The selection as it is now, by one statement that sends no row to us."""
    hashed = Func(Cast("pk", TextField()), Value(0), function="hashtextextended", output_field=BigIntegerField())
    found = rows.order_by().aggregate(count=Count("pk"), fingerprint=Coalesce(BitXor(hashed), 0))
    return Selection(found["count"], str(found["fingerprint"]))


def act_on(rows_of: Callable[[], Rows], seen: Selection, deed: Callable[[Rows], int]) -> int:
    """Do the deed on exactly the rows that were seen, in one transaction; how many rows it changed.

    `rows_of` makes the filtered queryset anew and `deed` changes all of it or leaves some alone on purpose.
    Everything in the transaction sees one snapshot: a row that matches from now on is not touched, and one
    that someone else changes at the same time makes it fail. Raises SelectionChanged; then nothing was done.
    """
    try:
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            rows = rows_of()
            if (now := selection_of(rows)) != seen:
                raise SelectionChanged(now)
            return deed(rows)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == _SERIALIZATION_FAILURE:
            raise SelectionChanged from error
        raise
