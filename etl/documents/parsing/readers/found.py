"""What a reader gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Report = Callable[[int, int | None], None]


@dataclass
class Found:
    """A document that was read. A note says `what` there is to know, with facts; its words are the parent's."""

    markdown: str
    parser: str
    pages: int | None = None
    notes: list[dict[str, Any]] = field(default_factory=list)


def listed(places: list[str], most: int = 20) -> str:
    """Places in a row, the rest counted."""
    more = len(places) - most
    return ", ".join(places[:most]) + (f" (+{more})" if more > 0 else "")
