"""Whatever goes wrong below /api/ is answered as a problem that tells no secrets."""

import json
import logging

import pytest
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]


def test_a_problem_carries_its_members(api, problem_of):
    body = problem_of(api.get("/api/v1/fail/problem"), 400, "too-few")
    assert (body["title"], body["detail"], body["available"]) == ("Too few", "Only 3.", 3)
    assert body["instance"] == "/api/v1/fail/problem"


def test_a_registered_exception_answers_as_its_room_said(api, problem_of):
    response = api.get("/api/v1/fail/registered")
    body = problem_of(response, 409, "shelf-full")
    assert (body["detail"], body["freePlaces"]) == ("The shelf is full.", 0)
    assert response["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("how", "status", "slug"),
    [("gone", 404, "not-found"), ("in-use", 409, "in-use"), ("data", 400, "validation-error")],
)
def test_errors_of_django_are_translated(api, problem_of, how, status, slug):
    body = problem_of(api.get(f"/api/v1/fail/{how}"), status, slug)
    assert "AuditEvent" not in body["detail"]
    assert "secret" not in body["detail"]
    assert "range" not in body["detail"]


def test_a_refusal_of_a_service_points_at_the_camel_case_field(api, problem_of):
    body = problem_of(api.get("/api/v1/fail/django"), 400, "validation-error")
    assert body["errors"] == [{"pointer": "#/reportTag", "code": "long", "detail": "Too long."}]


def test_too_many_requests_say_when_to_come_back(api, problem_of):
    response = api.get("/api/v1/fail/throttled")
    problem_of(response, 429, "throttled")
    assert response["Retry-After"] == "12"


def test_a_database_that_is_away_asks_to_come_back(api, problem_of):
    response = api.get("/api/v1/fail/database")
    body = problem_of(response, 503, "database-unavailable")
    assert response["Retry-After"] == "1"
    assert "10.0.0.7" not in json.dumps(body)


def test_a_bug_is_logged_with_its_request_and_tells_nothing(api, problem_of, caplog):
    with caplog.at_level(logging.ERROR):
        body = problem_of(api.get("/api/v1/fail/bug"), 500, "internal-error")
    assert "secret" not in json.dumps(body)
    (record,) = [each for each in caplog.records if each.name == "pressroom.problems"]
    assert "secret internals" in str(record.exc_info or record.msg)


def test_a_bug_outside_drf_is_a_problem_too(problem_of):
    response = Client(raise_request_exception=False).get("/api/v1/broken")
    body = problem_of(response, 500, "internal-error")
    assert "secret" not in json.dumps(body)


def test_a_method_that_is_not_served_is_405(api, problem_of):
    response = api.put("/api/v1/events", {})
    problem_of(response, 405, "method-not-allowed")
    assert "GET" in response["Allow"]


def test_texts_follow_the_reader_and_types_do_not(api, problem_of):
    response = api.get("/api/v1/events?page=0", HTTP_ACCEPT_LANGUAGE="zh-hans")
    problem_of(response, 400, "validation-error")
    assert response["Content-Language"] == "zh-hans"
    required = problem_of(api.post("/api/v1/events", {}, HTTP_ACCEPT_LANGUAGE="zh-hans"), 400, "validation-error")
    assert required["errors"][0]["detail"] == "该字段是必填项。"


@pytest.mark.urls("config.urls")
@pytest.mark.parametrize("path", ["/api/", "/api/nothing", "/api/v1/nothing", "/api/v1/me/"])
@pytest.mark.parametrize("debug", [True, False])
def test_an_unknown_route_is_a_problem_not_a_page(client, problem_of, settings, path, debug):
    settings.DEBUG = debug
    problem_of(client.get(path), 404, "not-found")
    problem_of(Client(enforce_csrf_checks=True).post(path), 404, "not-found")


def test_the_catalogue_in_the_documentation_names_every_problem():
    from pathlib import Path

    from api.problems import TITLES

    written = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    assert [slug for slug in TITLES if f"`/problems/{slug}`" not in written] == []
