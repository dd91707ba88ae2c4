"""Problems instead of Django's HTML pages for what fails below /api/ before or outside DRF."""

import sys
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views import csrf, defaults
from django.views.decorators.csrf import csrf_exempt

from api.codec import encode
from api.problems import CONTENT_TYPE, Problem, as_problem, expected_problem


@csrf_exempt  # or a POST to nowhere would be told of a missing token
def unknown_route(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """The last route below /api/: with DEBUG on, Django would answer an unknown URL in HTML."""
    return _answer(request, as_problem(Http404()))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400."""
    return _for_api(request, Problem("bad-request"), lambda: defaults.bad_request(request, exception))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403."""
    problem = Problem("permission-denied", status=403)
    return _for_api(request, problem, lambda: defaults.permission_denied(request, exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404."""
    return _for_api(request, as_problem(Http404()), lambda: defaults.page_not_found(request, exception))


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500; Django has logged the error. A server of ours that is away is 503: it will come back."""
    problem = expected_problem(sys.exc_info()[1])  # Django calls while it handles the error
    if problem is not None and problem.status_code == 503:
        return _for_api(request, problem, lambda: _come_back(request, problem))
    return _for_api(request, Problem("internal-error", status=500), lambda: defaults.server_error(request))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW."""
    problem = Problem("permission-denied", status=403, detail=_("The CSRF token is missing or wrong."))
    return _for_api(request, problem, lambda: csrf.csrf_failure(request, reason=reason))


def _for_api(request: HttpRequest, problem: Problem, page: Callable[[], HttpResponse]) -> HttpResponse:
    return _answer(request, problem) if request.path.startswith("/api/") else page()


def _answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    body, headers = encode(problem.body(request.path)), problem.headers
    return HttpResponse(body, status=problem.status_code, content_type=CONTENT_TYPE, headers=headers)


def _come_back(request: HttpRequest, problem: Problem) -> HttpResponse:
    """A page that needs no database: nothing of the request but its address."""
    again = request.path if request.method in ("GET", "HEAD") else "/admin/"
    page = render_to_string("503.html", {"title": problem.title, "again": again})
    return HttpResponse(page, status=503, headers=problem.headers)
