"""Operators look articles up, correct one, and take files in, as far as their role goes."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from exports.models import Article, ManualReview
from exports.reviewing import decide
from pool import pour, review, row

pytestmark = pytest.mark.django_db
LIST = "/admin/exports/article/"
HOSTILE = "<script>alert(1)</script>"


def typed(**fields):
    """A whole form; fields override."""
    return {
        "article_id": "a-1", "title": "Title", "summary": "Text.", "content": "", "keywords": "one\ntwo\n",
        "region": "internal", "sentiment": "positive", "section": "", "score": "80", "importance": "",
        "source": "City Herald", "url": "", "published_at_0": "2026-05-01", "published_at_1": "08:00:00",
    } | fields  # fmt: skip


def a_file(*rows, name="articles.jsonl"):
    lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in rows]
    return SimpleUploadedFile(name, b"\n".join(lines))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_list_opens_empty_and_filled_and_escapes_what_came_in(language, viewer, desk_of):
    desk = desk_of(viewer)
    assert 'class="empty"' in desk.get(LIST, headers={"accept-language": language}).content.decode()
    pour("a-1", title=HOSTILE, source=HOSTILE)
    page = desk.get(LIST, headers={"accept-language": language}).content.decode()
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_the_list_takes_the_same_number_of_queries_for_any_number_of_rows(viewer, desk_of):
    desk = desk_of(viewer)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(LIST).status_code == 200
        return len(captured)

    pour("a", "b")
    queries()  # what is asked once per process
    few = queries()
    pour(*(f"n-{each}" for each in range(40)))
    assert queries() == few


def test_an_article_is_found_by_its_id_and_by_a_part_of_its_title(viewer, desk_of):
    pour("a/1", title="新增三所幼儿园")
    pour("b-2", title="Other")
    for asked in ("a/1", "三所幼"):
        page = desk_of(viewer).get(LIST, {"q": asked}).content.decode()
        assert "新增三所幼儿园" in page
        assert "Other" not in page


def test_an_article_written_by_hand_comes_in_like_any_other(operator, desk_of):
    answer = desk_of(operator).post(f"{LIST}add/", typed(article_id="a/1 😀"))
    assert answer.status_code == 302, answer.content.decode()
    article = Article.objects.get()
    assert (article.article_id, article.keywords, review("a/1 😀").status) == ("a/1 😀", ["one", "two"], "pending")
    assert AuditEvent.objects.get(action="articles.ingested").actor_name == "operator"


def test_a_correction_writes_what_was_changed_and_says_so_below(operator, desk_of):
    pour("a-1", title="Title", keywords=["one", "two"])
    decide(selected=["a-1"], actor="test")
    article = Article.objects.get()
    desk = desk_of(operator)
    answer = desk.post(f"{LIST}{article.pk}/change/", typed(summary="Better."))
    assert answer.status_code == 302, answer.content.decode()
    article.refresh_from_db()
    assert article.summary == "Better."
    event = AuditEvent.objects.get(action="article.changed")
    assert event.before["summary"] == "Summary of a-1."
    assert event.after["summary"] == "Better."
    assert review("a-1").status == "selected"
    assert "article.changed" in desk.get(f"{LIST}{article.pk}/change/").content.decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"title": " "}, {"article_id": ""}, {"article_id": "x" * 600}, {"score": "1000"}, {"score": "many"},
        {"title": "a\0b"}, {"region": "moon"}, {"published_at_0": "yesterday"}, {"keywords": "\n".join("x" * 200)},
        {"article_id": "there"}, {"published_at_0": "0001-01-01"}, {"published_at_0": "9999-12-31"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_beside_its_field(fields, operator, desk_of):
    pour("there")
    answer = desk_of(operator).post(f"{LIST}add/", typed(**fields))
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert Article.objects.count() == 1


def test_a_file_is_taken_in_and_its_bad_rows_are_named(operator, desk_of):
    pour("a-2")
    file = a_file(row("a-1"), row("a-2"), b"{", row(HOSTILE, score="many"), row("a-5", colour="red"))
    answer = desk_of(operator).post(f"{LIST}import/", {"file": file})
    assert answer.status_code == 200
    imported = answer.context["imported"]
    assert (imported.created, imported.unchanged, imported.rejected, imported.unknown_columns) == (2, 1, 2, ["colour"])
    assert [(fault.row, fault.code) for fault in answer.context["faults"]] == [(3, "not-json"), (4, "not-a-number")]
    assert HOSTILE not in answer.content.decode()
    assert ManualReview.objects.count() == 3


@pytest.mark.parametrize(
    "upload",
    [
        None,
        a_file(name="articles.xlsx"),
        SimpleUploadedFile("a.csv", b"no,heading\n1,2\n"),
        SimpleUploadedFile("a.jsonl", b""),
        a_file(*[row(str(each)) for each in range(5_001)]),
    ],
)
def test_a_file_that_cannot_be_taken_in_is_refused(upload, operator, desk_of):
    answer = desk_of(operator).post(f"{LIST}import/", {"file": upload} if upload else {})
    assert answer.status_code == 400
    assert "errorlist" in answer.content.decode()
    assert not Article.objects.exists()


def test_a_file_that_is_too_long_is_refused(operator, desk_of, monkeypatch):
    monkeypatch.setattr("exports.admin.articles.FILE_AT_MOST", 10)
    assert desk_of(operator).post(f"{LIST}import/", {"file": a_file(row())}).status_code == 400


def test_who_may_only_read_writes_nothing(viewer, desk_of):
    pour("a-1")
    desk = desk_of(viewer)
    article = Article.objects.get()
    assert desk.get(f"{LIST}{article.pk}/change/").status_code == 200
    for answer in (
        desk.post(f"{LIST}add/", typed(article_id="a-2")),
        desk.post(f"{LIST}{article.pk}/change/", typed(title="Changed")),
        desk.get(f"{LIST}import/"),
        desk.post(f"{LIST}import/", {"file": a_file(row("a-2"))}),
        desk.get(f"{LIST}download.csv"),
    ):
        assert answer.status_code == 403
    assert Article.objects.get().title == "Title of a-1"
    assert "import/" not in desk.get(LIST).content.decode()


def test_nobody_deletes_an_article(administrator, operator, desk_of):
    pour("a-1")
    article = Article.objects.get()
    for user in (operator, administrator):
        assert desk_of(user).post(f"{LIST}{article.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_list_is_taken_along_as_csv(operator, desk_of):
    pour("a-1", title="=1+1")
    answer = desk_of(operator).get(f"{LIST}download.csv")
    assert b"'=1+1" in b"".join(answer.streaming_content)
