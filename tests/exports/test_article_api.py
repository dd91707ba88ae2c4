"""POST /exports/articles: up to 5,000 at once, faulty rows named, the others in."""

import pytest

from access.models import AuditEvent
from exports.api.articles import BODY_AT_MOST
from exports.models import Article, ManualReview
from pool import row

pytestmark = pytest.mark.django_db
URL = "/api/v1/exports/articles"


@pytest.fixture
def api(client_of, operator):
    return client_of(operator)


def test_articles_are_written_by_their_ids_and_counted(api):
    rows = [row("a/1 😀"), {"articleId": "a-2", "title": "T", "publishedAt": "2026-05-01"}]
    nothing = {"created": 0, "updated": 0, "unchanged": 0, "errors": []}
    assert api.post(URL, {"articles": rows}).json() == nothing | {"created": 2}
    assert api.post(URL, {"articles": rows}).json() == nothing | {"unchanged": 2}
    assert api.post("/api/exports/articles", {"articles": [row("a/1 😀", score=1)]}).json() == nothing | {"updated": 1}
    assert ManualReview.objects.candidates().count() == 2
    assert set(AuditEvent.objects.filter(action="articles.ingested").values_list("actor_name", flat=True)) == {
        "operator"
    }


def test_faulty_rows_are_pointed_at_and_the_others_go_in(api):
    rows = [row("a-1"), row("x" * 10_000), row("a-2", published_at="yesterday", score=10**9), "text", row("a-3")]
    answer = api.post(URL, {"articles": rows})
    body = answer.json()
    assert (answer.status_code, body["created"]) == (200, 2)
    assert [(each["row"], each["pointer"], each["code"], each["articleId"]) for each in body["errors"]] == [
        (1, "#/articles/1/article_id", "too-long", ""),
        (2, "#/articles/2/score", "out-of-range", "a-2"),
        (2, "#/articles/2/published_at", "not-a-time", "a-2"),
        (3, "#/articles/3", "not-an-object", ""),
    ]


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"articles": []},
        {"articles": "text"},
        {"articles": {"a": 1}},
        {"articles": [row("a-1"), row("a-2"), row("a-1")]},
        {"articles": [row(str(n)) for n in range(5_001)]},
        {"articles": [row("a-1")], "replace": "maybe"},
        {"articles": [row("a-1")], "mode": "x"},
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_writes_nothing(api, wish):
    answer = api.post(URL, wish)
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert not Article.objects.exists()


def test_ids_given_twice_are_named(api):
    answer = api.post(URL, {"articles": [row("a-1"), row("a-1")]})
    assert answer.json()["errors"][0]["code"] == "duplicate-ids"
    assert "duplicate ids in one request: a-1" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"{", b'{"articles": ["\\ud800"]}', b'{"articles": [{"title": "a\\u0000b"}]}', b""])
def test_a_body_that_is_no_json_is_refused(api, body):
    assert api.post(URL, body, content_type="application/json").status_code == 400


def test_a_body_may_be_longer_here_than_elsewhere_but_not_without_end(api):
    rows = [row(f"a-{each}", content="x" * 10_000) for each in range(500)]
    assert api.post(URL, {"articles": rows}).json()["created"] == 500
    answer = api.post(URL, b'"' + b"x" * BODY_AT_MOST + b'"', content_type="application/json")
    assert answer.status_code == 413


def test_a_request_sent_twice_with_one_key_is_done_once(api):
    first = api.post(URL, {"articles": [row("a-1")]}, HTTP_IDEMPOTENCY_KEY="k")
    again = api.post(URL, {"articles": [row("a-1")]}, HTTP_IDEMPOTENCY_KEY="k")
    assert again.json() == first.json() == {"created": 1, "updated": 0, "unchanged": 0, "errors": []}
