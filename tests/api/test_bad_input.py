"""Bad input gets a clear problem that names the place, and changes nothing."""

import pytest
from rest_framework.test import APIClient

from access.models import AuditEvent

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]
EVENTS = "/api/v1/events"


def only_error(body):
    (error,) = body["errors"]
    assert error["detail"]
    return error.get("pointer") or error.get("parameter"), error["code"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("page=-1", "page"),
        ("page=0", "page"),
        ("page=1.5", "page"),
        ("page=%D9%A3", "page"),  # an Arabic three
        ("page=99999999999999999999999999", "page"),
        ("page=1&page=2", "page"),
        ("pageSize=abc", "pageSize"),
        ("pageSize=", "pageSize"),
        ("pageSize=-5", "pageSize"),
        ("isAnonymous=maybe", "isAnonymous"),
        ("actorIdMax=ten", "actorIdMax"),
        ("actorName=%00", "actorName"),
    ],
)
def test_a_senseless_parameter_is_named(api, problem_of, query, parameter):
    body = problem_of(api.get(f"{EVENTS}?{query}"), 400, "validation-error")
    assert only_error(body)[0] == parameter


@pytest.mark.parametrize("query", ["actor_name=x", "format=json", "unknown=1", "cursor=1"])
def test_an_unknown_parameter_is_refused_instead_of_ignored(api, problem_of, query):
    body = problem_of(api.get(f"{EVENTS}?{query}"), 400, "unknown-parameter")
    assert only_error(body) == (query.split("=")[0], "unknown-parameter")


def test_a_detail_takes_no_list_parameters(api, problem_of):
    event = AuditEvent.objects.latest("id")
    problem_of(api.get(f"{EVENTS}/{event.pk}?page=1"), 400, "unknown-parameter")


def test_an_action_takes_the_parameters_declared_for_it(api):
    assert api.post(f"{EVENTS}?dryRun=true", {"reportTag": "a"}).status_code == 202


@pytest.mark.parametrize(
    ("wish", "pointer", "code"),
    [
        ({}, "#/reportTag", "required"),
        ({"reportTag": "a", "nope": 1}, "#/nope", "unknown-field"),
        ({"reportTag": "a", "a/b~c": 1}, "#/a~1b~0c", "unknown-field"),
        ({"reportTag": "a", "sequenceNo": 1}, "#/sequenceNo", "read-only"),
        ({"reportTag": "a", "report_tag": "b"}, "#/reportTag", "two-spellings"),
        ({"reportTag": "forbidden"}, "#/reportTag", "forbidden"),
        ({"reportTag": "clash"}, "#/unitPrice", "clash"),
        ({"reportTag": "a", "unitPrice": 1.2345}, "#/unitPrice", "max_decimal_places"),
        ({"reportTag": "a", "firstParts": [{"lineCount": 1}, {"lineCount": -1}]}, "#/firstParts/1/lineCount",
         "min_value"),
        ({"reportTag": "a", "firstParts": [{"line_count": 1, "x": 1}]}, "#/firstParts/0/x", "unknown-field"),
        ([], "#", "invalid"),
        ("text", "#", "invalid"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_pointed_at(api, problem_of, wish, pointer, code):
    body = problem_of(api.post(EVENTS, wish), 400, "validation-error")
    assert only_error(body) == (pointer, code)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"reportTag": NaN}',
        b'{"reportTag": "a"} tail',
        b'{"reportTag": "\xff"}',
        b'{"reportTag": "\\ud800"}',
        b'{"reportTag": "a\\u0000b"}',
        b'{"reportTag": "a", "freeData": {"\\u0000": 1}}',
        b'{"reportTag": "a", "freeData": ' + b"[" * 150 + b"]" * 150 + b"}",
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_storable_json_is_refused(api, problem_of, body):
    problem_of(api.post(EVENTS, body, content_type="application/json"), 400, "malformed-body")


def test_a_body_beyond_the_limit_is_refused(api, problem_of, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 50
    problem_of(api.post(EVENTS, {"reportTag": "a" * 60}), 413, "body-too-large")


def test_another_media_type_is_refused(api, problem_of):
    problem_of(api.post(EVENTS, "a=1", content_type="text/plain"), 415, "unsupported-media-type")
    problem_of(api.get(EVENTS, HTTP_ACCEPT="text/html"), 406, "not-acceptable")


def test_a_wrong_token_is_challenged(problem_of):
    response = APIClient().get(EVENTS, HTTP_AUTHORIZATION="Bearer pr_wrong")
    problem_of(response, 401, "not-authenticated")
    assert response["WWW-Authenticate"] == "Bearer"


def test_no_permission_is_said(client_of, stranger, problem_of):
    problem_of(client_of(stranger).get(f"{EVENTS}?page=-1"), 403, "permission-denied")
