"""A JSON value that one can fold and unfold, drawn by the server; every text in it is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from desk.badges import readable

OPEN_LEVELS = 2
MOST_NODES = 3_000  # a page with more of them is slow to draw and to read


def json_tree(value: Any) -> SafeString:
    """The value as nested lists; beyond MOST_NODES it says that it is cut."""
    return _node(value, 0, _Budget())


class _Budget:
    """How many nodes may still be drawn."""

    def __init__(self) -> None:
        self.left = MOST_NODES

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


def _node(value: Any, level: int, budget: _Budget) -> SafeString:
    if isinstance(value, dict):
        size = ngettext("%(count)s field", "%(count)s fields", len(value)) % {"count": len(value)}
        return _branch(value.items(), size, level, budget)
    if isinstance(value, list):
        size = ngettext("%(count)s item", "%(count)s items", len(value)) % {"count": len(value)}
        return _branch(enumerate(value, start=1), size, level, budget)
    if isinstance(value, str):
        return format_html('<span class="json-text">{}</span>', value)
    return format_html("<code>{}</code>", readable(value) if value is not None else "null")


def _branch(pairs: Any, size: str, level: int, budget: _Budget) -> SafeString:
    rows = format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", _rows(pairs, level, budget))
    if not rows:
        return format_html('<span class="quiet">{}</span>', size)
    is_open = SafeString(" open") if level < OPEN_LEVELS else ""
    return format_html('<details class="json"{}><summary>{}</summary><dl>{}</dl></details>', is_open, size, rows)


def _rows(pairs: Any, level: int, budget: _Budget) -> Iterator[tuple[Any, Any]]:
    for name, value in pairs:
        if not budget.spend():
            yield "…", _("cut here: there is more")
            return
        yield name, _node(value, level + 1, budget)
