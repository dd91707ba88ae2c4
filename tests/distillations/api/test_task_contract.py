"""What existing clients send and read: every route of tasks and articles, below both prefixes, field by field.

The tables are written by hand from the clients' own types, and know nothing of our serializers.
"""

import pytest

from distillations import generation
from distillations.models import ConversionTarget
from distilled import article, distilled, task

pytestmark = pytest.mark.django_db(transaction=True)

PREFIXES = [
    "/api/generation/tasks", "/api/v1/generation/tasks",
    "/api/article-generation/tasks", "/api/v1/article-generation/tasks",
]  # fmt: skip
ARTICLE_PREFIXES = ["/api/articles", "/api/v1/articles"]

NUMBER, TEXT, FLAG, LIST = int, str, bool, list
NULL = type(None)
ROW = {
    "id": NUMBER, "distillationId": (NUMBER, NULL), "status": TEXT, "keyword": TEXT,
    "conversionTargetName": (TEXT, NULL), "conversionTargetId": (NUMBER, NULL), "progress": NUMBER,
    "generatedCount": NUMBER, "requestedCount": NUMBER, "createdAt": TEXT, "updatedAt": TEXT, "provider": (TEXT, NULL),
    "distillationResult": (TEXT, NULL), "keywords": LIST, "distillationDeleted": FLAG, "errorMessage": (TEXT, NULL),
}  # fmt: skip
ENVELOPE = {"total": NUMBER, "page": NUMBER, "pageSize": NUMBER}
GENERATED = {"id": NUMBER, "title": TEXT, "keyword": TEXT, "imageUrl": (TEXT, NULL), "createdAt": TEXT}
SLOT = {
    "position": NUMBER, "status": TEXT, "distillationId": (NUMBER, NULL), "keyword": TEXT, "usageCount": (NUMBER, NULL),
    "topicId": (NUMBER, NULL), "question": TEXT, "articleId": (NUMBER, NULL), "attempt": NUMBER, "error": (dict, NULL),
}  # fmt: skip
ARTICLE_ROW = {
    "id": NUMBER, "title": TEXT, "keyword": TEXT, "distillationId": (NUMBER, NULL), "taskId": (NUMBER, NULL),
    "provider": TEXT, "imageUrl": (TEXT, NULL), "preview": TEXT, "createdAt": TEXT, "updatedAt": TEXT,
    "isPublished": FLAG, "publishedAt": (TEXT, NULL), "generator": dict,
}  # fmt: skip
ARTICLE = ARTICLE_ROW | {"content": TEXT, "requirements": (TEXT, NULL)}
DONE = {"success": FLAG, "message": TEXT}
CLEARED = DONE | {"deletedCount": NUMBER}
BATCH = CLEARED | {"deletedIds": LIST}


def fits(found, wanted, *, exactly=False):
    """Every field is there with the right kind of value; with `exactly` no other is."""
    assert found.keys() >= wanted.keys(), wanted.keys() - found.keys()
    assert not exactly or found.keys() == wanted.keys(), found.keys() - wanted.keys()
    for name, kinds in wanted.items():
        assert isinstance(found[name], kinds), (name, found[name])
        assert not isinstance(found[name], bool) or kinds is FLAG, name
    return found


@pytest.mark.parametrize("tasks", PREFIXES)
def test_a_wish_of_the_older_console_is_taken_and_answered_as_it_expects(api, tasks):
    (one,) = distilled(1, topics=3)
    target = ConversionTarget.objects.create(company_name="Acme")
    wish = {"distillationId": one.pk, "conversionTargetId": target.pk, "albumId": 7, "articleCount": 2}
    answer = api.post(tasks, wish)
    assert answer.status_code == 202, answer.content
    made = fits(answer.json(), ROW | {"taskId": NUMBER}, exactly=True)
    assert answer["Location"] == f"{tasks}/{made['taskId']}"
    assert answer["Retry-After"] == "2"
    assert made["id"] == made["taskId"]
    assert (made["status"], made["requestedCount"], made["keyword"]) == ("pending", 2, one.keyword)
    assert (made["conversionTargetId"], made["conversionTargetName"]) == (target.pk, "Acme")
    assert (made["distillationId"], made["provider"]) == (one.pk, "manual")
    assert (made["distillationResult"], made["keywords"]) == (f"{one.keyword}: question 1?", [one.keyword])
    assert api.get(answer["Location"]).json()["id"] == made["id"]


@pytest.mark.parametrize("tasks", PREFIXES)
def test_every_route_of_tasks_has_the_fields_of_the_contract(api, tasks):
    first, second = distilled(2)
    made = api.post(tasks, {"requestedCount": 2}).json()
    generation.run_generation(made["id"])
    listed = fits(api.get(tasks, {"page": 1, "pageSize": 5}).json(), ENVELOPE)
    assert listed.keys() == {"tasks", *ENVELOPE}
    (row,) = listed["tasks"]
    fits(row, ROW, exactly=True)
    assert row["keywords"] == [first.keyword, second.keyword]
    assert (row["status"], row["progress"], row["generatedCount"], row["errorMessage"]) == ("completed", 100, 2, None)

    whole = fits(api.get(f"{tasks}/{made['id']}").json(), ROW)
    assert {name: whole[name] for name in ROW} == row
    assert whole["usageCount"] == 1
    assert whole["supersededBy"] is None
    assert [fits(each, SLOT)["usageCount"] for each in whole["slots"]] == [1, 1]
    assert {fits(each, GENERATED)["keyword"] for each in whole["generatedArticles"]} == set(row["keywords"])
    assert {each["articleId"] for each in whole["slots"]} == {
        fits(each, ARTICLE_ROW)["id"] for each in whole["articles"]
    }

    waiting = api.post(tasks, {"requestedCount": 1}).json()
    cancelled = api.post(f"{tasks}/{waiting['id']}/cancel")
    assert fits(cancelled.json(), ROW, exactly=True)["status"] == "cancelled"
    again = api.post(f"{tasks}/{waiting['id']}/retry")
    assert again.status_code == 202
    assert again["Location"] == f"{tasks}/{fits(again.json(), ROW | {'taskId': NUMBER}, exactly=True)['taskId']}"
    assert api.get(f"{tasks}/{waiting['id']}").json()["supersededBy"] == again.json()["id"]

    assert fits(api.delete(f"{tasks}/{waiting['id']}").json(), DONE, exactly=True)["success"] is True
    gone = fits(api.post(f"{tasks}/batch-delete", {"taskIds": [made["id"], 10**12]}).json(), BATCH, exactly=True)
    assert (gone["success"], gone["deletedCount"], gone["deletedIds"]) == (True, 1, [made["id"]])
    assert fits(api.delete(tasks).json(), CLEARED, exactly=True)["deletedCount"] == 1
    assert api.get(tasks).json()["total"] == 0


@pytest.mark.parametrize("articles", ARTICLE_PREFIXES)
def test_every_route_of_articles_has_the_fields_of_the_contract(api, articles):
    (one,) = distilled(1)
    of = task("completed", generated_count=1)
    written = article(of, one, content="# T\n\n" + "long " * 200, requirements="short")
    listed = fits(api.get(articles, {"page": 1, "pageSize": 5}).json(), ENVELOPE)
    assert listed.keys() == {"articles", *ENVELOPE}
    (row,) = listed["articles"]
    fits(row, ARTICLE_ROW)
    assert "content" not in row
    assert row["preview"] == written.content[:200]
    whole = fits(api.get(f"{articles}/{written.pk}").json(), ARTICLE)
    assert (whole["content"], whole["requirements"]) == (written.content, "short")
    published = fits(api.put(f"{articles}/{written.pk}/publish", {"isPublished": True}).json(), ARTICLE_ROW)
    assert published["isPublished"] is True
    assert published["publishedAt"]
    assert api.put(f"{articles}/{written.pk}/publish", {"is_published": False}).json()["publishedAt"] is None
    assert fits(api.delete(f"{articles}/{written.pk}").json(), DONE, exactly=True)["success"] is True
    others = [article(of, one).pk for _ in "ab"]
    gone = api.post(f"{articles}/batch-delete", {"articleIds": [*others, others[0], 10**12]}).json()
    assert (fits(gone, BATCH, exactly=True)["deletedCount"], gone["deletedIds"]) == (2, others)


def test_whoever_wrote_a_text_is_named_wherever_it_is_shown(api):
    distilled(1)
    made = api.post(PREFIXES[0], {"requestedCount": 1}).json()
    generation.run_generation(made["id"])
    whole = api.get(f"{PREFIXES[0]}/{made['id']}").json()
    (row,) = api.get("/api/articles").json()["articles"]
    shown = [whole["articles"][0], whole["generatedArticles"][0], row, api.get(f"/api/articles/{row['id']}").json()]
    for each in shown:
        assert (each["generator"]["kind"], each["generator"]["model"], each["generator"]["isLlm"]) == (
            "rules",
            None,
            False,
        )
        assert each["generator"]["label"] == "Rule-based, no language model"
    in_chinese = api.get("/api/articles", HTTP_ACCEPT_LANGUAGE="zh-hans").json()["articles"][0]
    assert in_chinese["generator"]["label"] == "规则生成·未使用大模型"
