"""JSON as a tree that one opens and closes, drawn by the server. Pure: no database, no script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from api.codec import encode_text

MOST_NODES = 2_000
MOST_LEVELS = 30
LONGEST_TEXT = 2_000  # characters of one value
OPEN_LEVELS = 3  # stand open at first
OPEN_AT_MOST = 12  # children; longer objects stand closed


@dataclass
class _Budget:
    left: int


@dataclass(frozen=True)
class Tree:
    """The drawn tree; `is_cut` when it does not show all."""

    html: SafeString
    is_cut: bool


def drawn(value: Any, *, most: int = MOST_NODES) -> Tree:
    """A JSON value as nested lists; what is too much is left out with a word."""
    budget = _Budget(most)
    html = format_html('<ul class="json-tree">{}</ul>', _node(None, value, budget, level=0))
    return Tree(html, budget.left < 0)


def _node(label: str | int | None, value: Any, budget: _Budget, *, level: int) -> SafeString:
    budget.left -= 1
    if not isinstance(value, dict | list) or not value:
        return format_html("<li>{}{}</li>", _label(label), _leaf(value))
    if level >= MOST_LEVELS:
        budget.left = min(budget.left, -1)
        return format_html('<li>{}<span class="json-more">{}</span></li>', _label(label), _("deeper still …"))
    inside = format_html_join("", "{}", ((each,) for each in _children(value, budget, level)))
    is_open = level < OPEN_LEVELS and (level == 0 or len(value) <= OPEN_AT_MOST)
    return format_html(
        '<li><details{}><summary>{}<span class="json-kind">{}</span></summary><ul>{}</ul></details></li>',
        mark_safe(" open") if is_open else "",
        _label(label),
        _kind(value),
        inside,
    )


def _children(value: Any, budget: _Budget, level: int) -> Iterator[SafeString]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for shown, (label, each) in enumerate(pairs):
        if budget.left <= 0:
            budget.left = -1
            hidden = len(value) - shown
            more = ngettext("%(count)s more", "%(count)s more", hidden) % {"count": hidden}
            yield format_html('<li class="json-more">… {}</li>', more)
            return
        yield _node(label, each, budget, level=level + 1)


def _label(label: str | int | None) -> SafeString | str:
    if label is None:  # the root has no name
        return ""
    kind = "json-index" if isinstance(label, int) else "json-key"
    return format_html('<span class="{}">{}</span> ', kind, '""' if label == "" else label)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + (ngettext("%(count)s field", "%(count)s fields", len(value)) % {"count": len(value)}) + " }"
    return "[ " + (ngettext("%(count)s entry", "%(count)s entries", len(value)) % {"count": len(value)}) + " ]"


def _leaf(value: Any) -> SafeString:
    if isinstance(value, str):
        cut = value[:LONGEST_TEXT] + (" …" if len(value) > LONGEST_TEXT else "")
        return format_html('<span class="json-text">{}</span>', cut or '""')
    return format_html('<span class="json-value">{}</span>', encode_text(value))
