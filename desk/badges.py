"""Small marks that say a state at a glance: words first, shape second, colour last.

Everything goes through format_html, so a label out of the database is escaped.
"""

from typing import Any, Literal

import msgspec
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from api.codec import encode

Tone = Literal["neutral", "info", "ok", "warning", "danger", "muted"]

STATUS_TONES: dict[str, Tone] = {
    "pending": "neutral",
    "running": "info",
    "completed": "ok",
    "partial": "warning",
    "failed": "danger",
    "cancelled": "muted",
    "processing": "info",
    "human_review_pending": "warning",
    "partial_failure": "warning",
}


def badge(label: Any, tone: Tone = "neutral", title: str = "") -> SafeString:
    """A label in a pill; the stylesheet puts a sign of its own before each tone."""
    if title:
        return format_html('<span class="badge badge-{}" title="{}">{}</span>', tone, title, label)
    return format_html('<span class="badge badge-{}">{}</span>', tone, label)


def status_badge(status: str, label: Any, title: str = "") -> SafeString:
    """The badge of one of the lifecycle's statuses; an unknown status is neutral."""
    return badge(label, STATUS_TONES.get(status, "neutral"), title)


def meter(value: int | float | None, maximum: int | float = 100, label: str = "") -> SafeString | str:
    """A bar with its number beside it; widths live in attributes, as the CSP forbids inline styles."""
    if value is None:
        return "—"
    shown = label or f"{number_format(value)} / {number_format(maximum)}"
    if not label and maximum == 100:
        shown = f"{round(value)} %"
    return format_html(
        '<span class="meter"><progress max="{}" value="{}">{}</progress><span class="meter-text">{}</span></span>',
        maximum,
        min(value, maximum),
        shown,
        shown,
    )


def number(value: int | float | None) -> str:
    """A number grouped the way the reader's language groups it."""
    return "—" if value is None else number_format(value, force_grouping=True)


def readable(value: Any) -> str:
    """Text as it is, everything else as indented JSON with every digit and character kept."""
    if value is None:
        return "—"
    return value if isinstance(value, str) else msgspec.json.format(encode(value), indent=2).decode()


def json_block(value: Any) -> SafeString | None:
    """A JSON value as an operator reads it; None, which the admin writes as a dash, for none."""
    return None if value is None else format_html('<pre class="raw">{}</pre>', readable(value))
