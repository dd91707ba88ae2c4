"""JSON pointers (RFC 6901): pure text, nothing is looked up here."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _

from etl.documents.refusals import PlaceRefused

MOST_BYTES = 1_500  # with a key of MOST_KEY characters it fits the index of standing mounts
MOST_PARTS = 100  # what is deeper could be stored, but not be sent again (api.parsers.MAX_DEPTH)
MOST_KEY = 255

_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]*")
_INDEX_TO_POSTGRESQL = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")


def parse(pointer: str) -> list[str]:
    """Its parts, unescaped: none for "", the root; one empty part for "/". Raises PlaceRefused."""
    if "\0" in pointer:
        raise _refused("pointer-has-nul", _("A pointer may not contain the NUL character."), pointer)
    if _bytes(pointer) > MOST_BYTES or pointer.count("/") > MOST_PARTS:
        message = _("A pointer has at most %(bytes)s bytes and %(parts)s parts.")
        raise PlaceRefused("pointer-too-long", message % {"bytes": MOST_BYTES, "parts": MOST_PARTS})
    if pointer and not pointer.startswith("/"):
        raise _refused("pointer-without-slash", _("The pointer %(pointer)s must begin with a slash."), pointer)
    if _BAD_ESCAPE.search(pointer):
        message = _("The pointer %(pointer)s has a ~ that is neither ~0 (for ~) nor ~1 (for /).")
        raise _refused("pointer-bad-escape", message, pointer)
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def escape(part: str) -> str:
    """A key as it stands between two slashes."""
    return part.replace("~", "~0").replace("/", "~1")


def join(pointer: str, key: str) -> str:
    """The pointer to a key of what `pointer` leads to."""
    return f"{pointer}/{escape(key)}"


def odd_indexes(parts: list[str]) -> list[int]:
    """Which parts PostgreSQL would take for places in a list though RFC 6901 does not: 01, -1, +1."""
    return [
        place for place, part in enumerate(parts) if _INDEX_TO_POSTGRESQL.fullmatch(part) and not _INDEX.fullmatch(part)
    ]


def check_key(key: str) -> str:
    """The key, which a result may be mounted at. Raises PlaceRefused."""
    if not key:
        raise PlaceRefused("key-empty", _("A key may not be empty."))
    if "\0" in key:
        raise PlaceRefused("key-has-nul", _("A key may not contain the NUL character."))
    if len(key) > MOST_KEY:
        raise PlaceRefused("key-too-long", _("A key has at most %(most)s characters.") % {"most": MOST_KEY})
    _bytes(key)
    return key


def _bytes(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise PlaceRefused("not-unicode", _("Half a character (a lone surrogate) cannot be stored.")) from error


def _refused(slug: str, message: Any, pointer: str) -> PlaceRefused:
    return PlaceRefused(slug, message % {"pointer": pointer}, pointer=pointer)
