"""Gives every request an id that answers, logs and audit events share, and every answer its security headers."""

import re
import time
from collections.abc import Callable
from typing import ClassVar
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


# what no page of ours uses, no page may ask the browser for
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation",
        "gyroscope", "magnetometer", "microphone", "midi", "payment", "picture-in-picture",
        "publickey-credentials-get", "screen-wake-lock", "usb", "xr-spatial-tracking",
    )
)  # fmt: skip


class SecurityHeaders:
    """What every answer carries, whoever made it: pages, the API, files, and errors raised before Django's own
    middleware could add anything. HSTS is left to SecurityMiddleware, which knows about https."""

    ALWAYS: ClassVar[dict[str, str]] = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": PERMISSIONS_POLICY,
        # where the real policy did not apply (a file, a refusal), nothing needs to be loaded at all
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in self.ALWAYS.items():
            response.headers.setdefault(name, value)
        return response


def _is_worth_a_line(path: str) -> bool:
    return path not in _PROBES and not path.startswith(settings.STATIC_URL)


def _user_id(request: HttpRequest) -> int | None:
    """The signed-in user, without a query for a session nobody has looked at."""
    user = getattr(request, "user", None)  # DRF puts the owner of a token here
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)
