"""Reset, verify, repair and rebuild how often distillations were used.

The counters belong to the database and equal their rows; they drift only where triggers were switched off. Whoever
mends them locks the counters' own rows before counting: nobody can record a use without that lock, so what is counted
behind it is what there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.db import connection
from django.utils.translation import gettext_lazy as _

from access.services import record
from api.bounded import count_of
from distillations.deeds import IDS_AUDITED, in_transaction
from distillations.locks import lock_rows
from distillations.models import Distillation, DistillationUsage, Topic, UsageCheck
from distillations.spread import bars_of
from runs.errors import Conflict
from runs.querysets import ClockTimestamp, database_now

logger = structlog.get_logger(__name__)

CHECKS_KEPT = timedelta(days=90)
DRIFTS_AUDITED = 100
DRIFTED_KEPT = 10_000

# counter → its table, and what it counts: table, key, condition
COUNTED = {
    "usage_count": ("distillations", "distillation_usage", "distillation_id", "true"),
    "reserved_count": (
        "distillations", "distillations_generationslot", "distillation_id", "status IN ('reserved', 'generating')"
    ),
    "topic_count": ("distillations", "topics", "distillation_id", "true"),
    "topic_usage_count": ("topics", "distillation_usage", "topic_id", "true"),
}  # fmt: skip


@dataclass(frozen=True)
class Drift:
    """A counter that differs from its rows. `id` is the topic's for topic_usage_count, else the distillation's."""

    counter: str
    id: int
    distillation_id: int
    old_count: int
    new_count: int


@dataclass(frozen=True)
class Repair:
    """What a repair found. `fixed` is 0 after a dry run."""

    drifts: list[Drift]
    fixed: int
    errors: list[str] = field(default_factory=list)

    @property
    def details(self) -> list[dict[str, int]]:
        """The usage counts of distillations among them, as the API lists them."""
        return [
            {"distillationId": each.id, "oldCount": each.old_count, "newCount": each.new_count}
            for each in self.drifts
            if each.counter == "usage_count"
        ]


# --- Verify and repair ---------------------------------------------------------------------------


def find_drift(among: Collection[int] | None = None) -> list[Drift]:
    """Every counter that differs from its rows, in one look at the whole database; nothing is locked or written.

    `among` narrows it to these distillations and their topics, which costs no more than they have rows.
    """
    if among is None:
        return [drift for counter in COUNTED for drift in _drifted(counter)]
    topics = list(Topic.objects.filter(distillation__in=among).values_list("pk", flat=True))
    ids = {"distillations": sorted(among), "topics": topics}
    return [drift for counter, (table, *_rows) in COUNTED.items() for drift in _drifted(counter, ids[table])]


def known_drift() -> list[Drift]:
    """What has drifted, at a price a list can pay: where the tables are large, of what the last check found."""
    if count_of(Topic.objects.all()).is_exact and count_of(DistillationUsage.objects.all()).is_exact:
        return find_drift()
    check = UsageCheck.objects.order_by("-id").first()
    return find_drift(check.drifted_ids) if check else []


def verify_usage() -> list[Drift]:
    """find_drift(), and keep the outcome for the dashboard, /metrics and the doctor."""
    drifts = find_drift()
    _keep_check(drifts)
    if drifts:
        logger.error("usage.drifted", counters=len(drifts), first=str(drifts[0]))
    return drifts


def repair_usage(*, actor: Any, dry_run: bool = False) -> Repair:
    """Set every counter that differs from its rows to their number, in one audited transaction.

    With `dry_run` only says what it would do. Safe beside people who generate, delete and reset.
    """
    if dry_run:
        return Repair(find_drift(), fixed=0)

    def repair() -> Repair:
        drifts = _mended(*_suspects())
        if drifts:
            details = [[each.counter, each.id, each.old_count, each.new_count] for each in drifts[:DRIFTS_AUDITED]]
            record(actor=actor, action="usage.repaired", after={"fixed": len(drifts), "first": details})
        _keep_check([])
        return Repair(drifts, fixed=len(drifts))

    return in_transaction(repair)


def _suspects() -> tuple[set[int], set[int]]:
    """The distillations and the topics whose counters seem to have drifted."""
    drifts = find_drift()
    topics = {each.id for each in drifts if each.counter == "topic_usage_count"}
    return {each.distillation_id for each in drifts}, topics


def _mended(distillations: set[int], topics: set[int]) -> list[Drift]:
    """Lock these counters, count anew and store what is right; what was wrong."""
    lock_rows(Distillation.objects.filter(pk__in=distillations))
    lock_rows(Topic.objects.filter(pk__in=topics))
    drifts = []
    for counter, (table, *_rows) in COUNTED.items():
        ids = sorted(topics if table == "topics" else distillations)
        found = list(_drifted(counter, ids)) if ids else []
        drifts += found
        with mending(), connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {table} SET {_column(counter)} = right_count"
                " FROM unnest(%s::bigint[], %s::integer[]) AS counted (counted_id, right_count) WHERE id = counted_id",
                [[each.id for each in found], [each.new_count for each in found]],
            )
    return drifts


def _drifted(counter: str, ids: list[int] | None = None) -> Iterator[Drift]:
    table, rows, key, condition = COUNTED[counter]
    column, owner = _column(counter), "distillation_id" if table == "topics" else "id"
    among = "" if ids is None else "AND {} = ANY (%(ids)s)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT counter.id, counter.{owner}, counter.{column}, coalesce(counted.number, 0)
              FROM {table} counter
              LEFT JOIN (SELECT {key} AS id, count(*) AS number FROM {rows}
                          WHERE {condition} AND {key} IS NOT NULL {among.format(key)} GROUP BY 1) counted
                     ON counted.id = counter.id
             WHERE counter.{column} <> coalesce(counted.number, 0) {among.format("counter.id")}
             ORDER BY counter.id
            """,
            {"ids": ids},
        )
        for pk, distillation, old, new in cursor.fetchall():
            yield Drift(counter, pk, distillation, old, new)


def _column(counter: str) -> str:
    return counter.removeprefix("topic_") if counter == "topic_usage_count" else counter


@contextmanager
def mending() -> Iterator[None]:
    """Within the block this transaction may write counters."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL pressroom.counters = 'mend'")
        yield
        cursor.execute("SET LOCAL pressroom.counters = ''")


def _keep_check(drifts: list[Drift]) -> None:
    UsageCheck.objects.filter(checked_at__lt=database_now() - CHECKS_KEPT).delete()
    UsageCheck.objects.exclude(spread=[], drifted_ids=[]).update(spread=[], drifted_ids=[])
    counted = list(Distillation.objects.by_usage())
    UsageCheck.objects.create(
        drifted=len(drifts),
        eligible=sum(can for _uses, can, _cannot in counted),
        uses=sum(uses * can for uses, can, _cannot in counted),
        drifted_ids=sorted({each.distillation_id for each in drifts})[:DRIFTED_KEPT],
        spread=bars_of(counted),
    )


# --- Reset ---------------------------------------------------------------------------------------


def reset_usage(distillation: Distillation, *, actor: Any) -> int:
    """Forget every use of one distillation; how many there were. Its articles stay.

    Articles that are being written count from now on. Drift does not stand in the way.
    """
    return reset_usage_of([distillation.pk], actor=actor)


def reset_usage_of(ids: Iterable[int], *, actor: Any) -> int:
    """reset_usage() of many distillations in one transaction; how many uses there were."""
    wanted = sorted(set(ids))

    def reset() -> int:
        locked = lock_rows(Distillation.objects.filter(pk__in=wanted))
        uses = DistillationUsage.objects.filter(distillation__in=locked)
        _mended(set(locked), set(uses.exclude(topic=None).values_list("topic", flat=True)))
        forgotten = _delete(uses)
        Distillation.objects.filter(pk__in=locked).update(usage_reset_at=ClockTimestamp())
        _record_reset(locked, forgotten, actor=actor)
        return forgotten

    return in_transaction(reset)


def _record_reset(ids: list[int], forgotten: int, *, actor: Any) -> None:
    """One event for the whole deed; about its distillation where there is just one."""
    if len(ids) == 1:
        about: Any = {"target": Distillation.objects.get(pk=ids[0]), "before": {"usageCount": forgotten}}
    else:
        before = {"usageCount": forgotten, "count": len(ids), "ids": ids[:IDS_AUDITED]}
        about = {"reference": (Distillation._meta.label_lower, ""), "before": before}
    if ids:
        record(actor=actor, action="usage.reset", after={"usageCount": 0}, **about)


def reset_all_usage(*, expected_total: int | None = None, actor: Any) -> int:
    """Forget every use of every distillation; how many there were.

    `expected_total` is how many uses who asks has seen; raises Conflict ("uses-changed") when there are others now.
    """

    def reset() -> int:
        # behind these locks nobody records a use, so what is counted is what is deleted
        lock_rows(Distillation.objects.all())
        uses = DistillationUsage.objects.all()
        total = uses.count()
        if expected_total is not None and total != expected_total:
            message = _("There are %(total)s uses now, not %(expected)s. Look again before you reset them.")
            raise Conflict("uses-changed", message % {"total": total, "expected": expected_total}, total=total)
        _mended(*_suspects())
        forgotten = _delete(uses)
        Distillation.objects.update(usage_reset_at=ClockTimestamp())
        record(actor=actor, action="usage.all-reset", before={"uses": forgotten}, after={"uses": 0})
        return forgotten

    return in_transaction(reset)


def _delete(uses: Any) -> int:
    deleted, _by_model = uses.delete()
    return int(deleted)
