"""The only ways a run changes state: guarded UPDATEs that say whether they won.

All times are the database's clock_timestamp(): now() stands still inside a transaction, and a
worker's own clock may be wrong.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connections, models
from django.db.models import Case, F, Func, Q, Value, When
from django.db.models.functions import Coalesce

from runs.choices import Statuses, StepOutcome
from runs.errors import LeaseLost
from watch import counters


class ClockTimestamp(Func):
    """The database's wall clock, moving on inside a transaction."""

    template = "clock_timestamp()"
    output_field = models.DateTimeField()


def seconds_from_now(seconds: float) -> Func:
    """The database's wall clock plus `seconds` (may be negative)."""
    return Func(
        Value(seconds),
        template="(clock_timestamp() + make_interval(secs => %(expressions)s))",
        output_field=models.DateTimeField(),
    )


class RunQuerySet(models.QuerySet):
    """Questions about runs and their guarded movements."""

    @property
    def statuses(self) -> Statuses:
        """What the status words of this kind of run mean."""
        return self.model.STATUSES  # type: ignore[attr-defined, no-any-return]

    def open(self) -> RunQuerySet:
        """Queued, held by a worker, or waiting for a person."""
        return self.filter(status__in=self.statuses.open)

    def active(self) -> RunQuerySet:
        """Held by a worker, alive or not."""
        return self.filter(status__in=self.statuses.active)

    def finished(self) -> RunQuerySet:
        """In a final status."""
        return self.filter(status__in=self.statuses.final)

    def with_stalled(self) -> RunQuerySet:
        """Annotates `stalled`: a worker holds the run but its lease has run out."""
        is_expired = Q(status__in=self.statuses.active, lease_until__lt=ClockTimestamp())
        return self.annotate(stalled=Case(When(is_expired, then=True), default=False))

    def unhandled_failures(self) -> RunQuerySet:
        """Failed, and no later run has taken over."""
        return self.filter(status=self.statuses.failed, superseded_by=None)

    def expired(self) -> RunQuerySet:
        """Held by a worker whose lease has run out."""
        return self.active().filter(lease_until__lt=ClockTimestamp())

    def forgotten(self, *, older_than: float) -> RunQuerySet:
        """Queued and due, but no bell was rung for it within the last `older_than` seconds."""
        return self.filter(
            Q(not_before=None) | Q(not_before__lte=ClockTimestamp()),
            Q(dispatched_at=None) | Q(dispatched_at__lt=seconds_from_now(-older_than)),
            status=self.statuses.queued,
        )

    def claim(self, pk: Any) -> int | None:
        """Take a queued or expired run for this worker; its fencing token, or None if not to be had.

        None means: taken, finished, not due yet, or out of attempts. All are left alone by the caller.
        """
        table = connections[self.db].ops.quote_name(self.model._meta.db_table)
        key = connections[self.db].ops.quote_name(str(self.model._meta.pk.column))
        statuses = self.statuses
        with connections[self.db].cursor() as cursor:
            cursor.execute(
                f"""
                UPDATE {table}
                   SET status = CASE WHEN status = %(queued)s THEN %(running)s ELSE status END,
                       lease_token = nextval('runs_fencing_token'),
                       lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
                       heartbeat_at = clock_timestamp(),
                       started_at = coalesce(started_at, clock_timestamp()),
                       attempt = attempt + 1,
                       error = '', error_text = '',
                       updated_at = clock_timestamp()
                  FROM (SELECT lease_token IS NOT NULL AS was_held FROM {table} WHERE {key} = %(pk)s) before
                 WHERE {key} = %(pk)s
                   AND attempt < max_attempts
                   AND ((status = %(queued)s AND (not_before IS NULL OR not_before <= clock_timestamp()))
                        OR (status = ANY(%(active)s) AND lease_until < clock_timestamp()))
                RETURNING lease_token, was_held
                """,
                {
                    "pk": pk,
                    "queued": str(statuses.queued),
                    "running": str(statuses.running),
                    "active": [str(status) for status in statuses.active],
                    "lease": settings.RUN_LEASE_SECONDS,
                },
            )
            row = cursor.fetchone()
        if row is None:
            return None
        token, was_held = row
        if was_held:
            counters.add("pressroom_run_lease_expiries_total", kind=self.model._meta.label_lower)
        return token  # type: ignore[no-any-return]

    def held(self, pk: Any, token: int) -> RunQuerySet:
        """The run, if this token still holds it."""
        return self.filter(pk=pk, lease_token=token, status__in=self.statuses.active)

    def heartbeat(self, pk: Any, token: int, **values: Any) -> bool:
        """Extend the lease; False when the token no longer holds the run."""
        return self.held(pk, token).update(**self._lease_values(), **values) == 1

    def advance(self, pk: Any, token: int, **values: Any) -> None:
        """The fence that opens every transaction with effects: extend the lease and record progress.

        Progress clears `attempt`, so only a run that dies without any comes to its cap.
        Raises LeaseLost when the token no longer holds the run.
        """
        if not self.heartbeat(pk, token, attempt=0, **values):
            raise LeaseLost

    def finish(self, pk: Any, token: int, status: str, **values: Any) -> bool:
        """Move a held run to a final status; False when the token no longer holds it."""
        return self.held(pk, token).update(**self._final_values(status), **values) == 1

    def release(self, pk: Any, token: int, *, not_before: Any = None, **values: Any) -> bool:
        """Give a held run back to the queue; False when the token no longer holds it."""
        return self.held(pk, token).update(**self._queued_values(), not_before=not_before, **values) == 1

    def park(self, pk: Any, token: int, status: str, **values: Any) -> bool:
        """Let a held run wait for a person in this waiting status; False when the token no longer holds it."""
        assert status in self.statuses.waiting, status
        return self.held(pk, token).update(**(self._queued_values() | {"status": status}), **values) == 1

    def unpark(self, pk: Any, **values: Any) -> bool:
        """Queue a waiting run; False when it waits no more, so of two persons one wins."""
        waiting = self.filter(pk=pk, status__in=self.statuses.waiting)
        return waiting.update(**self._queued_values(), attempt=0, **values) == 1

    def cancel(self, pk: Any) -> bool:
        """End an open run at once: its worker stops at the next fence. False when already final."""
        return self.filter(pk=pk).cancel_open() == 1

    def cancel_open(self) -> int:
        """End all of these that are open at once, in one statement; how many."""
        return self.open().update(**self._final_values(self.statuses.cancelled))

    def reopen(self, pk: Any, *, of: Collection[str], **values: Any) -> bool:
        """Queue an ended run of one of these statuses again, as if new but for its steps; False when it is in none.

        Only for a RunWithSteps, whose `retries` counts it: the number tells one retry's steps from the next.
        """
        return self.filter(pk=pk).reopen_ended(of=of, **values) == 1

    def reopen_ended(self, *, of: Collection[str], **values: Any) -> int:
        """The same for all of these that are in one of the statuses, in one statement; how many."""
        assert not set(of) & set(self.statuses.open), of
        fresh: dict[str, Any] = {
            **self._queued_values(),
            "retries": F("retries") + 1,
            "progress": 0,
            "attempt": 0,
            "not_before": None,
            "started_at": None,
            "finished_at": None,
            "heartbeat_at": None,
            "error": "",
            "error_text": "",
        }
        return self.filter(status__in=of).update(**(fresh | values))

    def requeue_expired(self, *, limit: int = 100) -> list[Any]:
        """Give back to the queue what dead workers hold and may still be tried; the keys."""
        expired = self.expired().filter(attempt__lt=F("max_attempts"))
        return self._move_unlocked(expired, limit, **self._queued_values())

    def fail_exhausted(self, *, error: str, limit: int = 100) -> list[Any]:
        """Fail what ran out of attempts, whether its worker died or gave it back; the keys."""
        exhausted = self.filter(
            Q(status=self.statuses.queued) | Q(status__in=self.statuses.active, lease_until__lt=ClockTimestamp()),
            attempt__gte=F("max_attempts"),
        )
        return self._move_unlocked(exhausted, limit, **self._final_values(self.statuses.failed), error=error)

    def ring_done(self, pk: Any) -> None:
        """Remember that a message for this run was sent."""
        self.filter(pk=pk).update(dispatched_at=ClockTimestamp())

    def ring_failed(self, pk: Any) -> None:
        """Take back that a message was sent: the reaper's next round sends one."""
        self.filter(pk=pk, status=self.statuses.queued).update(dispatched_at=None)

    def _move_unlocked(self, chosen: RunQuerySet, limit: int, **values: Any) -> list[Any]:
        """Update rows that nobody holds locked right now; must run inside a transaction."""
        keys = list(
            chosen.order_by("pk").select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)[:limit]
        )
        if keys:
            self.filter(pk__in=keys).update(**values)
        return keys

    def _lease_values(self) -> dict[str, Any]:
        return {
            "lease_until": seconds_from_now(settings.RUN_LEASE_SECONDS),
            "heartbeat_at": ClockTimestamp(),
            "updated_at": ClockTimestamp(),
        }

    def _queued_values(self) -> dict[str, Any]:
        return {
            "status": self.statuses.queued,
            "lease_token": None,
            "lease_until": None,
            "dispatched_at": None,
            "updated_at": ClockTimestamp(),
        }

    def _final_values(self, status: str) -> dict[str, Any]:
        return {
            "status": status,
            "lease_token": None,
            "lease_until": None,
            "started_at": Coalesce("started_at", ClockTimestamp()),
            "finished_at": ClockTimestamp(),
            "updated_at": ClockTimestamp(),
        }


class StepRecordQuerySet(models.QuerySet):
    """Questions about what the steps of runs made."""

    def of(self, run: models.Model) -> StepRecordQuerySet:
        """The steps of one run."""
        whose: dict[str, Any] = {"run": run}
        return self.filter(**whose)

    def usable(self) -> StepRecordQuerySet:
        """What a later attempt or retry need not make again, if its input is the same."""
        return self.filter(is_void=False).exclude(outcome=StepOutcome.FAILED)

    def failed_in(self, retry: int) -> StepRecordQuerySet:
        """What this retry has tried in vain."""
        return self.filter(is_void=False, outcome=StepOutcome.FAILED, retry=retry)

    def in_order(self) -> StepRecordQuerySet:
        """As they happened."""
        return self.order_by("retry", "id")

    def make_void(self) -> int:
        """Have these steps made anew; how many."""
        return self.filter(is_void=False).update(is_void=True, updated_at=ClockTimestamp())


def database_now(using: str = "default") -> datetime:
    """The database's wall clock as an aware datetime."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]
