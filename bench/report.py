"""The figures as people and programs read them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.ground import Machine
from bench.results import Growth, Result

HEADINGS = (
    "design", "pass", "rows", "per second (slowest … fastest)", "CPU µs per item: client + server", "peak MB",
    "WAL B per item",
)  # fmt: skip
GROWTH_HEADINGS = ["design", "pass", "rows", "CPU per item", "peak memory"]


@dataclass(frozen=True)
class Report:
    """One run of a bench. `compared` are the designs every other is set against, the limit first."""

    bench: str
    machine: Machine
    rounds: int
    compared: tuple[str, ...]
    found: list[Result]
    grown: list[Growth] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        """What `--json` prints: `bench`, `machine` and `results`, and beside them what else is known."""
        limit, naive = (*self.compared, None, None)[:2]
        report: dict[str, Any] = {
            "bench": self.bench,
            "machine": str(self.machine),
            "results": [each.as_json(limit=limit, naive=naive) for each in self.found],
            "postgresql": self.machine.postgresql,
            "settings": self.machine.settings,
            "rounds": self.rounds,
            "leftOut": self.left_out,
        }
        if self.grown:
            report["growth"] = [each.as_json() for each in self.grown]
        return json.dumps(report, ensure_ascii=False)

    def as_markdown(self) -> str:
        """Tables for docs/benchmarks.md."""
        lines = [f"{self.machine}; medians of {self.rounds} rounds.", ""]
        lines += _rows([self._headings(), ["---"] * len(self._headings()), *map(self._cells, self.found)])
        if self.grown:
            lines += ["", *_rows([GROWTH_HEADINGS, ["---"] * 5, *map(_growth_cells, self.grown)])]
        lines += [f"\n{_notes(each)}" for each in self.found if each.notes]
        lines += [f"\n`{design}` left out: {why}." for design, why in self.left_out.items()]
        return "\n".join(lines)

    def as_text(self) -> str:
        """Aligned columns for a terminal."""
        settings = ", ".join(f"{setting} {value}" for setting, value in self.machine.settings.items())
        lines = [f"{self.bench}: medians of {self.rounds} rounds", str(self.machine), settings, ""]
        lines += _aligned([self._headings(), *map(self._cells, self.found)])
        if self.grown:
            lines += ["", *_aligned([GROWTH_HEADINGS, *map(_growth_cells, self.grown)])]
        lines += map(_notes, filter(lambda each: each.notes, self.found))
        lines += [f"{design} left out: {why}" for design, why in self.left_out.items()]
        return "\n".join(lines)

    def _headings(self) -> list[str]:
        return [*HEADINGS, *(f"× {other}" for other in self.compared)]

    def _cells(self, each: Result) -> list[str]:
        return [
            each.design,
            each.kind,
            f"{each.rows:,}",
            f"{each.per_second:,.0f} ({each.slowest:,.0f} … {each.fastest:,.0f})",
            f"{each.client_cpu_us:,.1f} + {each.server_cpu_us:,.1f}",
            f"{each.peak_rss_mb:,.0f}",
            f"{each.wal_bytes:,.0f}",
            *(f"{each.ratios[other]:.3f}" if other in each.ratios else "" for other in self.compared),
        ]


def _notes(each: Result) -> str:
    return f"{each.design}, {each.kind}: " + ", ".join(f"{name} {note:,.1f}" for name, note in each.notes.items())


def _growth_cells(each: Growth) -> list[str]:
    return [
        each.design, each.kind, f"{each.smallest:,} → {each.largest:,}", f"× {each.cpu:.2f}", f"× {each.memory:.2f}"
    ]  # fmt: skip


def _rows(table: Iterable[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in table]


def _aligned(table: Iterable[list[str]]) -> list[str]:
    rows = list(table)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]
