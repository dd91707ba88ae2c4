"""Query parameters that are no filter: numbers and flags, refused by name when they make no sense."""

import re

from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from api.problems import ParameterError

_WHOLE = re.compile(r"[0-9]{1,40}")


def positive(request: Request, name: str, *, default: int, most: int | None) -> int:
    """A positive whole number from the query; `most` None sets no limit of its own. Raises ParameterError."""
    return whole(request, name, default=default, least=1, most=most)


def whole(request: Request, name: str, *, default: int, least: int, most: int | None) -> int:
    """A whole number between bounds. Raises ParameterError."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not _WHOLE.fullmatch(given) or int(given) < least:
        raise refused(name, _("It must be a whole number from %d on.") % least)
    if most is not None and int(given) > most:
        raise refused(name, _("It may be at most %d.") % most)
    return int(given)


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """true or false. Raises ParameterError."""
    given = request.query_params.get(name)
    if given not in (None, "true", "false"):
        raise refused(name, _("It must be true or false."))
    return default if given is None else given == "true"


def refused(name: str, message: str) -> ParameterError:
    """What is wrong with one parameter."""
    return ParameterError({name: [ErrorDetail(message, code="invalid")]})
