"""The one way in which a table becomes Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

Row = Sequence[str]

_LINE_ENDS = re.compile(r"\s*(?:\r\n?|\n|\v|\f|\x85|\u2028|\u2029)\s*")


def table(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table, the first one as its head.

    Every row gets as many cells as the longest. Columns without any text are left out, and so are such rows.
    """
    kept = [[cell(value) for value in row] for row in rows]
    kept = [row for row in kept if any(row)]
    width = max((len(row) for row in kept), default=0)
    kept = [row + [""] * (width - len(row)) for row in kept]
    used = [column for column in range(width) if any(row[column] for row in kept)]
    if not used:
        return ""
    head, *body = [[row[column] for column in used] for row in kept]
    lines = [f"| {' | '.join(row)} |" for row in (head, *body)]
    return "\n".join([lines[0], "|---" * len(used) + "|", *lines[1:]])


def cell(text: str) -> str:
    """A value as it may stand in a cell: on one line, its bars escaped."""
    return _LINE_ENDS.sub("<br>", text.strip()).replace("\\", "\\\\").replace("|", "\\|").strip()


def with_one_head(rows: list[list[str]], merged_below: int) -> list[list[str]]:
    """Rows whose first `merged_below` + 1 lines are one head: a name above several columns goes before theirs."""
    if merged_below <= 0 or len(rows) <= merged_below:
        return rows
    head = []
    for column in range(max(len(row) for row in rows[: merged_below + 1])):
        names: list[str] = []
        for row in rows[: merged_below + 1]:
            name = row[column] if column < len(row) else ""
            if name and name not in names:
                names.append(name)
        head.append(" / ".join(names))
    return [head, *rows[merged_below + 1 :]]
