"""What many measurements say: medians per design and pass, and ratios between designs."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.measure import Sample


@dataclass(frozen=True)
class Result:
    """The medians of all rounds of one pass of one design."""

    design: str
    kind: str
    rows: int
    per_second: float
    slowest: float
    fastest: float
    client_cpu_us: float
    server_cpu_us: float
    peak_rss_mb: float
    wal_bytes: float
    notes: dict[str, float]
    ratios: dict[str, float]  # to another design's rate in the same pass

    @property
    def cpu_us(self) -> float:
        """Of clients and backends together, per item."""
        return self.client_cpu_us + self.server_cpu_us

    def as_json(self, *, limit: str | None, naive: str | None) -> dict[str, Any]:
        """The promised shape of `--json`, and beside it what else is known."""
        return {
            "design": self.design,
            "pass": self.kind,
            "perSecond": round(self.per_second, 1),
            "cpuUsPerItem": round(self.cpu_us, 1),
            "peakRssMb": round(self.peak_rss_mb, 1),
            "walBytesPerItem": round(self.wal_bytes, 1),
            "ratioToLimit": _rounded(self.ratios.get(limit or ""), 3),
            "ratioToNaive": _rounded(self.ratios.get(naive or ""), 2),
            "rows": self.rows,
            "clientCpuUsPerItem": round(self.client_cpu_us, 1),
            "serverCpuUsPerItem": round(self.server_cpu_us, 1),
            "slowestPerSecond": round(self.slowest, 1),
            "fastestPerSecond": round(self.fastest, 1),
            "notes": {name: round(note, 2) for name, note in self.notes.items()},
            "ratioTo": {other: round(ratio, 3) for other, ratio in self.ratios.items() if other not in (limit, naive)},
        }


def results(samples: list[Sample], *, to: tuple[str, ...]) -> list[Result]:
    """Medians per design, pass and size in the order measured, with their ratios to these designs.

    Compared is what did as many rows; a design that does fewer than the others, since its rate does not depend on
    them, with what it did most of.
    """
    groups: dict[tuple[str, str, int], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.design, sample.kind, sample.items), []).append(sample)
    rates: dict[tuple[str, str], dict[int, float]] = {}
    for (design, kind, items), group in groups.items():
        rates.setdefault((design, kind), {})[items] = median(map(_rate, group))
    return [
        Result(
            design,
            kind,
            rows=items,
            per_second=median(map(_rate, group)),
            slowest=min(map(_rate, group)),
            fastest=max(map(_rate, group)),
            client_cpu_us=median(each.client_cpu / each.items for each in group) * 1e6,
            server_cpu_us=median(each.server_cpu / each.items for each in group) * 1e6,
            peak_rss_mb=median(each.peak_rss for each in group) / 2**20,
            wal_bytes=median(each.wal / each.items for each in group),
            notes={name: median(each.notes[name] for each in group) for name in group[0].notes},
            ratios={
                other: rates[design, kind][items] / _at(items, rates[other, kind])
                for other in to
                if (other, kind) in rates
            },
        )
        for (design, kind, items), group in groups.items()
    ]


def _at(items: int, rates: dict[int, float]) -> float:
    """The rate at this size, or at the largest there is."""
    return rates.get(items) or rates[max(rates)]


@dataclass(frozen=True)
class Growth:
    """One pass at the largest size as against the smallest: 1.0 is flat."""

    design: str
    kind: str
    smallest: int
    largest: int
    cpu: float  # per item
    memory: float

    def as_json(self) -> dict[str, Any]:
        """Beside the results of `--json`."""
        return {
            "design": self.design,
            "pass": self.kind,
            "from": self.smallest,
            "to": self.largest,
            "cpuPerItemRatio": round(self.cpu, 3),
            "peakRssRatio": round(self.memory, 3),
        }


def growth(found: list[Result]) -> list[Growth]:
    """How cost per item and memory grow from the fewest rows to the most, per design and pass."""
    grown = []
    for design, kind in dict.fromkeys((each.design, each.kind) for each in found):
        sizes = sorted((each for each in found if (each.design, each.kind) == (design, kind)), key=lambda one: one.rows)
        least, most = sizes[0], sizes[-1]
        ratios = most.cpu_us / least.cpu_us, most.peak_rss_mb / least.peak_rss_mb
        grown.append(Growth(design, kind, least.rows, most.rows, *ratios))
    return grown


def _rate(sample: Sample) -> float:
    return sample.items / sample.seconds


def _rounded(ratio: float | None, digits: int) -> float | None:
    return None if ratio is None else round(ratio, digits)
