"""Routes of the API at two sizes (bench/pages.py), beside a bare DRF view of one page of the same table.

The rows are those of bench/api/rows.py. Every request is that of somebody signed in and passes all middleware, the
bare view's too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from bench.api import rows as api_rows
from bench.ground import Ground
from bench.measure import Meter
from bench.pages import BUFFERS_AT_MOST, SLOWER_AT_MOST, SMALL, Size, both, cost_of, marks, without_caches

ROUNDS, REQUESTS = 10, 10
BARE = "/bare"
TIMES_BARE_AT_MOST = 3.0


@dataclass
class Route:
    """What one request costs: milliseconds, and at the large size what it asks of the machine and the database."""

    name: str
    rows: int
    small: list[float]  # p50, p95 and p99
    large: list[float]
    bare: list[float]
    queries: int
    buffers: int
    cpu: float  # seconds of a request, here and in its backend
    peak_rss: int
    wal: float  # bytes

    @property
    def misses(self) -> list[str]:
        """What of the promise it does not keep."""
        found = []
        if self.large[1] > SLOWER_AT_MOST * self.small[1]:
            found.append(f"more than {SLOWER_AT_MOST:g} times the p95 of {SMALL:,} rows")
        if self.buffers > BUFFERS_AT_MOST:
            found.append(f"more than {BUFFERS_AT_MOST:,} buffers")
        if self.large[0] > TIMES_BARE_AT_MOST * self.bare[0]:
            found.append(f"more than {TIMES_BARE_AT_MOST:g} times the bare view")
        return found

    def as_json(self) -> dict[str, Any]:
        """In the shape of every bench, and what is told of routes beside it."""
        named = dict(zip(("p50Ms", "p95Ms", "p99Ms"), (round(each, 2) for each in self.large), strict=True))
        return {
            "design": "ours",
            "pass": self.name,
            "rows": self.rows,
            "perSecond": round(1000 / self.large[0], 1),
            "cpuUsPerItem": round(1e6 * self.cpu, 1),
            "peakRssMb": round(self.peak_rss / 2**20, 1),
            "walBytesPerItem": round(self.wal, 1),
            "ratioToLimit": round(self.bare[0] / self.large[0], 3),
            "ratioToNaive": None,
            **named,
            "p50MsSmall": round(self.small[0], 2),
            "p95MsSmall": round(self.small[1], 2),
            "p50MsBare": round(self.bare[0], 2),
            "timesSmall": round(self.large[1] / self.small[1], 2),
            "timesBare": round(self.large[0] / self.bare[0], 2),
            "queries": self.queries,
            "buffers": self.buffers,
            "misses": self.misses,
        }


def run(design: str, rows: int) -> Iterator[Route]:
    """Ours at both sizes and the bare view at the large one by turns, so that a noisy minute falls on all."""
    with without_caches(ROOT_URLCONF="bench.api.bare"):
        small, large = both(rows, api_rows.fill, _addresses)
        for name, address in large.pages.items():
            bare = f"{BARE}/{api_rows.TABLE_OF[name.split('?')[0]]}?pageSize={api_rows.page_size(name)}"
            spent: dict[str, list[float]] = {"small": [], "large": [], "bare": []}
            for _round in range(ROUNDS):
                spent["small"] += small.spent(small.pages[name], REQUESTS)
                spent["large"] += large.spent(address, REQUESTS)
                spent["bare"] += large.spent(bare, REQUESTS)
            queries, buffers, _read_through = cost_of(large.client, address)
            cpu, peak_rss, wal = _measured(large, address)
            times = {each: list(marks(milliseconds)) for each, milliseconds in spent.items()}
            yield Route(name, rows, **times, queries=queries, buffers=buffers, cpu=cpu, peak_rss=peak_rss, wal=wal)


def _addresses(rows: int) -> dict[str, str]:
    return {name: api_rows.PREFIX + address for name, address in api_rows.addresses(rows).items()}


def _measured(size: Size, address: str) -> tuple[float, int, float]:
    """CPU seconds and WAL of a request, and the most memory that was held."""
    connection.ensure_connection()
    with Meter() as meter:
        for _ in range(REQUESTS):
            size.client.get(address).close()
    return (meter.client_cpu + meter.server_cpu) / REQUESTS, meter.peak_rss, meter.wal / REQUESTS


HEADINGS = (
    "route", f"p50 at {SMALL:,}", "p95", "p50 at {rows:,}", "p95", "p99", "× p95", "bare p50", "× bare", "queries",
    "buffers", "CPU ms",
)  # fmt: skip


def report(rows: int, *, as_json: bool) -> None:
    """Measure and print, as a table for docs/benchmarks.md or as JSON."""
    ground = Ground()
    machine = ground.machine()
    results = [Route(**each).as_json() for each in ground.taken("api", "routes", rows)]
    if as_json:
        told = {"bench": "api", "machine": str(machine), "postgresql": machine.postgresql, "rowsSmall": SMALL}
        print(json.dumps(told | {"results": results}, ensure_ascii=False))
        return
    print(f"{machine}; {ROUNDS * REQUESTS} requests each\n")
    print(f"| {' | '.join(HEADINGS)} |".format(rows=rows))
    print("|" + " --- |" * len(HEADINGS))
    for each in results:
        cells = [
            f"`{each['pass']}`", *(f"{each[name]:.1f}" for name in ("p50MsSmall", "p95MsSmall")),
            *(f"{each[name]:.1f}" for name in ("p50Ms", "p95Ms", "p99Ms")), f"{each['timesSmall']:.2f}",
            f"{each['p50MsBare']:.1f}", f"{each['timesBare']:.2f}", str(each["queries"]), f"{each['buffers']:,}",
            f"{each['cpuUsPerItem'] / 1000:.1f}",
        ]  # fmt: skip
        print(f"| {' | '.join(cells)} |" + "".join(f" **{miss}**" for miss in each["misses"]))
