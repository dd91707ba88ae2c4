"""Generated articles through the API."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from distillations.models import GeneratedArticle
from distilled import article, distilled, drift, task, usage, used

pytestmark = pytest.mark.django_db(transaction=True)

ARTICLES = "/api/v1/articles"


def found(api, **query):
    return [each["id"] for each in api.get(ARTICLES, query).json()["articles"]]


def test_filters_find_what_they_say_newest_first(api):
    one, other = distilled(2)
    of = task("completed", requested=2, generated_count=2)
    first = article(of, one, title="Three steps to a carrier")
    second = article(of, other, title="选对承运商", is_published=True, published_at="2026-01-01T00:00:00Z")
    third = article(title="Loose leaf", keyword="carrier pigeon")
    assert found(api) == [third.pk, second.pk, first.pk]
    assert found(api, taskId=of.pk) == [second.pk, first.pk]
    assert found(api, distillationId=one.pk) == [first.pk]
    assert found(api, isPublished="true") == [second.pk]
    assert found(api, isPublished="false") == [third.pk, first.pk]
    assert found(api, search="CARRIER") == [third.pk, first.pk]
    assert found(api, search="carrier steps") == [first.pk]
    assert found(api, search="承运商") == [second.pk]
    assert found(api, search="选对") == [second.pk]
    assert found(api, search="x%") == []


@pytest.mark.parametrize(
    "query", ["isPublished=maybe", "taskId=x", "page=-1", "search=", "content=x", "title__regex=x", "taskId=1&taskId=2"]
)
def test_a_wrong_question_is_refused(api, query):
    answer = api.get(f"{ARTICLES}?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_page_costs_the_same_queries_for_3_articles_and_300_and_reads_no_whole_text(api):
    (one,) = distilled(1)

    def asked():
        api.get(ARTICLES)  # the total is kept for a few seconds from here on
        with CaptureQueriesContext(connection) as queries:
            assert api.get(ARTICLES, {"pageSize": 100}).status_code == 200
        return [each["sql"] for each in queries]

    used(one, times=3)
    few = asked()
    for _ in range(3):
        used(one, times=99)
    api.get(ARTICLES, {"pageSize": 100})
    many = asked()
    assert len(many) == len(few), many
    assert not any('"articles"."content"' in sql.replace('LEFT("articles"."content"', "") for sql in many)


def test_nobodys_article_is_missing_in_both_languages(api, refused):
    for method, path in (("get", ""), ("delete", ""), ("put", "/publish")):
        ask, body = getattr(api, method), {"isPublished": True} if path else None
        url = f"{ARTICLES}/999{path}"
        assert refused(ask(url, body), 404, "not-found")["detail"] == "This article does not exist."
        chinese = ask(url, body, HTTP_ACCEPT_LANGUAGE="zh-hans")
        assert refused(chinese, 404, "not-found")["detail"] == "文章不存在"


@pytest.mark.parametrize(
    "wish", [{}, {"isPublished": None}, {"isPublished": "perhaps"}, {"isPublished": True, "title": "x"}, []]
)
def test_a_wrong_wish_to_publish_is_refused(api, wish):
    written = article()
    assert api.put(f"{ARTICLES}/{written.pk}/publish", wish).status_code == 400
    assert not GeneratedArticle.objects.get().is_published


def test_publishing_is_on_record_once(api):
    written = article()
    first, again = (api.put(f"{ARTICLES}/{written.pk}/publish", {"isPublished": True}) for _ in "ab")
    assert first.json() == again.json()
    events = AuditEvent.objects.filter(object_id=str(written.pk), action__startswith="article.")
    assert list(events.values_list("action", "actor_name")) == [("article.published", "operator")]


def test_deleted_articles_lower_the_count_exactly(api, refused):
    (one,) = distilled(1)
    first, second, _kept = (each.pk for each in used(one, times=3))
    assert api.delete(f"{ARTICLES}/{first}").json()["message"] == "The article was deleted."
    refused(api.delete(f"{ARTICLES}/{first}"), 404, "not-found")
    assert api.post(f"{ARTICLES}/batch-delete", {"articleIds": [first, second]}).json()["deletedIds"] == [second]
    assert usage(one) == [1]
    refused(api.post(f"{ARTICLES}/batch-delete", {"articleIds": []}), 400, "validation-error")
    assert drift() == []


def test_an_unchanged_article_is_304_until_what_it_came_from_is_gone(api):
    (one,) = distilled(1)
    of = task("completed", generated_count=1)
    written = article(of, one)
    url = f"{ARTICLES}/{written.pk}"
    seen = api.get(url)
    assert api.get(url, HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 304
    api.delete(f"/api/v1/generation/tasks/{of.pk}")
    changed = api.get(url, HTTP_IF_NONE_MATCH=seen["ETag"])
    assert (changed.status_code, changed.json()["taskId"]) == (200, None)
