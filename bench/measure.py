"""What a piece of work costs, and what many such measurements say."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any

from django.db import connection


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


class Meter:
    """Measures the block it surrounds: this process and the PostgreSQL backend of its connection.

    Background processes of PostgreSQL (WAL writer, checkpointer) are not in the CPU time; their WAL is in
    the WAL. Needs Linux's /proc.
    """

    def __enter__(self) -> Meter:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (self._backend,) = cursor.fetchone()
        # 5 forgets the peak so far (proc(5)), so that preparing is not in it
        Path("/proc/self/clear_refs").write_text("5")
        self._wal = _wal_position()
        self._server_cpu = _cpu_seconds(self._backend)
        self._client_cpu, self._began = time.process_time(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._began
        self.client_cpu = time.process_time() - self._client_cpu
        if error is None:
            self.server_cpu = _cpu_seconds(self._backend) - self._server_cpu
            self.wal = _wal_position() - self._wal
            self.peak_rss = _peak_rss()

    def sample(self, design: str, kind: str, items: int) -> Sample:
        """What was measured, per pass."""
        return Sample(
            design, kind, items, self.seconds, self.client_cpu, self.server_cpu, self.peak_rss, self.wal
        )  # fmt: skip


@dataclass(frozen=True)
class Result:
    """The medians of all rounds of one pass of one design."""

    design: str
    kind: str
    per_second: float
    slowest: float
    fastest: float
    client_cpu_us: float
    server_cpu_us: float
    peak_rss_mb: float
    wal_bytes: float
    to_limit: float | None = None
    to_naive: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The promised shape of `--json`."""
        return {
            "design": self.design,
            "pass": self.kind,
            "perSecond": round(self.per_second, 1),
            "cpuUsPerItem": round(self.client_cpu_us + self.server_cpu_us, 1),
            "peakRssMb": round(self.peak_rss_mb, 1),
            "walBytesPerItem": round(self.wal_bytes, 1),
            "ratioToLimit": self.to_limit and round(self.to_limit, 3),
            "ratioToNaive": self.to_naive and round(self.to_naive, 2),
        }


def results(samples: list[Sample], *, limit: str, naive: str) -> list[Result]:
    """Medians per design and pass, in the order measured, and their ratios to two of the designs."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.design, sample.kind), []).append(sample)
    rates = {key: median(_rate(each) for each in group) for key, group in groups.items()}

    def ratio(design: str, kind: str, other: str) -> float | None:
        return rates[design, kind] / rates[other, kind] if (other, kind) in rates else None

    return [
        Result(
            design,
            kind,
            per_second=rates[design, kind],
            slowest=min(map(_rate, group)),
            fastest=max(map(_rate, group)),
            client_cpu_us=median(each.client_cpu / each.items for each in group) * 1e6,
            server_cpu_us=median(each.server_cpu / each.items for each in group) * 1e6,
            peak_rss_mb=median(each.peak_rss for each in group) / 2**20,
            wal_bytes=median(each.wal / each.items for each in group),
            to_limit=ratio(design, kind, limit),
            to_naive=ratio(design, kind, naive),
        )
        for (design, kind), group in groups.items()
    ]


def _rate(sample: Sample) -> float:
    return sample.items / sample.seconds


def _wal_position() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
        return int(cursor.fetchone()[0])


def _cpu_seconds(pid: int) -> float:
    # schedstat counts nanoseconds; stat counts ticks of 10 ms
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _peak_rss() -> int:
    # not getrusage(): there a child inherits the peak of its parent
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
