"""Targets, settings, knowledge bases and documents as programs write and read them."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from distillations import materials
from distillations.models import ArticleSetting, ConversionTarget, GenerationTask, KnowledgeBase, KnowledgeDocument
from distilled import at_once, task

pytestmark = pytest.mark.django_db
TARGETS, SETTINGS, BASES = (f"/api/v1/{each}" for each in ("conversion-targets", "article-settings", "knowledge-bases"))
COMPANY = {"companyName": "示例公司", "industry": "教育", "website": "https://example.org/a?b=c", "address": "路 1 号"}

# route, a row, a change of it, a name that is taken
KINDS = [
    (TARGETS, COMPANY, {"industry": "x"}, "companyName"),
    (SETTINGS, {"name": "问答", "prompt": "{keyword} {topicsList}"}, {"prompt": "{topics}"}, "name"),
    (BASES, {"name": "资料", "description": "d"}, {"description": ""}, "name"),
]
kinds = pytest.mark.parametrize(("route", "wish", "change", "named"), KINDS, ids=["targets", "settings", "bases"])


def actions():
    return list(AuditEvent.objects.order_by("id").values_list("action", flat=True))[1:]  # without the token


@kinds
def test_one_is_stored_read_changed_and_deleted_on_record(api, route, wish, change, named):
    made = api.post(route, wish)
    assert made.status_code == 201, made.json()
    where = made["Location"]
    assert where == f"{route}/{made.json()['id']}"
    assert made.json() == made.json() | wish == api.get(where).json() | wish
    changed = api.patch(where, change)
    assert (changed.status_code, changed.json() | change) == (200, changed.json())
    assert changed.json()["updatedAt"] > made.json()["updatedAt"]
    same = api.patch(where, change).json()
    assert same == changed.json(), "what is no change is not written"
    assert api.delete(where).json()["success"]
    assert (api.get(where).status_code, api.patch(where, {}).status_code, api.delete(where).status_code) == (404,) * 3
    kind = where.split("/")[3].replace("-", "").removesuffix("s")
    assert actions() == [f"{kind}.created", f"{kind}.changed", f"{kind}.deleted"]


@kinds
def test_a_name_that_is_taken_is_a_conflict_and_changes_nothing(api, refused, route, wish, change, named):
    api.post(route, wish)
    other = api.post(route, wish | {named: "Another"})["Location"]
    refused(api.post(route, wish), 409, "name-taken")
    refused(api.patch(other, {named: wish[named]}), 409, "name-taken")
    assert api.get(other).json()[named] == "Another"
    assert api.patch(other, {named: "  Another "}).status_code == 200


@kinds
def test_the_same_key_stores_one(api, route, wish, change, named):
    first, again = (api.post(route, wish, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2))
    assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (201, first.json(), "true")


@kinds
def test_who_may_only_read_writes_nothing(api, client_of, viewer, route, wish, change, named):
    where = api.post(route, wish)["Location"]
    reader = client_of(viewer)
    assert reader.get(where).status_code == 200
    for answer in (reader.post(route, wish), reader.patch(where, change), reader.delete(where)):
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("route", "wish", "pointer"),
    [
        (TARGETS, {}, "#/companyName"),
        (TARGETS, {"companyName": "x"}, "#/companyName"),
        (TARGETS, {"companyName": " x "}, "#/companyName"),
        (TARGETS, {"companyName": "x" * 256}, "#/companyName"),
        (TARGETS, COMPANY | {"industry": "x" * 101}, "#/industry"),
        (TARGETS, COMPANY | {"website": "javascript:alert(1)"}, "#/website"),
        (TARGETS, COMPANY | {"website": "https://example.org/ x"}, "#/website"),
        (TARGETS, COMPANY | {"website": "x" * 501}, "#/website"),
        (TARGETS, COMPANY | {"size": 5}, "#/size"),
        (TARGETS, COMPANY | {"id": 5}, "#/id"),
        (TARGETS, COMPANY | {"createdAt": "2020-01-01T00:00:00Z"}, "#/createdAt"),
        (TARGETS, COMPANY | {"company_name": "Other"}, "#/companyName"),
        (SETTINGS, {"name": "n"}, "#/prompt"),
        (SETTINGS, {"name": "n", "prompt": "  "}, "#/prompt"),
        (SETTINGS, {"name": "n", "prompt": "x" * 50_001}, "#/prompt"),
        (SETTINGS, {"name": " ", "prompt": "p"}, "#/name"),
        (BASES, {"description": "d"}, "#/name"),
        (BASES, {"name": "n", "description": "x" * 5_001}, "#/description"),
        (BASES, {"name": "n", "documentCount": 3}, "#/documentCount"),
    ],
)
def test_what_no_field_takes_is_pointed_at_and_not_stored(api, route, wish, pointer):
    answer = api.post(route, wish)
    assert answer.status_code == 400, answer.json()
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert not any(kind.objects.exists() for kind in (ConversionTarget, ArticleSetting, KnowledgeBase))


@pytest.mark.parametrize(
    "website", ["", "example.org", "https://example.org:8080/路径?a=b#c", "http://a.b", "示例.中国/x"]
)
def test_a_web_address_needs_no_scheme(api, website):
    assert api.post(TARGETS, COMPANY | {"website": website}).json()["website"] == website


def test_the_lists_come_in_the_envelopes_their_clients_read(api):
    for number in range(12):
        api.post(TARGETS, {"company_name": f"Company {number}"})
    body = api.get(TARGETS).json()
    assert len(body["data"]["targets"]) == body["total"] == 12, "a client that knows no pages gets them all"
    first = body["data"]["targets"][0]
    assert first["company_name"] == first["companyName"] == "Company 11"
    assert api.get(f"{TARGETS}?search=company 3").json()["total"] == 1
    assert len(api.get(f"{TARGETS}?page=2&pageSize=10").json()["data"]["targets"]) == 2
    assert api.get(SETTINGS).json()["settings"] == []
    assert api.get(BASES).json()["knowledgeBases"] == []


def test_placeholders_nobody_knows_are_refused_by_name_and_other_braces_stay(api, refused):
    wrong = '{keyword} {keyord} {topics} {"a": 1} {keyord} {brand_name}'
    problem = refused(api.post(SETTINGS, {"name": "n", "prompt": wrong}), 400, "validation-error")
    assert problem["errors"] == [
        {"pointer": "#/prompt", "code": "unknown-placeholder", "detail": "Unknown placeholders: {keyord} {brand_name}"}
    ]
    made = api.post(SETTINGS, {"name": "n", "prompt": '{keyword} {"a": 1} { topics }'}).json()
    refused(api.patch(f"{SETTINGS}/{made['id']}", {"prompt": wrong}), 400, "validation-error")
    assert ArticleSetting.objects.get().prompt == '{keyword} {"a": 1} { topics }'


def test_a_task_keeps_the_name_of_a_deleted_target(api):
    target = ConversionTarget.objects.create(company_name="Somebody")
    of = task("cancelled", conversion_target=target, conversion_target_name="Somebody")
    assert api.delete(f"{TARGETS}/{target.pk}").status_code == 200
    kept = GenerationTask.objects.get(pk=of.pk)
    assert (kept.conversion_target_id, kept.conversion_target_name) == (None, "Somebody")


# --- Documents -----------------------------------------------------------------------------------


def test_documents_belong_to_their_base_and_lists_leave_their_texts_out(api):
    base = api.post(BASES, {"name": "Shelf"})["Location"]
    other = api.post(BASES, {"name": "Other"})["Location"]
    made = api.post(f"{base}/documents", {"title": "课程说明", "content": " 每周两次。\n"})
    assert (made.status_code, made.json()["content"]) == (201, "每周两次。")
    where = made["Location"]
    (row,) = api.get(f"{base}/documents").json()["documents"]
    assert (row["title"], row["contentLength"], "content" in row) == ("课程说明", 5, False)
    assert api.get(base).json()["documentCount"] == api.get(base).json()["document_count"] == 1
    assert api.get(f"{other}/documents").json()["documents"] == []
    for stranger in (where.replace(base, other), where.replace(base, f"{BASES}/999999999")):
        assert [api.get(stranger).status_code, api.patch(stranger, {"title": "x"}).status_code,
                api.delete(stranger).status_code] == [404] * 3  # fmt: skip
    assert api.get(f"{BASES}/999999999/documents").status_code == 404
    assert api.post(f"{BASES}/999999999/documents", {"title": "t", "content": "c"}).status_code == 404
    assert api.patch(where, {"title": "New"}).json()["title"] == "New"
    assert api.delete(where).status_code == 200
    api.post(f"{base}/documents", {"title": "t", "content": "c"})
    assert api.delete(base).status_code == 200
    assert not KnowledgeDocument.objects.exists()


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"title": "t"}, "#/content"),
        ({"title": "t", "content": ""}, "#/content"),
        ({"title": "t", "content": "x" * 1_000_001}, "#/content"),
        ({"title": "x" * 501, "content": "c"}, "#/title"),
        ({"title": "t", "content": "c", "knowledgeBaseId": 1}, "#/knowledgeBaseId"),
    ],
)
def test_a_document_that_makes_no_sense_is_pointed_at(api, wish, pointer):
    base = api.post(BASES, {"name": "Shelf"})["Location"]
    answer = api.post(f"{base}/documents", wish)
    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_the_audit_log_keeps_the_beginning_of_a_long_text(api):
    base = api.post(BASES, {"name": "Shelf"})["Location"]
    api.post(f"{base}/documents", {"title": "t", "content": "x" * 5_000})
    after = AuditEvent.objects.get(action="knowledgedocument.created").after
    assert after["content"] == "x" * 2_000 + "… (5000)"
    assert after["knowledge_base_id"] == int(base.rsplit("/", 1)[1])


def test_html_is_data(api):
    text = "<script>alert(1)</script>"
    made = api.post(BASES, {"name": text, "description": text}).json()
    assert (made["name"], made["description"]) == (text, text)


def test_a_list_costs_the_same_for_three_rows_and_a_hundred(api, django_assert_num_queries):
    counts = []
    for number in (3, 97):
        made = KnowledgeBase.objects.bulk_create(KnowledgeBase(name=f"{number} {each}") for each in range(number))
        KnowledgeDocument.objects.bulk_create(
            KnowledgeDocument(knowledge_base=each, title="t", content="c") for each in made
        )
        api.get(BASES)
        with CaptureQueriesContext(connection) as captured:
            body = api.get(BASES).json()
        counts.append(len(captured))
        assert {each["documentCount"] for each in body["knowledgeBases"]} == {1}
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_one_name_at_once_one_is_told(operator):
    def create():
        materials.create_material(ConversionTarget, {"company_name": "One company"}, actor=operator)

    failures = at_once(create, create, create)
    assert sorted(type(each).__name__ for each in failures) == ["Conflict", "Conflict", "NoneType"]
    assert ConversionTarget.objects.count() == 1


def test_a_document_of_a_base_that_went_away_meanwhile_is_not_stored(operator):
    base = KnowledgeBase.objects.create(name="Shelf")
    KnowledgeBase.objects.filter(pk=base.pk).delete()
    with pytest.raises(KnowledgeBase.DoesNotExist):
        materials.create_material(
            KnowledgeDocument, {"knowledge_base": base, "title": "t", "content": "c"}, actor=operator
        )


def test_a_change_of_one_that_went_away_meanwhile_is_told(operator):
    target = ConversionTarget.objects.create(company_name="Somebody")
    ConversionTarget.objects.filter(pk=target.pk).delete()
    with pytest.raises(ConversionTarget.DoesNotExist):
        materials.change_material(target, {"industry": "x"}, actor=operator)


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_text_that_cannot_be_stored_is_refused(operator, text):
    with pytest.raises(ValidationError) as refused:
        materials.create_material(ArticleSetting, {"name": "n", "prompt": text}, actor=operator)
    assert refused.value.error_dict["prompt"][0].code == "unstorable"
