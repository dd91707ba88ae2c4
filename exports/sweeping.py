"""One decision about every row of a list, however many: for the bulk deeds of the desk."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection
from django.db.models import F, Max, QuerySet, Window
from django.db.models.functions import Coalesce, RowNumber

from access.services import Actor
from exports.choices import RANKED, ReviewStatus
from exports.models import ManualReview
from exports.querysets import IN_ORDER
from exports.review_rows import lock_lists
from runs.querysets import ClockTimestamp


def decide_all(rows: QuerySet[ManualReview], status: str, *, actor: Actor) -> int:
    """Give every row this status by one UPDATE, in the caller's transaction; how many rows that changed.

    Rows that are exported stay: only "restore" takes them out. Those newly selected or in backup go behind the
    end of their list, in the order of the list they come from.
    """
    wanted: Any = rows.exclude(status__in=[status, ReviewStatus.EXPORTED])
    return (_place if status in RANKED else _move)(wanted, status, actor=actor)


def restore_all(rows: QuerySet[ManualReview], *, actor: Actor) -> int:
    """Make every exported row pending again; the briefs that have them keep them."""
    wanted: Any = rows.filter(status=ReviewStatus.EXPORTED)
    return _move(wanted, ReviewStatus.PENDING, actor=actor)


# each gets a place of its own: what shares one is printed by importance, not in the order of the list
_PLACED = """
    UPDATE manual_reviews r
       SET status = %s, rank = %s + p.place, decided_by = %s, decided_at = clock_timestamp(),
           updated_at = clock_timestamp(), version = version + 1
      FROM ({rows}) AS p(id, place)
     WHERE r.id = p.id
"""


def _place(rows: Any, status: str, *, actor: Actor) -> int:
    lock_lists([status])
    listed: Any = ManualReview.objects.with_status(status)
    end = listed.aggregate(end=Coalesce(Max("rank"), 0.0))["end"]
    numbered = rows.order_by().annotate(place=Window(RowNumber(), order_by=IN_ORDER)).values_list("pk", "place")
    sql, parameters = numbered.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_PLACED.format(rows=sql), [status, end, _name_of(actor), *parameters])
        return cursor.rowcount


def _move(rows: Any, status: str, *, actor: Actor) -> int:
    return rows.order_by().update(
        status=status,
        rank=None,
        decided_by=_name_of(actor),
        decided_at=ClockTimestamp(),
        updated_at=ClockTimestamp(),
        version=F("version") + 1,
    )


def _name_of(actor: Actor) -> str:
    return actor.get_username() if isinstance(actor, AbstractBaseUser) else str(actor or "")
