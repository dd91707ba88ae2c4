"""What the forms and scripts of these screens send, read; and what they are told when it cannot be."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from runs.errors import Conflict, Contention


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
