"""Gives every request an id that answers, logs and audit events share."""

import re
import time
from collections.abc import Callable
from uuid import uuid4

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROBES = frozenset({"/healthz", "/readyz"})  # asked every few seconds, they would drown the log

logger = structlog.get_logger("pressroom.request")


class RequestIdMiddleware:
    """Take a sane X-Request-ID or make one, bind it to the log context, echo it, log one line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Request-ID", "")
        request_id = offered if _SANE_ID.fullmatch(offered) else uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            if _is_worth_a_line(request.path):
                logger.info(
                    "request",
                    method=request.method,
                    path=request.path,
                    status=response.status_code,
                    duration_ms=round((time.perf_counter() - started) * 1000, 1),
                    user_id=_user_id(request),
                )
            return response
        finally:
            structlog.contextvars.clear_contextvars()


def _is_worth_a_line(path: str) -> bool:
    return path not in _PROBES and not path.startswith(settings.STATIC_URL)


def _user_id(request: HttpRequest) -> int | None:
    """The signed-in user, without a query for a session nobody has looked at."""
    user = getattr(request, "user", None)  # DRF puts the owner of a token here
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)
