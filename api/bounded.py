"""Questions whose cost is bounded however large the table is: how many rows, and which few of them match.

A COUNT of a million rows reads thousands of pages to say what nobody needs to the last digit, and a list
ordered by its key may read the whole table for three matches. Both are decided here, once for all lists.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, Literal, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models import Q
from django.utils.formats import number_format

# In the planner's units, where a page read in order is 1: what an exact count may cost. About 70,000 rows
# of an index, or a few hundred rows all over a table.
COUNT_MAY_COST = 2_000
COUNTED_AT_LEAST = 1_000  # rows, even where the planner expects fewer
ESTIMATE_OFF_BY = 4  # a count stops where the planner was wrong by more than this

MATCHES_NAMED = 1_000  # matches that are looked up and then named by key

Certainty = Literal["exact", "about", "more"]
Rows = TypeVar("Rows", bound=models.QuerySet)


class Count(int):
    """A number of rows that shows how sure it is: 1,234 is counted, ~1,000,000 estimated, 4,000+ a floor."""

    certainty: Certainty

    def __new__(cls, rows: int, certainty: Certainty = "exact") -> Count:
        count = super().__new__(cls, rows)
        count.certainty = certainty
        return count

    @property
    def is_exact(self) -> bool:
        return self.certainty == "exact"

    def __str__(self) -> str:
        shown = number_format(int(self), force_grouping=True)
        return {"exact": shown, "about": f"~{shown}", "more": f"{shown}+"}[self.certainty]


def count_of(rows: models.QuerySet) -> Count:
    """How many rows: counted where the planner thinks it cheap, its estimate where not."""
    keys = rows.order_by().values("pk")
    explained = keys.explain(format="json")
    if not explained:  # nothing can match, so nothing was asked
        return Count(0)
    plan = json.loads(explained)[0]["Plan"]
    expected = int(plan["Plan Rows"])
    if plan["Total Cost"] > COUNT_MAY_COST:
        return Count(expected, "about")
    most = max(COUNTED_AT_LEAST, ESTIMATE_OFF_BY * expected)
    found = keys[: most + 1].count()
    return Count(most, "more") if found > most else Count(found)


def narrowed(rows: Rows, *conditions: Q) -> Rows:
    """The rows that meet at least one of the conditions, each of which has an index of its own.

    Asks the database now. Few matches are filtered by their keys, so that whatever order and page follow
    cost no more than the matches; of many, a page of the list is soon full anyway.
    """
    found = _first_keys(rows.model, conditions)
    if len(found) > MATCHES_NAMED:
        return rows.filter(reduce(or_, conditions))
    # the conditions are not asked again: then a page and a count need the key's index and no row of the others
    return rows.filter(pk__in=found)


def _first_keys(model: type[models.Model], conditions: Sequence[Q]) -> set[Any]:
    """Keys of matches, more than MATCHES_NAMED when there are more; in no order, which would cost."""
    branches = [
        model._base_manager.filter(each).order_by().values_list("pk", flat=True)[: MATCHES_NAMED + 1]
        for each in conditions
    ]
    try:
        return set(branches[0].union(*branches[1:], all=True) if len(branches) > 1 else branches[0])
    except EmptyResultSet:
        return set()
