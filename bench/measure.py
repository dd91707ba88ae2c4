"""What a piece of work costs: time, CPU of clients and of PostgreSQL's backends, memory and WAL."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from django.db import connection

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class LeftOut(Exception):
    """The design cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Sample:
    """One pass of one design, measured once."""

    design: str
    kind: str  # the pass
    items: int
    seconds: float
    client_cpu: float  # seconds
    server_cpu: float
    peak_rss: int  # bytes
    wal: int
    notes: dict[str, float] = field(default_factory=dict)  # figures that only this design has


def nobody() -> Collection[int]:
    """No other process takes part."""
    return ()


class Meter:
    """Measures the block it surrounds: this process, its helpers, and PostgreSQL's client backends.

    `others` names the processes that do the work elsewhere, if any. `with_ended` counts also the CPU time of
    backends that ended within the block, for clients that open connections as they please; PostgreSQL tells
    it in ticks of 10 ms and mixes an autovacuum worker in. Its background processes (WAL writer,
    checkpointer) are not in the CPU time; their WAL is in the WAL. Needs Linux's /proc.
    """

    def __init__(self, *, others: Callable[[], Collection[int]] = nobody, with_ended: bool = False) -> None:
        self._others, self._with_ended = others, with_ended

    def __enter__(self) -> Meter:
        for pid in ("self", *self._others()):
            # 5 forgets the peak so far (proc(5)), so that preparing is not in it
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        self._wal = _wal_position()
        self._server_cpu = self._of_backends()
        self._client_cpu, self._began = self._of_clients(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._began
        if error is None:
            self.client_cpu = self._of_clients() - self._client_cpu
            self.server_cpu = self._of_backends() - self._server_cpu
            self.wal = _wal_position() - self._wal
            self.peak_rss = sum(map(peak_rss, self._others() or [os.getpid()]))

    def sample(self, design: str, kind: str, items: int, *, notes: dict[str, float] | None = None) -> Sample:
        """What was measured, per pass."""
        return Sample(
            design, kind, items, self.seconds, self.client_cpu, self.server_cpu, self.peak_rss, self.wal, notes or {}
        )  # fmt: skip

    def _of_clients(self) -> float:
        return time.process_time() + sum(_process_seconds(pid) for pid in self._others())

    def _of_backends(self) -> float:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
            living = sum(cpu_seconds(pid) for (pid,) in cursor.fetchall())
            if not self._with_ended:
                return living
            cursor.execute("SELECT pg_backend_pid()")
            postmaster = int(_stat(cursor.fetchone()[0])[1])
        return living + sum(map(int, _stat(postmaster)[13:15])) / TICKS_PER_SECOND


def _wal_position() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
        return int(cursor.fetchone()[0])


def cpu_seconds(pid: int) -> float:
    """What a backend has used so far."""
    # schedstat counts nanoseconds, but of the first thread only; a backend has no other
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
        return 0.0


def _process_seconds(pid: int) -> float:
    """CPU time of all threads of a process, ended ones included, in ticks of 10 ms."""
    return sum(map(int, _stat(pid)[11:13])) / TICKS_PER_SECOND


def _stat(pid: int) -> list[str]:
    # the fields after the name, which may hold spaces: 0 is the state, 1 the parent (proc(5))
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def peak_rss(pid: int) -> int:
    """The most memory a process has held, in bytes."""
    # not getrusage(): there a child inherits the peak of its parent
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
