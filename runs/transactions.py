"""Whole transactions, retried when they lose against others."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    connections,
    transaction,
)

from runs.errors import Contention, DatabaseLost
from watch import counters

logger = structlog.get_logger(__name__)

T = TypeVar("T")

SERIALIZATION_FAILURE, DEADLOCK, LOCK_NOT_AVAILABLE = "40001", "40P01", "55P03"
FOREIGN_KEY_VIOLATION = "23503"  # often at COMMIT: a row that was looked up and named was deleted meanwhile
CONFLICTS = {SERIALIZATION_FAILURE, DEADLOCK, LOCK_NOT_AVAILABLE, FOREIGN_KEY_VIOLATION}

# connection exceptions, operator intervention, and the idle timeout that ends a frozen worker's session
LOST = ("08", "57P", "25P03")

# full jitter: an immediate retry of everyone at once collides with everyone again
JITTER_SECONDS = (0.02, 0.5)


def retried(work: Callable[[], T], *, also: tuple[type[Exception], ...] = (), using: str = "default") -> T:
    """Run `work`, which opens its own transactions, again when the database refuses or is lost.

    `work` may run up to 1 + DB_RETRY_ATTEMPTS times and must be safe to repeat, since a COMMIT whose
    connection broke may have been applied. Inside a transaction of the caller it runs once: half a
    transaction cannot be retried. `also` are the caller's own exceptions that a repeat may cure.
    Raises Contention when every attempt lost, as DatabaseLost when the database was away at the end.
    """
    if connections[using].in_atomic_block:
        return work()
    for attempt in range(settings.DB_RETRY_ATTEMPTS + 1):
        try:
            return work()
        except (OperationalError, InterfaceError, InternalError, IntegrityError, *also) as error:  # type: ignore[misc]
            if not isinstance(error, also) and not is_retryable(error):
                raise
            last = error
            logger.warning("transaction.conflict", sqlstate=sqlstate(error), attempt=attempt + 1)
            counters.add("pressroom_transaction_conflicts_total", cause=_cause(error))
            if not connections[using].is_usable():
                connections[using].close()
            if attempt < settings.DB_RETRY_ATTEMPTS:
                time.sleep(random.uniform(*JITTER_SECONDS))  # noqa: S311 - jitter, not a secret
    counters.add("pressroom_transactions_failed_total")
    raise DatabaseLost if is_connection_lost(last) else Contention from last


def atomic_retried(work: Callable[[], T], *, using: str = "default") -> T:
    """Like retried(), with one transaction around `work`."""

    def in_transaction() -> T:
        with transaction.atomic(using=using):
            return work()

    return retried(in_transaction, using=using)


def is_retryable(error: Exception) -> bool:
    """Whether a repeat may succeed: a conflict with others, or a lost connection."""
    return sqlstate(error) in CONFLICTS or is_connection_lost(error)


def is_connection_lost(error: Exception) -> bool:
    """Whether the session is gone, as against one statement refused."""
    if isinstance(error, InterfaceError):
        return True
    state = sqlstate(error)
    if state is None:  # other errors without a code are psycopg's own: a value it cannot read or write
        return isinstance(error, OperationalError)
    return isinstance(error, DatabaseError) and state.startswith(LOST)


def _cause(error: Exception) -> str:
    """Why a transaction lost, as a metric's label: PostgreSQL's code or the name of our own exception."""
    if isinstance(error, DatabaseError | InterfaceError):
        return sqlstate(error) or "connection-lost"
    return type(error).__name__


def sqlstate(error: Exception) -> str | None:
    """PostgreSQL's code of the error; None when the connection broke before one arrived."""
    return getattr(error.__cause__, "sqlstate", None)
