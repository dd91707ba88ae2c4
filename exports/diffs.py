"""Two texts of a brief, and what differs between them, line by line and within a line. Pure: no database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Literal

Mark = Literal["same", "gone", "new", "skipped"]

CONTEXT = 3  # lines shown around a difference
MOST_LINES = 5_000  # beyond it the texts are only said to differ: comparing would take long


@dataclass(frozen=True)
class Line:
    """A line of either text; `parts` are its pieces, the changed ones marked. `skipped` counts lines left out."""

    mark: Mark
    parts: list[tuple[str, bool]] = field(default_factory=list)
    skipped: int = 0


def lines_between(old: str, new: str) -> list[Line]:
    """What became of the old text, with a few lines around; nothing when the texts are equal."""
    if old == new:
        return []
    before, after = old.splitlines(), new.splitlines()
    if len(before) + len(after) > MOST_LINES:
        return [Line("skipped", skipped=len(before) + len(after))]
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return list(_lines(matcher, before, after))


def _lines(matcher: SequenceMatcher[str], before: list[str], after: list[str]) -> Iterator[Line]:
    shown = 0  # lines of the old text that were dealt with
    for group in matcher.get_grouped_opcodes(CONTEXT):
        if (begins := group[0][1]) > shown:
            yield Line("skipped", skipped=begins - shown)
        for tag, from_old, to_old, from_new, to_new in group:
            if tag == "equal":
                yield from (Line("same", [(text, False)]) for text in before[from_old:to_old])
            else:
                yield from _changed(before[from_old:to_old], after[from_new:to_new])
        shown = group[-1][2]
    if shown < len(before):
        yield Line("skipped", skipped=len(before) - shown)


def _changed(gone: list[str], come: list[str]) -> Iterator[Line]:
    """Lines that replace each other one by one show what changed inside; others are wholly gone or new."""
    if len(gone) != len(come):
        yield from (Line("gone", [(text, False)]) for text in gone)
        yield from (Line("new", [(text, False)]) for text in come)
        return
    for old, new in zip(gone, come, strict=True):
        left, right = _within(old, new)
        yield Line("gone", left)
        yield Line("new", right)


# whole words where words have spaces between them, characters where not: half a word says nothing
_PIECES = re.compile(r"[0-9A-Za-z\u00c0-\u024f]+|.", re.DOTALL)


def _within(old: str, new: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    if len(old) + len(new) > 4000:
        return [(old, False)], [(new, False)]
    before, after = _PIECES.findall(old), _PIECES.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < 0.4:  # two sentences with little in common would be a patchwork
        return [(old, False)], [(new, False)]
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    for tag, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        if to_old > from_old:
            left.append(("".join(before[from_old:to_old]), tag != "equal"))
        if to_new > from_new:
            right.append(("".join(after[from_new:to_new]), tag != "equal"))
    return left, right
