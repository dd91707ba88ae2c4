"""How evenly distillations are used: how many of them were used never, once, twice, and so on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

MOST_BARS = 40


class Bar(NamedTuple):
    """Distillations that were used `least` to `most` times, those with a topic and those without."""

    least: int
    most: int
    with_topics: int
    without_topics: int


def bars_of(counted: Iterable[tuple[int, int, int]]) -> list[Bar]:
    """Bars of one width over (uses, with topics, without topics), no more than MOST_BARS, without a gap."""
    rows = list(counted)
    if not rows:
        return []
    highest = max(uses for uses, _with, _without in rows)
    width = highest // MOST_BARS + 1
    bars = [[least, least + width - 1, 0, 0] for least in range(0, highest + 1, width)]
    for uses, with_topics, without_topics in rows:
        bars[uses // width][2] += with_topics
        bars[uses // width][3] += without_topics
    return [Bar(*each) for each in bars]
