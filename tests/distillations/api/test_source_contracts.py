"""Every route answers with the fields that existing clients read, written down here by hand."""

import json

import pytest

from distillations.models import (
    ArticleSetting,
    ConversionTarget,
    Distillation,
    DistillationRun,
    KnowledgeBase,
    KnowledgeDocument,
)
from distilled import distilled, topics_of, used

pytestmark = pytest.mark.django_db

STATS = {
    "distillationId": int, "keyword": str, "provider": str, "usageCount": int, "lastUsedAt": str | None,
    "topicCount": int, "createdAt": str, "isRecommended": bool, "recommendReason": str | None, "recordedCount": int,
}  # fmt: skip
RECOMMENDED = {
    "distillationId": int, "keyword": str, "usageCount": int, "topicCount": int, "isRecommended": bool,
    "recommendReason": str,
}  # fmt: skip
USE = {"id": int, "taskId": int, "articleId": int, "articleTitle": str | None, "usedAt": str}
PAGE = {"total": int, "page": int, "pageSize": int}
RUN = {
    "id": int, "status": str, "progress": int, "stalled": bool, "keyword": str, "topicCount": int,
    "distillationId": int | None, "error": dict | None, "createdAt": str,
}  # fmt: skip
TARGET = {"id": int, "company_name": str, "companyName": str, "industry": str, "website": str, "address": str}
SETTING = {"id": int, "name": str, "prompt": str, "createdAt": str}
BASE = {
    "id": int, "name": str, "description": str, "document_count": int, "documentCount": int, "created_at": str,
    "createdAt": str,
}  # fmt: skip
DOCUMENT = {"id": int, "knowledgeBaseId": int, "title": str, "createdAt": str, "updatedAt": str}
DONE = {"success": bool, "message": str}
DELETED = {**DONE, "deletedCount": int, "deletedIds": list, "missingIds": list}
USAGE = {"distillationId": int, "keyword": str, "totalUsageCount": int, "usageHistory": [USE], **PAGE}
TOPIC = {"id": int, "question": str, "usageCount": int, "createdAt": str}
REPAIRED = {"fixed": int, "errors": list, "details": list, "dryRun": bool, "checked": int}

# method, route, body → status and fields; a list of one holds the fields of each row
CONTRACTS = [
    ("GET", "distillation/stats", None, 200, {"distillations": [STATS], **PAGE}),
    ("GET", "distillation/{d}", None, 200, STATS),
    ("GET", "distillation/recommended", None, 200, [RECOMMENDED]),
    ("GET", "distillation/history", None, 200, [{"id": int, "keyword": str, "provider": str, "created_at": str}]),
    ("GET", "distillation/keywords", None, 200, {"keywords": [str], "more": bool}),
    ("GET", "distillation/{d}/usage-history", None, 200, {"history": [USE], **PAGE}),
    ("GET", "distillation/{d}/usage", None, 200, USAGE),
    ("GET", "distillation/{d}/topics", None, 200, {"topics": [TOPIC], **PAGE}),
    ("POST", "distillation", {"keyword": "k"}, 202, RUN),
    ("GET", "distillation/runs", None, 200, {"runs": [RUN], **PAGE}),
    ("GET", "distillation/runs/{run}", None, 200, RUN),
    ("POST", "distillation/runs/{run}/cancel", {}, 200, RUN),
    ("POST", "distillation/manual", {"keyword": "k", "questions": ["q?"]}, 201, STATS),
    ("PATCH", "distillation/{d}", {"keyword": "k"}, 200, STATS),
    ("DELETE", "distillation/{d}", None, 200, DONE),
    ("POST", "distillation/batch-delete", {"distillationIds": [1]}, 200, DELETED),
    ("DELETE", "distillation/{d}/topics/{topic}", None, 200, DONE),
    ("POST", "distillation/{d}/reset-usage", {}, 200, {**DONE, "previousCount": int, "deletedRecords": int}),
    ("POST", "distillation/reset-all-usage", {}, 200, {**DONE, "affected": int, "deletedRecords": int}),
    ("POST", "distillation/repair-usage-stats", {}, 200, REPAIRED),
    ("GET", "conversion-targets", None, 200, {"data": {"targets": [TARGET]}, **PAGE}),
    ("GET", "conversion-targets/{target}", None, 200, TARGET),
    ("POST", "conversion-targets", {"company_name": "A company"}, 201, TARGET),
    ("GET", "article-settings", None, 200, {"settings": [SETTING], **PAGE}),
    ("GET", "article-settings/{setting}", None, 200, SETTING),
    ("POST", "article-settings", {"name": "n", "prompt": "{keyword}"}, 201, SETTING),
    ("GET", "knowledge-bases", None, 200, {"knowledgeBases": [BASE], **PAGE}),
    ("GET", "knowledge-bases/{base}", None, 200, BASE),
    ("POST", "knowledge-bases", {"name": "n"}, 201, BASE),
    ("GET", "knowledge-bases/{base}/documents", None, 200, {"documents": [DOCUMENT], **PAGE}),
    ("GET", "knowledge-bases/{base}/documents/{document}", None, 200, {**DOCUMENT, "content": str}),
    ("POST", "knowledge-bases/{base}/documents", {"title": "t", "content": "c"}, 201, {**DOCUMENT, "content": str}),
    ("DELETE", "conversion-targets/{target}", None, 200, DONE),
]  # fmt: skip


@pytest.fixture
def there(db):
    """One of everything, by the name the routes above use."""
    one = distilled(1)[0]
    used(one, topic=topics_of(one)[0])
    base = KnowledgeBase.objects.create(name="Shelf")
    return {
        "d": one.pk,
        "topic": topics_of(one)[1].pk,
        "run": DistillationRun.objects.create(keyword="k", topic_count=5).pk,
        "target": ConversionTarget.objects.create(company_name="Somebody").pk,
        "setting": ArticleSetting.objects.create(name="Setting", prompt="{keyword}").pk,
        "base": base.pk,
        "document": KnowledgeDocument.objects.create(knowledge_base=base, title="Title", content="Text.").pk,
    }


def matches(value, shape, where="answer"):
    """Asserts that a value has at least the fields of the shape."""
    if isinstance(shape, dict):
        missing = shape.keys() - value.keys()
        assert not missing, f"{where} lacks {sorted(missing)}"
        for name, inner in shape.items():
            matches(value[name], inner, f"{where}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        assert value, f"{where} is empty, so it says nothing"
        for each in value:
            matches(each, shape[0], f"{where}[]")
    else:
        assert isinstance(value, shape), f"{where} is {value!r}"


@pytest.mark.parametrize(
    ("method", "route", "body", "status", "shape"), CONTRACTS, ids=[f"{each[0]} {each[1]}" for each in CONTRACTS]
)
@pytest.mark.parametrize("mount", ["/api/", "/api/v1/"])
def test_each_route_answers_with_the_fields_its_clients_read(
    admin_api, there, mount, method, route, body, status, shape
):
    path = mount + route.format(**there)
    answer = (
        admin_api.generic(method, path)
        if body is None
        else admin_api.generic(method, path, json.dumps(body), content_type="application/json")
    )
    assert answer.status_code == status, answer.json()
    matches(answer.json(), shape)


def test_a_row_of_the_form_s_list_has_these_fields_and_no_other(admin_api, there):
    (row,) = admin_api.get("/api/distillation/history").json()
    assert list(row) == ["id", "keyword", "provider", "created_at"]
    assert row["id"] == Distillation.objects.get().pk
