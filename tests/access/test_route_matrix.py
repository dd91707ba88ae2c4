"""Who may call what: every route × method × caller of the API, against one table written by hand.

A route that is not in the table fails the test: add its row, and think about who may.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

CALLERS = ("anonymous", "stranger", "viewer", "operator", "administrator", "read-only token")

# Per route and method, the answer to each caller, in the order of CALLERS. The read-only token is an
# administrator's. "·" stands for: came in (whatever the view then said of an empty request).
ANYBODY_SIGNED_IN = "401 ·   ·   ·   ·   ·"
READERS = "401 403 ·   ·   ·   ·"
OPERATORS = "401 403 403 ·   ·   403"
TAKERS = "401 403 403 ·   ·   ·"
ADMINISTRATORS = "401 403 403 403 ·   403"
LEARNERS = "401 403 ·   ·   ·   403"  # of what is their own
ROUTES: dict[str, dict[str, str]] = {
    "schema": {"GET": ANYBODY_SIGNED_IN},
    "docs": {"GET": ANYBODY_SIGNED_IN},
    "me": {"GET": ANYBODY_SIGNED_IN},
    "^articles$": {"GET": READERS},
    "^articles/batch-delete$": {"POST": OPERATORS},
    "^articles/(?P<pk>[0-9]+)$": {"GET": READERS, "DELETE": OPERATORS},
    "^articles/(?P<pk>[0-9]+)/publish$": {"PUT": OPERATORS},
    "etl/health": {"GET": READERS},
    "etl/^mounts$": {"GET": READERS, "POST": OPERATORS},
    "etl/^mounts/(?P<pk>[0-9]+)$": {"DELETE": OPERATORS},
    "etl/^product-changes$": {"GET": READERS},
    "etl/^product-changes/download$": {"GET": TAKERS},
    "etl/^product-runs$": {"GET": READERS, "POST": OPERATORS},
    "etl/^product-runs/(?P<pk>[0-9]+)$": {"GET": READERS},
    "etl/^product-runs/(?P<pk>[0-9]+)/cancel$": {"POST": OPERATORS},
    "etl/^products$": {"GET": READERS},
    "etl/^products/download$": {"GET": TAKERS},
    "etl/^products/(?P<pk>[0-9]+)$": {"GET": READERS},
    "etl/^projects$": {"GET": READERS, "POST": OPERATORS},
    "etl/^projects/(?P<pk>[0-9]+)$": {"GET": READERS, "PATCH": OPERATORS, "DELETE": OPERATORS},
    "etl/^projects/(?P<pk>[0-9]+)/members$": {"PUT": OPERATORS},
    "etl/^rejected-rows$": {"GET": READERS},
    "etl/^rejected-rows/download$": {"GET": TAKERS},
    "etl/^rejected-rows/(?P<pk>[0-9]+)$": {"GET": READERS},
    "etl/^rejected-rows/(?P<pk>[0-9]+)/retry$": {"POST": OPERATORS},
    "etl/^rules$": {"GET": READERS, "POST": OPERATORS},
    "etl/^rules/(?P<pk>[0-9]+)$": {"GET": READERS, "PATCH": OPERATORS, "DELETE": OPERATORS},
    "etl/^tables$": {"GET": READERS, "POST": OPERATORS},
    "etl/^tables/(?P<pk>[0-9]+)$": {"GET": READERS, "PATCH": OPERATORS, "DELETE": OPERATORS},
    "etl/^tables/(?P<pk>[0-9]+)/context$": {"POST": OPERATORS, "PATCH": OPERATORS, "DELETE": OPERATORS},
    "etl/^tables/(?P<pk>[0-9]+)/data$": {"GET": READERS, "PUT": OPERATORS},
    "etl/^tasks$": {"GET": READERS, "POST": OPERATORS},
    "etl/^tasks/batch$": {"GET": READERS},
    "etl/^tasks/(?P<pk>[0-9]+)$": {"GET": READERS},
    "etl/^tasks/(?P<pk>[0-9]+)/cancel$": {"POST": OPERATORS},
    "etl/^tasks/(?P<pk>[0-9]+)/file$": {"GET": READERS},
    "etl/^tasks/(?P<pk>[0-9]+)/markdown$": {"GET": READERS},
    "etl/^tasks/(?P<pk>[0-9]+)/result$": {"GET": READERS},
    "etl/^tasks/(?P<pk>[0-9]+)/retry$": {"POST": OPERATORS},
    "etl/tasks/<int:task_id>/mount": {"POST": OPERATORS},
    "etl/watermark": {"GET": READERS},
    "distillation": {"POST": OPERATORS},
    "^distillation/(?P<distillation_id>[0-9]+)/topics$": {"GET": READERS},
    "^distillation/(?P<distillation_id>[0-9]+)/topics/(?P<pk>[0-9]+)$": {"DELETE": OPERATORS},
    "^distillation/(?P<distillation_id>[0-9]+)/usage$": {"GET": READERS},
    "^distillation/(?P<distillation_id>[0-9]+)/usage-history$": {"GET": READERS},
    "^distillation/(?P<pk>[0-9]+)$": {"GET": READERS, "PATCH": OPERATORS, "DELETE": OPERATORS},
    "^distillation/(?P<pk>[0-9]+)/reset-usage$": {"POST": ADMINISTRATORS},
    "^distillation/batch-delete$": {"POST": OPERATORS},
    "^distillation/history$": {"GET": READERS},
    "^distillation/keywords$": {"GET": READERS},
    "^distillation/manual$": {"POST": OPERATORS},
    "^distillation/recommended$": {"GET": READERS},
    "^distillation/repair-usage-stats$": {"POST": ADMINISTRATORS},
    "^distillation/reset-all-usage$": {"POST": ADMINISTRATORS},
    "^distillation/runs$": {"GET": READERS},
    "^distillation/runs/(?P<pk>[0-9]+)$": {"GET": READERS},
    "^distillation/runs/(?P<pk>[0-9]+)/cancel$": {"POST": OPERATORS},
    "^distillation/stats$": {"GET": READERS},
    **{
        route: methods
        for things in (
            "conversion-targets",
            "article-settings",
            "knowledge-bases",
            "knowledge-bases/(?P<base_id>[0-9]+)/documents",
        )
        for route, methods in (
            (f"^{things}$", {"GET": READERS, "POST": OPERATORS}),
            (f"^{things}/(?P<pk>[0-9]+)$", {"GET": READERS, "PATCH": OPERATORS, "DELETE": OPERATORS}),
        )
    },
    "exports/articles": {"POST": OPERATORS},
    "exports/latest": {"GET": READERS},
    "^exports/batches$": {"GET": READERS},
    "^exports/batches/(?P<pk>(?:manual|brief)-[1-9][0-9]{0,17})$": {"GET": READERS},
    "^exports/batches/(?P<pk>(?:manual|brief)-[1-9][0-9]{0,17})/download$": {"GET": READERS},
    "^exports/runs$": {"GET": READERS, "POST": OPERATORS},
    "^exports/runs/(?P<pk>[0-9]+)$": {"GET": READERS},
    "^exports/runs/(?P<pk>[0-9]+)/cancel$": {"POST": OPERATORS},
    "^manual_filter/candidates$": {"GET": READERS},
    "^manual_filter/decide$": {"POST": OPERATORS},
    "^manual_filter/discarded$": {"GET": READERS},
    "^manual_filter/edit$": {"POST": OPERATORS},
    "^manual_filter/export$": {"POST": OPERATORS},
    "^manual_filter/order$": {"POST": OPERATORS},
    "^manual_filter/restore$": {"POST": OPERATORS},
    "^manual_filter/review$": {"GET": READERS},
    "^manual_filter/stats$": {"GET": READERS},
}
_TASK_ID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_CONCEPTS = "^roadmaps/(?P<roadmap_id>[a-z0-9-]{10,80})/concepts"
_CONCEPT_ID = "(?P<concept_id>c-[0-9]{1,3}-[0-9]{1,3}-[0-9]{1,3})"
ROUTES |= {
    "generation/approve/<uuid:task_id>": {"POST": OPERATORS},
    "generation/cancel/<uuid:task_id>": {"POST": OPERATORS},
    "generation/retry/<uuid:task_id>": {"POST": OPERATORS},
    "generation/roadmap": {"POST": OPERATORS},
    "roadmaps/generate": {"POST": OPERATORS},
    "^roadmaps$": {"GET": READERS},
    "^roadmaps/(?P<pk>[a-z0-9-]{10,80})$": {"GET": READERS, "DELETE": OPERATORS},
    "^roadmaps/(?P<pk>[a-z0-9-]{10,80})/active-task$": {"GET": READERS},
    "^roadmaps/(?P<pk>[a-z0-9-]{10,80})/progress$": {"GET": READERS},
    f"{_CONCEPTS}/{_CONCEPT_ID}$": {"GET": READERS},
    f"{_CONCEPTS}/{_CONCEPT_ID}/progress$": {"PUT": LEARNERS},
    f"{_CONCEPTS}/{_CONCEPT_ID}/quiz-attempts$": {"GET": READERS, "POST": LEARNERS},
    f"{_CONCEPTS}/{_CONCEPT_ID}/retry$": {"POST": OPERATORS},
    "^roadmaps/tasks$": {"GET": READERS},
    f"^roadmaps/tasks/(?P<pk>{_TASK_ID})$": {"GET": READERS},
    f"^roadmaps/tasks/(?P<pk>{_TASK_ID})/cancel$": {"POST": OPERATORS},
}
TASK_ROUTES = {
    "$": {"GET": READERS, "POST": OPERATORS, "DELETE": OPERATORS},
    "/batch-delete$": {"POST": OPERATORS},
    "/(?P<pk>[0-9]+)$": {"GET": READERS, "DELETE": OPERATORS},
    "/(?P<pk>[0-9]+)/cancel$": {"POST": OPERATORS},
    "/(?P<pk>[0-9]+)/retry$": {"POST": OPERATORS},
}
for _prefix in ("^generation/tasks", "^article-generation/tasks"):
    ROUTES |= {_prefix + rest: methods for rest, methods in TASK_ROUTES.items()}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CLOSED = (401, 403)


def all_routes(resolver: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from all_routes(entry, path)
        elif isinstance(entry, URLPattern):
            yield path, entry


def api_routes() -> dict[str, Any]:
    """Every route below /api/v1/, without the one that catches what is unknown."""
    return {
        path.removeprefix("api/v1/"): entry
        for path, entry in all_routes()
        if path.startswith("api/v1/") and entry.name != "unknown"
    }


def served_methods(entry: Any) -> set[str]:
    view = entry.callback
    actions = getattr(view, "actions", None) or {
        name: name for name in view.cls.http_method_names if hasattr(view.cls, name)
    }
    return {name.upper() for name in actions} & set(METHODS)


def test_the_table_knows_every_route_and_method():
    written = {(route, method) for route, methods in ROUTES.items() for method in methods}
    served = {(route, method) for route, entry in api_routes().items() for method in served_methods(entry)}
    assert written == served


def test_both_mounts_serve_the_same_views():
    below_api = {
        path.removeprefix("api/"): entry.callback
        for path, entry in all_routes()
        if path.startswith("api/") and not path.startswith("api/v1/")
    }
    for route, entry in api_routes().items():
        assert below_api[route] is entry.callback


def concrete(route: str) -> str:
    """A URL for the route, with ids nobody has; 404 then means that the caller came in."""
    import re

    path = re.sub(r"\(\?P<\w+>\(\?:(\w+)[^)]*\)[^)]*\)", r"\1-999999999", route)  # manual-7
    path = re.sub(r"\(\?P<\w+>c-[^)]*\)", "c-9-9-9", path)
    path = re.sub(r"\(\?P<\w+>\[0-9a-f\][^)]*\)|<uuid:\w+>", "00000000-0000-4000-8000-000000000000", path)
    path = re.sub(r"\(\?P<\w+>\[a-z0-9-\][^)]*\)", "nobodys-99999999", path)
    path = re.sub(r"\(\?P<\w+>[^)]*\)|<(?:\w+:)?\w+>", "999999999", path)
    return "/api/v1/" + path.replace("^", "").replace("$", "").replace("\\Z", "")


@pytest.fixture
def _unthrottled(settings):
    """Two tests ask a thousand times."""
    rates = dict.fromkeys(settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"])
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}


@pytest.mark.django_db
@pytest.mark.usefixtures("_unthrottled")
def test_each_caller_gets_just_as_far_as_the_table_says(client_of, stranger, viewer, operator, administrator):
    clients = {
        "anonymous": client_of(None),
        "stranger": client_of(stranger),
        "viewer": client_of(viewer),
        "operator": client_of(operator),
        "administrator": client_of(administrator),
        "read-only token": client_of(administrator, read_only=True),
    }
    wrong = []
    for route, method, caller, wanted in table():
        status = answered(clients[caller], method, route)
        if (str(status) if status in CLOSED else "·") != wanted or status >= 500:
            wrong.append(f"{caller}: {method} {route} answered {status}, not {wanted}")
    assert wrong == []


@pytest.mark.django_db
@pytest.mark.usefixtures("_unthrottled")
def test_a_method_that_is_not_served_is_refused_to_everybody(client_of, administrator):
    expected = {client_of(administrator): 405, client_of(None): 401}
    wrong = []
    for route, served in ROUTES.items():
        for method in sorted(set(METHODS) - set(served)):
            for client, wanted in expected.items():
                if (status := answered(client, method, route)) != wanted:
                    wrong.append(f"{method} {route} answered {status}, not {wanted}")
    assert wrong == []


def table():
    """Every route, method and caller, and what is expected of them."""
    for route, methods in ROUTES.items():
        for method, expected in methods.items():
            for caller, wanted in zip(CALLERS, expected.split(), strict=True):
                yield route, method, caller, wanted


def answered(client, method, route):
    """The status, whatever the request did undone: the next finds what this one found."""
    with transaction.atomic():
        answer = client.generic(method, concrete(route), b"{}", content_type="application/json")
        transaction.set_rollback(True)
    return answer.status_code
