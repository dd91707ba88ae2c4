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
        ("pageSize=abc", "pageSize"),
        ("pageSize=", "pageSize"),
        ("pageSize=-5", "pageSize"),
        ("isAnonymous=maybe", "isAnonymous"),
        ("actorIdMax=ten", "actorIdMax"),
        ("actorName=%00", "actorName"),
        ("actorName=", "actorName"),
        ("actorName=%20%20", "actorName"),
        ("actorIdMax=1.5", "actorIdMax"),
        ("actorIdMax=1e3", "actorIdMax"),
        ("actorIdMax=9223372036854775808", "actorIdMax"),
        ("actorIdMax=-9223372036854775809", "actorIdMax"),
        ("objectTypes=&objectTypes=a", "objectTypes"),
    ],
)
def test_a_senseless_parameter_is_named(api, problem_of, query, parameter):
    body = problem_of(api.get(f"{EVENTS}?{query}"), 400, "validation-error")
    assert only_error(body)[0] == parameter


@pytest.mark.parametrize("query", ["actor_name=x", "format=json", "unknown=1", "cursor=1"])
def test_an_unknown_parameter_is_refused_instead_of_ignored(api, problem_of, query):
    body = problem_of(api.get(f"{EVENTS}?{query}"), 400, "unknown-parameter")
    assert only_error(body) == (query.split("=")[0], "unknown-parameter")


@pytest.mark.parametrize("query", ["page=1&page=2", "actorName=a&actorName=b", "actorName=a&actorName=a"])
def test_a_repeated_parameter_is_refused_instead_of_half_ignored(api, problem_of, query):
    body = problem_of(api.get(f"{EVENTS}?{query}"), 400, "repeated-parameter")
    assert only_error(body) == (query.split("=")[0], "repeated-parameter")


def test_a_filter_that_takes_a_list_may_be_repeated(api):
    AuditEvent.objects.create(action="a", object_type="a")
    AuditEvent.objects.create(action="b", object_type="b")
    AuditEvent.objects.create(action="c", object_type="c")
    assert api.get(f"{EVENTS}?objectTypes=a&objectTypes=b").json()["total"] == 2


@pytest.mark.parametrize("query", ["actorName=%ff", "actorName=%ED%A0%80", "%ff=1"])
def test_a_query_that_is_no_utf_8_is_refused_instead_of_filtered_by_question_marks(api, problem_of, query):
    problem_of(api.get(f"{EVENTS}?{query}"), 400, "bad-request")


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
        b'{"reportTag": "a", "reportTag": "b"}',
        b'{"reportTag": "a", "freeData": {"x": [{"y": 1, "y": 1}]}}',
        b'{"reportTag": "a", "re\\u0070ortTag": "b"}',
        b'\xef\xbb\xbf{"reportTag": "a"}',
        '{"reportTag": "a"}'.encode("utf-16"),
    ],
)
def test_a_body_that_is_no_storable_json_is_refused(api, problem_of, body):
    problem_of(api.post(EVENTS, body, content_type="application/json"), 400, "malformed-body")


def test_a_key_that_is_given_twice_is_named(api, problem_of):
    body = b'{"reportTag": "a", "reportTag": "b"}'
    problem = problem_of(api.post(EVENTS, body, content_type="application/json"), 400, "malformed-body")
    assert "'reportTag'" in problem["detail"]


def test_numbers_of_any_length_are_no_fault_of_the_body(api):
    body = b'{"reportTag": "a", "freeData": %s}' % (b"9" * 4000)
    assert api.post(EVENTS, body, content_type="application/json").status_code == 202


def test_a_body_without_a_length_is_refused_instead_of_taken_for_none(api, problem_of):
    answer = api.post(EVENTS, {"reportTag": "a"}, HTTP_TRANSFER_ENCODING="chunked")
    problem_of(answer, 411, "length-required")


def test_a_body_beyond_the_limit_is_refused(api, problem_of, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 50
    problem_of(api.post(EVENTS, {"reportTag": "a" * 60}), 413, "body-too-large")


def test_another_media_type_is_refused(api, problem_of):
    problem_of(api.post(EVENTS, "a=1", content_type="text/plain"), 415, "unsupported-media-type")
    problem_of(api.post(EVENTS, {"reportTag": "a"}, format="multipart"), 415, "unsupported-media-type")
    problem_of(api.get(EVENTS, HTTP_ACCEPT="text/html"), 406, "not-acceptable")


@pytest.mark.parametrize(
    "language", ["", "x" * 5000, "zh-hans;q=9", "\xff\xfe", "*;q=0", "de-" * 300, "zh_CN.UTF-8", ";;,,"]
)
def test_a_language_nobody_speaks_is_answered_all_the_same(api, language):
    assert api.get(EVENTS, HTTP_ACCEPT_LANGUAGE=language).status_code == 200


@pytest.mark.parametrize("name", ["HTTP_IF_NONE_MATCH", "HTTP_AUTHORIZATION", "HTTP_X_REQUEST_ID", "HTTP_ACCEPT"])
@pytest.mark.parametrize(
    "value", ["\0", "\xed\xa0\x80", "x" * 8000, ",,;q=", '"', "Bearer \0", "Bearer " + "\xff" * 99]
)
def test_a_header_full_of_junk_is_never_our_fault(api, viewer, name, value):
    event = AuditEvent.objects.latest("id")
    assert api.get(f"{EVENTS}/{event.pk}", **{name: value}).status_code < 500


@pytest.mark.parametrize("cookie", ["sessionid", "csrftoken", "django_language"])
@pytest.mark.urls("config.urls")
def test_a_cookie_that_hides_a_nul_is_a_bad_request_at_every_door(client, problem_of, cookie):
    hidden = f'{cookie}="\\000abcdefghijklm"'
    problem_of(client.get("/api/v1/me", HTTP_COOKIE=hidden), 400, "bad-request")
    assert client.get("/admin/", HTTP_COOKIE=hidden).status_code == 400


def test_head_is_get_without_its_body(api):
    whole, head = api.get(EVENTS), api.head(EVENTS)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Type"] == whole["Content-Type"]


def test_options_tells_the_methods_to_whom_is_signed_in(api, problem_of):
    answer = api.options(EVENTS)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"
    problem_of(APIClient().options(EVENTS), 401, "not-authenticated")


def test_a_wrong_token_is_challenged(problem_of):
    response = APIClient().get(EVENTS, HTTP_AUTHORIZATION="Bearer pr_wrong")
    problem_of(response, 401, "not-authenticated")
    assert response["WWW-Authenticate"] == "Bearer"


def test_no_permission_is_said(client_of, stranger, problem_of):
    problem_of(client_of(stranger).get(f"{EVENTS}?page=-1"), 403, "permission-denied")
