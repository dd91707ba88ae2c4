"""Counters that every process adds to and that outlive all of them.

A process adds in memory and hands over what it has in one statement, FLUSH_SECONDS after the first
addition, from a thread and a connection of its own; so nobody's work waits for it, and a process in which
nothing happens costs nothing. kill -9 loses the last few seconds of counting; a COMMIT of unknown outcome
may count them twice. A table and not files in shared memory, because web processes and workers need not
share a disk, and because dead processes leave no file behind.
"""

import atexit
import json
import os
import threading
from collections import Counter as Tally
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

logger = structlog.get_logger(__name__)

# a runaway label must fill neither memory nor table
MOST_KEYS = 5_000

Key = tuple[str, tuple[tuple[str, str], ...]]  # name, labels in order

ADD = """
    INSERT INTO watch_counter AS c (name, labels, value, changed_at)
    SELECT name, labels::jsonb, value, clock_timestamp()
      FROM unnest(%s::text[], %s::text[], %s::float8[]) AS a (name, labels, value)
     ORDER BY name, labels  -- one order for all, so that two processes never lock crosswise
    ON CONFLICT (name, labels) DO UPDATE
       SET value = c.value + excluded.value, changed_at = excluded.changed_at
"""

_lock = threading.Lock()
_pending: Tally[Key] = Tally()
_timer: threading.Timer | None = None


def add(name: str, amount: float = 1, /, **labels: str) -> None:
    """Add to a counter. Never raises, never waits for a server."""
    global _timer
    key = (name, tuple(sorted(labels.items())))
    with _lock:
        if key not in _pending and len(_pending) >= MOST_KEYS:
            return
        _pending[key] += amount  # type: ignore[assignment]
        if _timer is None and settings.METRICS_FLUSH_SECONDS:
            _timer = threading.Timer(settings.METRICS_FLUSH_SECONDS, _flush_in_thread)
            _timer.daemon = True
            _timer.start()


def pending() -> int:
    """How many counters this process has not handed over yet."""
    return len(_pending)


def flush() -> None:
    """Hand over what this process has counted, on the calling thread's connection.

    What cannot be handed over is kept for the next time. Raises what the database raises.
    """
    global _timer
    with _lock:
        taken = _pending.copy()
        _pending.clear()
        if _timer is not None:
            _timer.cancel()
            _timer = None
    if not taken:
        return
    try:
        with connection.cursor() as cursor:
            names = [name for name, _labels in taken]
            labels = [json.dumps(dict(labels)) for _name, labels in taken]
            cursor.execute(ADD, [names, labels, list(map(float, taken.values()))])
    except BaseException:
        with _lock:
            _pending.update(taken)
        raise


def flush_quietly(*args: Any, **kwargs: Any) -> bool:
    """Hand over; a failure is only noted, since counting must never fail the work. Whether it worked."""
    try:
        flush()
    except Exception as error:
        logger.info("counters.kept", reason=repr(error))
        return False
    return True


def flush_at_exit() -> None:
    """Arrange for the last counts of this process, and that a fork begins at zero."""
    atexit.register(_last_flush)
    os.register_at_fork(after_in_child=_forget)


def _flush_in_thread() -> None:
    try:
        if not flush_quietly():
            add("pressroom_counter_flushes_failed_total")  # which also sets the next time
    finally:
        connection.close()


def _last_flush() -> None:
    if _pending and settings.METRICS_FLUSH_SECONDS:
        flush_quietly()


def _forget() -> None:
    """In a forked child: the parent hands over its own counts, and its timer does not run here."""
    global _lock, _timer
    _lock = threading.Lock()
    _timer = None
    _pending.clear()
