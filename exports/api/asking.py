"""Query parameters of the console's routes: limit and offset, and either spelling of every name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from api.names import camel
from api.problems import ParameterError
from api.serializers import Serializer
from exports.review_rows import TEXT_AUDITED

DEFAULT_LIMIT, MAX_LIMIT = 30, 200
MAX_OFFSET = 10_000  # a page beyond it would read and throw away all rows before it: filter first
_WHOLE = re.compile(r"[0-9]{1,18}")
_FRACTION = re.compile(r"(0|1)(\.[0-9]{1,9})?")

PAGE = ("limit", "offset")


def spellings(*names: str) -> tuple[str, ...]:
    """The parameters under both names, for `extra_query_params`."""
    return tuple(dict.fromkeys(each for name in names for each in (name, camel(name))))


def described(name: str, schema: dict[str, Any], note: str = "") -> OpenApiParameter:
    """A parameter as the description shows it, in camelCase."""
    return OpenApiParameter(camel(name), schema, description=note)


PAGE_PARAMETERS = [
    described("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}),
    described("offset", {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0}),
]


def page_of(request: Request) -> tuple[int, int]:
    """(limit, offset). Raises ParameterError."""
    return (
        _whole(request, "limit", default=DEFAULT_LIMIT, least=1, most=MAX_LIMIT),
        _whole(request, "offset", default=0, least=0, most=MAX_OFFSET),
    )


def one_of(request: Request, name: str, known: Iterable[str], default: str | None = None) -> str | None:
    """A word of a list. Raises ParameterError."""
    given = _given(request, name)
    words = list(known)
    if given is not None and given not in words:
        raise _refused(name, _("It must be one of: %(words)s.") % {"words": ", ".join(words)})
    return default if given is None else given


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """true or false. Raises ParameterError."""
    given = one_of(request, name, ["true", "false"])
    return default if given is None else given == "true"


def share(request: Request, name: str) -> Decimal | None:
    """A number from 0 to 1. Raises ParameterError."""
    given = _given(request, name)
    if given is None:
        return None
    if not _FRACTION.fullmatch(given) or Decimal(given) > 1:
        raise _refused(name, _("It must be a number from 0 to 1."))
    return Decimal(given)


def day(request: Request, name: str) -> date | None:
    """A date such as 2026-05-01. Raises ParameterError."""
    given = _given(request, name)
    if given is None:
        return None
    try:
        found = parse_date(given) if given.isascii() else None
    except ValueError:
        found = None
    if found is None:
        raise _refused(name, _("It must be a date as in 2026-05-01."))
    return found


def text(request: Request, name: str) -> str | None:
    """Any text."""
    return _given(request, name)


def _given(request: Request, name: str) -> str | None:
    """The value under either name; both only if they say the same."""
    values = {request.query_params[each] for each in spellings(name) if each in request.query_params}
    if len(values) > 1:
        raise _refused(name, _("The parameter is given twice, with different values."))
    return values.pop() if values else None


def _whole(request: Request, name: str, *, default: int, least: int, most: int) -> int:
    given = _given(request, name)
    if given is None:
        return default
    if not _WHOLE.fullmatch(given) or not least <= int(given) <= most:
        message = _("It must be a whole number from %(least)s to %(most)s.")
        raise _refused(name, message % {"least": least, "most": most})
    return int(given)


def _refused(name: str, message: str) -> ParameterError:
    return ParameterError({camel(name): [ErrorDetail(message, code="invalid")]})


class PageSerializer(Serializer):
    """What every page says beside its rows."""

    total = serializers.IntegerField(min_value=0)
    limit = serializers.IntegerField(min_value=1)
    offset = serializers.IntegerField(min_value=0)
    total_is_estimate = serializers.BooleanField(required=False, help_text="Only there when the total was not counted.")


def page(rows: Any, total: Any, *, limit: int, offset: int, name: str = "items") -> dict[str, Any]:
    """A page in its envelope."""
    estimate = {} if total.is_exact else {"totalIsEstimate": True}
    return {name: rows, "total": int(total), "limit": limit, "offset": offset, **estimate}


def actor_field() -> serializers.CharField:
    """Who decided, in the words of a console that signs in once for all."""
    return serializers.CharField(
        default="", allow_blank=True, max_length=TEXT_AUDITED, help_text="Goes on record; who is signed in counts."
    )
