"""Articles come in by their own id: written once, changed where they differ, refused row by row."""

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from exports.ingest import ingest_articles
from exports.models import Article, ManualReview
from exports.reviewing import decide
from observed import physical
from pool import pour, review, row

pytestmark = pytest.mark.django_db


def ingest(*rows, **options):
    return ingest_articles(rows, actor="test", **options)


def counts(ingested):
    return ingested.created, ingested.updated, ingested.unchanged


def test_a_new_article_comes_with_a_pending_review():
    assert counts(ingest(row("a/1 😀"))) == (1, 0, 0)
    made = review("a/1 😀")
    assert (made.status, made.rank, made.version) == ("pending", None, 1)
    assert (made.list_score, made.region, made.sentiment) == (Decimal(80), "internal", "positive")


def test_the_same_rows_again_write_nothing():
    rows = [row(f"a-{each}", keywords=["x", "y"], importance="1.5") for each in range(50)]
    ingest(*rows)
    before = list(Article.objects.order_by("id").values())
    assert counts(ingest(*rows)) == (0, 0, 50)
    assert list(Article.objects.order_by("id").values()) == before
    assert AuditEvent.objects.filter(action="articles.ingested").count() == 1


def test_among_new_and_changed_rows_those_that_are_the_same_are_not_written():
    pour("a-1", "a-2", "a-3")
    before = dict(zip(["a-1", "a-2", "a-3"], physical("news_articles"), strict=True))
    assert counts(ingest(row("a-1"), row("a-2", score=1), row("a-3"), row("a-4"))) == (1, 1, 2)
    after = physical("news_articles")
    assert [version in after for version in before.values()] == [True, False, True]


def test_a_field_that_is_not_named_keeps_its_value():
    pour("a-1", content="The text.")
    assert counts(ingest({"article_id": "a-1", "title": "Title of a-1", "score": 90})) == (0, 1, 0)
    article = Article.objects.get(article_id="a-1")
    assert (article.content, article.source, article.score) == ("The text.", "City Herald", Decimal(90))


def test_replacing_empties_what_is_not_named():
    pour("a-1", content="The text.")
    ingest({"article_id": "a-1", "title": "New"}, replace=True)
    article = Article.objects.get(article_id="a-1")
    assert (article.content, article.score, article.region, article.keywords) == ("", None, "unknown", [])


def test_null_empties_a_field():
    pour("a-1")
    ingest(row("a-1", score=None, source=None, published_at=None))
    article = Article.objects.get(article_id="a-1")
    assert (article.score, article.source, article.published_at) == (None, "", None)


def test_a_changed_score_moves_the_article_in_the_review_list():
    pour("a-1", "a-2")
    ingest(row("a-2", score=95))
    assert list(ManualReview.objects.candidates().in_order().values_list("article_id", flat=True)) == ["a-2", "a-1"]


def test_an_article_whose_text_changes_after_an_export_stays_exported():
    pour("a-1")
    ManualReview.objects.update(status="exported", rank=1)
    ingest(row("a-1", summary="Another text."))
    assert review("a-1").status == "exported"
    assert review("a-1").article.summary == "Another text."


def test_names_of_the_original_are_understood():
    ingest(
        {
            "article_id": "a-1",
            "title": "T",
            "publish_time_iso": "2026-05-01T08:00:00Z",
            "llm_summary": "S",
            "llm_keywords": ["k"],
            "is_beijing_related": True,
            "sentiment_label": "negative",
            "content_markdown": "C",
            "external_importance_score": 7.25,
        }
    )
    article = Article.objects.get()
    assert (article.summary, article.keywords, article.content) == ("S", ["k"], "C")
    assert (article.region, article.sentiment, article.importance) == ("internal", "negative", Decimal("7.25"))
    assert article.published_at == datetime(2026, 5, 1, 8, tzinfo=UTC)


def test_both_spellings_are_understood_but_may_not_contradict_each_other():
    assert ingest({"articleId": "a-1", "title": "T", "publishedAt": "2026-05-01"}).created == 1
    found = ingest(row("a-2", publishedAt="2026-05-02"))
    assert [(fault.field, fault.code) for fault in found.faults] == [("publishedAt", "two-spellings")]


def test_a_time_without_an_offset_is_local():
    ingest(row("a-1", published_at="2026-05-01 08:00"))
    assert Article.objects.get().published_at == datetime(2026, 5, 1, 0, tzinfo=UTC)  # Asia/Shanghai


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"article_id": ""}, "article_id", "required"),
        ({"article_id": None}, "article_id", "required"),
        ({"article_id": "😀" * 513}, "article_id", "too-long"),
        ({"article_id": "x" * 10_000}, "article_id", "too-long"),
        ({"article_id": "a\0b"}, "article_id", "nul-character"),
        ({"article_id": ["a"]}, "article_id", "not-text"),
        ({"title": ""}, "title", "required"),
        ({"title": "  "}, "title", "required"),
        ({"title": "a\0b"}, "title", "nul-character"),
        ({"summary": "\ud800"}, "summary", "not-text"),
        ({"score": float("nan")}, "score", "out-of-range"),
        ({"score": float("inf")}, "score", "out-of-range"),
        ({"score": "NaN"}, "score", "not-a-number"),
        ({"score": 1000}, "score", "out-of-range"),
        ({"score": "999.9996"}, "score", "out-of-range"),
        ({"score": Decimal("1e999999")}, "score", "out-of-range"),
        ({"score": "many"}, "score", "not-a-number"),
        ({"score": True}, "score", "not-a-number"),
        ({"score": [1]}, "score", "not-a-number"),
        ({"region": "moon"}, "region", "not-a-choice"),
        ({"region": 7}, "region", "not-a-choice"),
        ({"sentiment": "mixed"}, "sentiment", "not-a-choice"),
        ({"published_at": "yesterday"}, "published_at", "not-a-time"),
        ({"published_at": "2026-02-30"}, "published_at", "not-a-time"),
        ({"published_at": 5}, "published_at", "not-a-time"),
        ({"published_at": "0001-01-01T00:00:00+08:00"}, "published_at", "out-of-range"),
        ({"published_at": "9999-12-31T23:59:59-08:00"}, "published_at", "out-of-range"),
        ({"keywords": [1]}, "keywords", "not-text"),
        ({"keywords": ["k"] * 101}, "keywords", "too-many"),
        ({"colour": "red"}, "colour", "unknown-field"),
    ],
)
def test_a_faulty_row_is_named_and_the_good_ones_go_in(fields, field, code):
    found = ingest(row("good-1"), row("bad") | fields, row("good-2"))
    assert [(fault.row, fault.field, fault.code) for fault in found.faults] == [(1, field, code)]
    assert set(Article.objects.values_list("article_id", flat=True)) == {"good-1", "good-2"}


def test_a_row_that_is_no_object_is_named():
    found = ingest("text", None, row())
    assert [(fault.row, fault.code) for fault in found.faults] == [(0, "not-an-object"), (1, "not-an-object")]
    assert found.created == 1


def test_an_id_of_512_characters_fits_every_index():
    assert ingest(row("😀" * 512)).created == 1
    decide(selected=["😀" * 512], actor="test")


def test_two_rows_of_one_id_are_refused_as_a_whole():
    with pytest.raises(ValidationError, match="duplicate ids in one request: a-1"):
        ingest(row("a-1"), row("a-2"), row("a-1", title="Other"))
    assert not Article.objects.exists()


def test_of_two_rows_of_one_id_in_a_file_the_later_one_counts():
    found = ingest(row("a-1", title="First"), row("a-1", title="Second"), same_id="last")
    assert (found.created, found.doubled) == (1, 1)
    assert Article.objects.get().title == "Second"


def test_more_than_5000_rows_are_refused():
    with pytest.raises(ValidationError, match="At most 5000"):
        ingest(*[row(str(each)) for each in range(5001)])
    assert not Article.objects.exists()


def test_an_article_copied_in_without_a_review_gets_one():
    Article.objects.create(article_id="a-1", title="T")
    ingest({"article_id": "a-1", "title": "T"})
    assert review("a-1").status == "pending"


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows():
    def statements(rows):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            ingest(*rows)
        return len(queries)

    pour("a-0", "b-0")
    few = statements([row("a-0", score=1), row("a-1")])
    many = statements([row("b-0", score=1), *(row(f"b-{each}") for each in range(1, 400))])
    assert few == many


@pytest.mark.django_db(transaction=True)
def test_two_ingests_of_the_same_articles_at_once_lose_nothing():
    pour(*(f"a-{each:03}" for each in range(0, 200, 2)), summary="")
    errors = []

    def write(field, ids):
        try:
            for _again in range(3):
                ingest(*[{"article_id": each, "title": f"Title of {each}", field: "x"} for each in ids])
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    ids = [f"a-{each:03}" for each in range(200)]
    writers = [
        threading.Thread(target=write, args=("summary", ids)),
        threading.Thread(target=write, args=("section", ids[::-1])),
    ]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert errors == []
    assert Article.objects.filter(summary="x", section="x").count() == 200
    assert ManualReview.objects.count() == 200
