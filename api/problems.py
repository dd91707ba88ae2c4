"""Every refusal is an RFC 9457 problem: a stable type for programs, a translated text for people.

A room above adds its own exceptions with register(), so that nothing here imports a domain.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch
from http import HTTPStatus
from math import ceil
from typing import Any

import structlog
from django.core import exceptions as django_errors
from django.db import DataError, InterfaceError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, UnreadablePostError
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.exceptions import APIException, ErrorDetail
from rest_framework.fields import get_error_detail
from rest_framework.response import Response
from rest_framework.views import set_rollback
from structlog.contextvars import get_contextvars

from api.names import camel
from api.renderers import JSONRenderer

CONTENT_TYPE = "application/problem+json"
_ROOT_KEYS = ("non_field_errors", "__all__")
_OWN_PROBLEMS = {"unknown-parameter", "repeated-parameter"}  # codes that are worth a type
_CONTENTION = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock timeout
_CANCELLED = "57014"  # what statement_timeout says

TITLES: dict[str, Any] = {
    "validation-error": _("Invalid input"),
    "unknown-parameter": _("Unknown query parameter"),
    "repeated-parameter": _("Repeated query parameter"),
    "invalid-header": _("Invalid request header"),
    "malformed-body": _("The body cannot be read"),
    "length-required": _("The length of the body is missing"),
    "body-too-large": _("The body is too large"),
    "not-authenticated": _("Sign in first"),
    "permission-denied": _("Not allowed"),
    "not-found": _("Not found"),
    "method-not-allowed": _("Method not allowed"),
    "not-acceptable": _("No acceptable form of answer"),
    "unsupported-media-type": _("Unsupported media type"),
    "in-use": _("Still in use"),
    "stale": _("Changed in the meantime"),
    "precondition-required": _("Say which version you have seen"),
    "idempotency-in-flight": _("Still being worked on"),
    "idempotency-mismatch": _("The key was used for another request"),
    "throttled": _("Too many requests"),
    "bad-request": _("Bad request"),
    "contention": _("Too much going on at once"),
    "too-slow": _("The question takes too long"),
    "database-unavailable": _("The database cannot be reached"),
    "internal-error": _("Something went wrong on our side"),
}

logger = structlog.get_logger("pressroom.problems")


class Problem(APIException):
    """A refusal with a slug programs can rely on; further keywords become members of the answer."""

    def __init__(
        self,
        slug: str,
        *,
        title: Any = None,
        status: int = 400,
        detail: Any = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail=str(detail or ""), code=slug)
        self.slug = slug
        self.title = title or TITLES.get(slug) or HTTPStatus(status).phrase
        self.status_code = status
        self.headers = headers or {}
        self.extra = extra

    def body(self, path: str) -> dict[str, Any]:
        """The problem as it is sent, for the request that asked for `path`."""
        body = {"type": f"/problems/{self.slug}", "title": str(self.title), "status": self.status_code}
        if self.detail:
            body["detail"] = str(self.detail)
        return body | {"instance": path, "requestId": get_contextvars().get("request_id", "")} | self.extra


class ParameterError(exceptions.ValidationError):
    """A ValidationError whose keys are query parameters instead of body fields."""


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: whatever happened, answer with a problem and undo the transaction."""
    problem = as_problem(error)
    headers = dict(problem.headers)
    if challenge := getattr(error, "auth_header", None):  # set by DRF, with the status, for a 401
        headers["WWW-Authenticate"] = challenge
    request = context["request"]
    # whatever the view renders or the client accepts, a problem is JSON
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    set_rollback()
    return Response(problem.body(request.path), status=problem.status_code, headers=headers, content_type=CONTENT_TYPE)


def register(error_class: type[Exception], *, status: int, slug: str | None = None, title: Any = None) -> None:
    """Answer `error_class` and its subclasses with `status`.

    The exception's attributes are read, where it has them: slug (unless given here), message,
    title, extra (a dict of further members) and retry_after (seconds).
    """

    def registered(error: Any) -> Problem:
        retry_after = getattr(error, "retry_after", None)
        return Problem(
            slug or error.slug,
            title=title or getattr(error, "title", None),
            status=status,
            detail=getattr(error, "message", None) or str(error),
            headers={"Retry-After": str(retry_after)} if retry_after is not None else None,
            **getattr(error, "extra", {}),
        )

    as_problem.register(error_class, registered)


@contextmanager
def or_missing(message: Any) -> Iterator[None]:
    """404 in these words for a row that is not there, or no longer."""
    try:
        yield
    except (Http404, django_errors.ObjectDoesNotExist) as error:
        raise Problem("not-found", status=404, detail=message) from error


@singledispatch
def as_problem(error: Any) -> Problem:
    """The problem an exception stands for; an unexpected one is logged and says nothing of itself."""
    logger.error("unexpected error", exc_info=error)
    detail = _("The error has been recorded. Quote the request id when you report it.")
    return Problem("internal-error", status=500, detail=detail)


def expected_problem(error: BaseException | None) -> Problem | None:
    """The problem of an exception that says something of itself; None for all others."""
    is_known = as_problem.dispatch(type(error)) is not as_problem.dispatch(object)
    return as_problem(error) if is_known else None


@as_problem.register
def _problem(error: Problem) -> Problem:
    return error


@as_problem.register
def _invalid(error: exceptions.ValidationError) -> Problem:
    return _validation_problem(_at_pointers(error.detail))


@as_problem.register
def _invalid_parameter(error: ParameterError) -> Problem:
    by_parameter: Any = error.detail
    found = [
        {"parameter": name, "code": each.code, "detail": str(each)}
        for name, messages in by_parameter.items()
        for each in messages
    ]
    codes = {each["code"] for each in found}
    slug = codes.pop() if len(codes) == 1 and codes <= _OWN_PROBLEMS else "validation-error"
    return _validation_problem(found, slug=slug)


@as_problem.register
def _django_invalid(error: django_errors.ValidationError) -> Problem:
    detail = get_error_detail(error)
    if isinstance(detail, dict):  # its keys are model fields, in Python's spelling
        detail = {key if key in _ROOT_KEYS else camel(key): value for key, value in detail.items()}
    return _validation_problem(_at_pointers(detail))


def _validation_problem(errors: Any, slug: str = "validation-error") -> Problem:
    found = list(errors)
    return Problem(slug, detail=" ".join(each["detail"] for each in found[:3]), errors=found)


def _at_pointers(detail: Any, pointer: str = "#") -> Iterator[dict[str, str]]:
    """Flatten DRF's nested messages to (JSON pointer, code, detail)."""
    if isinstance(detail, ErrorDetail):
        yield {"pointer": pointer, "code": str(detail.code), "detail": str(detail)}
    elif isinstance(detail, dict):
        for key, inner in detail.items():
            yield from _at_pointers(inner, pointer if key in _ROOT_KEYS else f"{pointer}/{_escaped(key)}")
    elif all(isinstance(each, ErrorDetail) for each in detail):
        for each in detail:
            yield from _at_pointers(each, pointer)
    else:  # one entry per item of a list, empty for the good ones
        for index, inner in enumerate(detail):
            yield from _at_pointers(inner, f"{pointer}/{index}")


def _escaped(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _simple(slug: str) -> Any:
    def problem(error: APIException) -> Problem:
        return Problem(slug, status=error.status_code, detail=error.detail)

    return problem


for _error_class, _slug in (
    (APIException, "bad-request"),
    (exceptions.ParseError, "malformed-body"),
    (exceptions.NotAuthenticated, "not-authenticated"),
    (exceptions.AuthenticationFailed, "not-authenticated"),
    (exceptions.PermissionDenied, "permission-denied"),
    (exceptions.NotFound, "not-found"),
    (exceptions.MethodNotAllowed, "method-not-allowed"),
    (exceptions.NotAcceptable, "not-acceptable"),
    (exceptions.UnsupportedMediaType, "unsupported-media-type"),
):
    as_problem.register(_error_class, _simple(_slug))


@as_problem.register
def _throttled(error: exceptions.Throttled) -> Problem:
    seconds = max(1, ceil(getattr(error, "wait", None) or 1))
    return Problem("throttled", status=429, detail=error.detail, headers={"Retry-After": str(seconds)})


@as_problem.register
def _missing(error: Http404) -> Problem:
    # Django's own text names the model and is not translated
    return Problem("not-found", status=404, detail=_("There is nothing here, or it is not yours to see."))


@as_problem.register
def _denied(error: django_errors.PermissionDenied) -> Problem:
    return Problem("permission-denied", status=403, detail=_("You do not have permission to do this."))


@as_problem.register(ProtectedError)
@as_problem.register(RestrictedError)
def _in_use(error: Exception) -> Problem:
    return Problem("in-use", status=409, detail=_("Other records still need it, so it cannot be deleted."))


@as_problem.register(django_errors.SuspiciousOperation)
@as_problem.register(UnreadablePostError)
def _suspicious(error: Exception) -> Problem:
    return Problem("bad-request", detail=_("The request cannot be read."))


@as_problem.register
def _too_big(error: django_errors.RequestDataTooBig) -> Problem:
    return Problem("body-too-large", status=413)


@as_problem.register
def _unstorable(error: DataError) -> Problem:
    # a number or text that passed the form but fits no column; the text of the database stays in the log
    logger.warning("value refused by the database", exc_info=error)
    return Problem("validation-error", detail=_("A value is too large or cannot be stored."), errors=[])


@as_problem.register(OperationalError)
@as_problem.register(InterfaceError)
def _unavailable(error: Exception) -> Problem:
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    if sqlstate == _CANCELLED:  # no Retry-After: the same question would take as long again
        logger.warning("statement timeout", exc_info=error)
        return Problem("too-slow", status=503, detail=_("Ask for less at once, for example with a filter."))
    logger.error("database unavailable", exc_info=error)
    contention = sqlstate in _CONTENTION
    slug = "contention" if contention else "database-unavailable"
    return Problem(slug, status=503, detail=_("Try again in a moment."), headers={"Retry-After": "1"})
