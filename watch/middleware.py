"""What every answer goes through: counted by route, and a clear page when the database refuses."""

import time
from collections.abc import Callable

import structlog
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from api.problems import as_problem
from watch import counters

logger = structlog.get_logger(__name__)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)  # seconds; the last is the statement timeout
REFUSED = ("contention", "too-slow")


class CountRequests:
    """Counts requests and their seconds by route, method and status; probes and files are left out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        if (route := _route(request)) is not None:
            method = request.method if request.method in METHODS else "OTHER"
            _count(route, str(method), response.status_code, time.perf_counter() - began)
        return response


class AnswerRefusals:
    """A page that says what to do, where a lock or the statement timeout ended a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        known = isinstance(error, OperationalError) or getattr(error, "slug", "") in REFUSED
        if not known or request.path.startswith("/api/"):
            return None
        problem = as_problem(error)
        if problem.slug not in REFUSED:
            return None
        page = render(request, "later.html", {"title": problem.title, "advice": problem.detail}, status=503)
        for name, value in problem.headers.items():
            page[name] = value
        return page


def _route(request: HttpRequest) -> str | None:
    """The pattern that matched, so that ids make no labels of their own; None for what is not counted."""
    match = request.resolver_match
    if match is None or match.route in ("healthz", "readyz", "metrics"):
        return None
    return f"/{match.route}"


def _count(route: str, method: str, status: int, seconds: float) -> None:
    counters.add("pressroom_http_requests_total", route=route, method=method, status=str(status))
    counters.add("pressroom_http_request_seconds_sum", seconds, route=route, method=method)
    bucket = next((str(most) for most in BUCKETS if seconds <= most), "+Inf")
    counters.add("pressroom_http_request_seconds_bucket", route=route, method=method, le=bucket)
