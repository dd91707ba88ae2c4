"""What a worker holds while it works on a run."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from runs import failpoints
from runs.choices import RunError
from runs.errors import Contention, LeaseLost, Outage, RunFailed
from runs.models import Run
from runs.querysets import seconds_from_now
from runs.transactions import is_connection_lost
from watch import counters

logger = structlog.get_logger(__name__)

PAUSE_AFTER_OUTAGE_SECONDS = 5
PAUSE_GROWTH = 4  # five attempts outlast seven minutes, a restart or a failover of what is away
LONGEST_PAUSE_SECONDS = 3600  # whatever a server asks for


class Lease:
    """A claimed run. As a context manager it beats in the background, then finishes or gives back.

    On leaving the block:
        nothing raised                     completed, unless the block ended the run itself
        RunFailed                          failed with its slug; not raised further
        LeaseLost                          nothing is written: someone else owns the run; not raised further
        Outage                             given back for a while with its reason, failed at the attempt cap; not
                                           raised further
        database gone, contention, a stop  given back to the queue and raised; the attempt cap protects
        anything else                      logged with its traceback, failed as internal-error, raised
    """

    def __init__(self, model: type[Run], pk: Any, token: int) -> None:
        self.model, self.pk, self.token = model, pk, token
        self._ended = False
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._beat = threading.Thread(target=self._keep_beating, name=f"beat-{pk}", daemon=True)

    @classmethod
    def take(cls, model: type[Run], pk: Any) -> Lease | None:
        """Claim the run; None when it is taken, finished, not due or out of attempts."""
        failpoints.reached("claim.before")
        token = model.objects.claim(pk)
        if token is None:
            logger.info("run.not_claimed", run_kind=model._meta.label_lower, run_id=pk)
            return None
        failpoints.reached("claim.after")
        return cls(model, pk, token)

    @property
    def has_ended(self) -> bool:
        """Whether its holder ended the run, gave it back or parked it, be it in a transaction that is still open."""
        return self._ended

    def check(self) -> None:
        """Raise LeaseLost once a heartbeat has found that the run is no longer ours (cancelled, taken over).

        Costs nothing, for use within long work that writes nothing: up to a third of a lease late, so no fence.
        """
        if self._lost.is_set():
            raise LeaseLost

    def advance(self, **values: Any) -> None:
        """The fence of a transaction with effects (RunQuerySet.advance)."""
        self.model.objects.advance(self.pk, self.token, **values)

    def finish(self, status: str, **values: Any) -> None:
        """End the run. Raises LeaseLost when it is no longer ours."""
        self._ended = True
        if not self.model.objects.finish(self.pk, self.token, status, **values):
            raise LeaseLost

    def release(self, **values: Any) -> None:
        """Give the run back to the queue. Raises LeaseLost when it is no longer ours."""
        self._ended = True
        if not self.model.objects.release(self.pk, self.token, **values):
            raise LeaseLost

    def park(self, status: str, **values: Any) -> None:
        """Let the run wait for a person. Raises LeaseLost when it is no longer ours."""
        self._ended = True
        if not self.model.objects.park(self.pk, self.token, status, **values):
            raise LeaseLost

    def __enter__(self) -> Lease:
        # given back on leaving: a run that works on one of its parts goes on under its own name
        self._log_context = structlog.contextvars.bind_contextvars(
            run_id=self.pk, run_kind=self.model._meta.label_lower
        )
        self._beat.start()
        logger.info("run.started")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._stop.set()
        self._beat.join()
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()  # the error may be that the session is gone
        try:
            return self._conclude(error)
        except LeaseLost:
            logger.info("run.lease_lost")
            counters.add("pressroom_run_fenced_writes_total", kind=self.model._meta.label_lower)
            return error is None or isinstance(error, (LeaseLost, Outage, RunFailed))
        except (DatabaseError, InterfaceError):
            # the row keeps its lease, so the reaper will find it
            logger.warning("run.not_concluded", exc_info=True)
            return False
        finally:
            structlog.contextvars.reset_contextvars(**self._log_context)

    def _conclude(self, error: BaseException | None) -> bool:
        """Write the end of the run that fits `error`; True when the error goes no further."""
        statuses = self.model.STATUSES
        if error is None:
            if not self._ended:
                self.finish(statuses.completed, progress=100)
            logger.info("run.ended")
            return True
        if isinstance(error, LeaseLost):
            raise error
        if self._ended and not self.model.objects.held(self.pk, self.token).exists():
            return False  # an end whose transaction was rolled back is none
        if isinstance(error, RunFailed):
            logger.warning("run.failed", error=error.slug, text=error.text)
            self.finish(statuses.failed, error=error.slug, error_text=error.text)
            return True
        if isinstance(error, Outage):
            self._wait_out(error)
            return True
        if isinstance(error, (OperationalError, Contention)) or (
            isinstance(error, Exception) and is_connection_lost(error)
        ):
            logger.warning("run.released", reason=repr(error))
            self.release(not_before=seconds_from_now(PAUSE_AFTER_OUTAGE_SECONDS))
            return False
        if isinstance(error, Exception) and not is_stop(error):
            logger.error("run.crashed", exc_info=error)
            self.finish(statuses.failed, error=RunError.INTERNAL_ERROR, error_text=type(error).__name__)
            return False
        logger.info("run.released", reason=repr(error))
        self.release()
        return False

    def _wait_out(self, outage: Outage) -> None:
        """Back to the queue, longer each time it was in vain; at the attempt cap the outage is why it failed."""
        why = {"error": outage.slug, "error_text": str(outage)}
        run = self.model.objects.held(self.pk, self.token).first()
        if run is None:
            raise LeaseLost
        if run.attempt >= run.max_attempts:
            logger.warning("run.failed", error=outage.slug, text=str(outage))
            self.finish(self.model.STATUSES.failed, **why)
            return
        pause = PAUSE_AFTER_OUTAGE_SECONDS * PAUSE_GROWTH ** max(0, run.attempt - 1)
        pause = max(pause, min(outage.asked_to_wait, LONGEST_PAUSE_SECONDS))
        logger.warning("run.released", reason=str(outage), attempt=run.attempt, seconds=pause)
        self.release(not_before=seconds_from_now(pause), **why)

    def _keep_beating(self) -> None:
        """Extend the lease every third of it, on a connection of this thread's own."""
        try:
            while not self._stop.wait(settings.RUN_LEASE_SECONDS / 3):
                if not self._beat_once():
                    self._lost.set()
                    return
        finally:
            connection.close()

    def _beat_once(self) -> bool:
        """One heartbeat; False only when the lease is surely lost."""
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                # the worker's own batch may hold the row: then the lease was extended by its fence
                cursor.execute("SET LOCAL lock_timeout = '1s'")
                return self.model.objects.heartbeat(self.pk, self.token)
        except (DatabaseError, InterfaceError) as error:
            logger.info("run.heartbeat_skipped", reason=repr(error))
            connection.close()
            return True


def is_stop(error: BaseException) -> bool:
    """Whether the worker was told to stop, as against failing."""
    # billiard's SoftTimeLimitExceeded is an Exception; its name spares an import of the pool
    return type(error).__name__ == "SoftTimeLimitExceeded"


def is_nobodys_fault(error: BaseException) -> bool:
    """Whether it says nothing of the piece at hand: the lease is lost, a server or the database away, a stop asked."""
    away = (LeaseLost, Outage, Contention, OperationalError, InterfaceError)
    return isinstance(error, away) or is_stop(error) or (isinstance(error, Exception) and is_connection_lost(error))
