"""What the forms and scripts of these screens send, read; and what they are told when it cannot be."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from exports.admin.shown import kept_query, query_of
from exports.choices import ReviewStatus
from runs.errors import Conflict, Contention

MAY_DECIDE = "exports.decide_manualreview"
MAY_EXPORT = "exports.export_brief"
AT_ONCE = 200  # rows in one decision
RESTORE = "restore"


def is_key(text: str) -> bool:
    """Whether this is a number that a key or version can be."""
    return text.isascii() and text.isdecimal() and len(text) < 19


def read_keys(text: str, *, most: int) -> dict[int, int]:
    """ "12:3 14:1" → key → version, in that order. ValidationError for anything else."""
    seen: dict[int, int] = {}
    for each in text.split():
        key, _colon, version = each.partition(":")
        if not (is_key(key) and is_key(version)) or int(key) in seen:
            raise ValidationError(_("This is not a wish the desk understands. Load the page again."))
        seen[int(key)] = int(version)
    if not seen:
        raise ValidationError(_("This is not a wish the desk understands. Load the page again."))
    if len(seen) > most:
        raise ValidationError(_("At most %(most)s articles at once.") % {"most": most})
    return seen


def read_wish(text: str) -> tuple[str, dict[int, int]]:
    """ "selected 12:3 14:1" → what shall become of which rows; ValidationError for anything else."""
    to, _space, named = text.partition(" ")
    if to not in {*ReviewStatus.values, RESTORE} - {ReviewStatus.EXPORTED.value}:
        raise ValidationError(_("This is not a wish the desk understands. Load the page again."))
    return to, read_keys(named, most=AT_ONCE)


def back_to(request: HttpRequest) -> str:
    """The screen one came from: only what it understands travels, so the address leads nowhere else."""
    came_from = QueryDict(request.POST.get("next", "")[:4000], mutable=True)
    if request.POST.get("screen") == "compose":
        came_from.pop("edit", None)
        return f"{reverse('admin:exports_compose')}?{came_from.urlencode()}"
    places = {name: came_from[name] for name in ("after", "before", "article") if came_from.get(name)}
    kept = {**kept_query(came_from), **places}
    return reverse("admin:exports_manualreview_changelist") + (query_of(kept) if kept else "")


def wants_json(request: HttpRequest) -> bool:
    """Whether a script asks, rather than a form."""
    return request.headers.get("accept", "").startswith("application/json")


def message_of(error: Any) -> str:
    """What a person reads."""
    if isinstance(error, Conflict | Contention):
        return str(error.message)
    return " ".join(getattr(error, "messages", [str(error)]))


def status_of(error: Exception) -> int:
    """The status of the answer."""
    return 409 if isinstance(error, Conflict) else 503 if isinstance(error, Contention) else 400
