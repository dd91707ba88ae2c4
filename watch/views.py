"""The door of /metrics."""

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from access.authentication import BearerAuthentication
from watch.metrics import exposition

PERMISSION = "watch.view_metrics"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text, for METRICS_TOKEN, a user's bearer token or a session that may read it."""
    try:
        if (refusal := refused(request)) is not None:
            return refusal
        return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
    except (OperationalError, InterfaceError):
        return _plain(503, "The database cannot be reached.")


def refused(request: HttpRequest) -> HttpResponse | None:
    """Why this caller gets nothing; None for one who may read."""
    word = request.headers.get("Authorization", "")
    if settings.METRICS_TOKEN and constant_time_compare(word, f"Bearer {settings.METRICS_TOKEN}"):
        return None
    try:
        signed_in = BearerAuthentication().authenticate(Request(request))
    except AuthenticationFailed as error:
        return _plain(401, str(error.detail))
    user = signed_in[0] if signed_in else request.user
    if not user.is_authenticated:
        return _plain(401, "Sign in first.")
    return None if user.has_perm(PERMISSION) else _plain(403, "Not allowed.")


def _plain(status: int, text: str) -> HttpResponse:
    response = HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response
