"""Deletes by age what nobody needs any more: the only way past the append-only triggers.

An app names what may go as `prunable = {name: "dotted.path"}` in its AppConfig. The path is a function
`(before) → queryset of the rows that ended before that moment`; what is no row (a file) is given as an
object with `count() → int` and `delete(limit) → int`, which is asked until it deletes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pgtrigger
from axes.models import AccessAttempt
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection, models, transaction
from django.db.models import Max, Q
from django.utils.module_loading import import_string

from access.models import AccessToken, AuditEvent
from access.services import Actor, record

BATCH = 5_000

KEEP_WATERMARK = """
    INSERT INTO access_pruning AS p (table_name, up_to_id, up_to_at)
    VALUES (%s, %s, %s)
    ON CONFLICT (table_name) DO UPDATE
       SET up_to_id = greatest(p.up_to_id, excluded.up_to_id),
           up_to_at = greatest(p.up_to_at, excluded.up_to_at),
           updated_at = now()
"""


class Prunable(Protocol):
    """Things that may go."""

    def count(self) -> int:
        """How many there are."""

    def delete(self, limit: int) -> int:
        """Delete some of them in a transaction of its own; how many, 0 when none is left."""


@dataclass(frozen=True)
class Pruned:
    """What became, or in a dry run would become, of one kind."""

    name: str
    rows: int


def kinds() -> dict[str, Callable[[datetime], Any]]:
    """Everything that may be pruned, by name."""
    return {
        name: import_string(path)
        for config in apps.get_app_configs()
        for name, path in getattr(config, "prunable", {}).items()
    }


def count(name: str, before: datetime) -> Pruned:
    """How much there is to prune; deletes nothing."""
    return Pruned(name, _prunable(name, before).count())


def prune(name: str, before: datetime, *, actor: Actor) -> Pruned:
    """Delete everything of one kind that is older, batch by batch.

    Each batch is a transaction, so a stop half-way loses nothing and the next call goes on. The audit log
    says before the first batch what is about to go, and at the end how much went.
    """
    going = _prunable(name, before)
    wish = {"what": name, "olderThan": before}
    record(actor=actor, action="prune.started", after=wish)
    rows = 0
    while deleted := going.delete(BATCH):
        rows += deleted
    record(actor=actor, action="prune.finished", after=wish | {"rows": rows})
    return Pruned(name, rows)


def _prunable(name: str, before: datetime) -> Prunable:
    found = kinds()[name](before)
    return OldRows(found, before) if isinstance(found, models.QuerySet) else found


class OldRows:
    """Rows of one table, deleted in the order of their keys."""

    def __init__(self, rows: models.QuerySet, before: datetime) -> None:
        self._rows, self._before = rows.order_by("pk"), before
        self._model = rows.model
        self._last: Any = None  # deleted so far; the index is not read again from its emptied beginning
        self._highest: Any = None

    def count(self) -> int:
        return self._rows.order_by().count()

    def delete(self, limit: int) -> int:
        if self._highest is None:
            # found once: else the last batch would read everything that stays, to learn that nothing is left
            self._highest = self._rows.aggregate(highest=Max("pk"))["highest"]
            if self._highest is None:
                return 0
        rows = self._rows.filter(pk__lte=self._highest)
        if self._last is not None:
            rows = rows.filter(pk__gt=self._last)
        with transaction.atomic(), pgtrigger.ignore(*_append_only_triggers(self._model)):
            chosen = list(rows.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:limit])
            if not chosen:
                return 0
            if _append_only_triggers(self._model):
                self._keep_watermark(chosen[-1])
            self._model._base_manager.filter(pk__in=chosen).delete()
        self._last = chosen[-1]
        return len(chosen)

    def _keep_watermark(self, highest: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(KEEP_WATERMARK, [self._model._meta.db_table, highest, self._before])


def _append_only_triggers(model: type[models.Model]) -> list[str]:
    """The triggers that keep everybody else from deleting rows of this table."""
    return [
        f"{model._meta.label}:{trigger.name}"
        for trigger in getattr(model._meta, "triggers", [])
        if isinstance(trigger, pgtrigger.Protect) and trigger.operation and pgtrigger.Delete in trigger.operation
    ]


# --- what this room has that may go --------------------------------------------------------------


def audit_events(before: datetime) -> models.QuerySet:
    """What everybody did, before that moment."""
    return AuditEvent.objects.filter(created_at__lt=before)


def sign_in_attempts(before: datetime) -> models.QuerySet:
    """Failed sign-ins whose lockout is long over."""
    return AccessAttempt.objects.filter(attempt_time__lt=before)


def tokens(before: datetime) -> models.QuerySet:
    """API tokens that expired or were revoked; the audit log still knows of them."""
    return AccessToken.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before))


def sessions(before: datetime) -> models.QuerySet:
    """Browser sessions that expired."""
    return Session.objects.filter(expire_date__lt=before)
