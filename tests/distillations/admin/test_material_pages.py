"""Operators write down targets, settings and knowledge bases; each save and deletion is on record."""

import html
import threading

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from distillations.materials import create_material
from distillations.models import ArticleSetting, ConversionTarget, KnowledgeBase, KnowledgeDocument
from processes import wait_until

pytestmark = pytest.mark.django_db

ROOM = "/admin/distillations/"
TARGETS, SETTINGS, BASES = f"{ROOM}conversiontarget/", f"{ROOM}articlesetting/", f"{ROOM}knowledgebase/"
ZH = {"accept-language": "zh-hans"}


def shelf(*documents, **fields):
    """A whole form of a knowledge base; a document is (id, title, text) or (id, title, text, "on") to delete it."""
    stored = sum(1 for each in documents if each[0])
    form = {
        "name": "Shelf", "description": "", "documents-TOTAL_FORMS": str(len(documents)),
        "documents-INITIAL_FORMS": str(stored),
    } | fields  # fmt: skip
    for number, (pk, title, content, *delete) in enumerate(documents):
        form |= {f"documents-{number}-title": title, f"documents-{number}-content": content}
        form[f"documents-{number}-id"] = str(pk or "")
        if delete:
            form[f"documents-{number}-DELETE"] = "on"
    return form


def told():
    mine = AuditEvent.objects.filter(object_type__startswith="distillations.")
    return list(mine.order_by("id").values_list("action", flat=True))


@pytest.mark.parametrize("address", [TARGETS, SETTINGS, BASES])
def test_who_may_look_and_who_may_write(address, viewer, operator, stranger, desk_of):
    assert desk_of(viewer).get(address).status_code == 200
    assert desk_of(viewer).get(f"{address}add/").status_code == 403
    assert desk_of(stranger).get(address).status_code == 403
    for headers in (None, ZH):
        assert desk_of(operator).get(f"{address}add/", headers=headers).status_code == 200


def test_a_target_is_added_changed_and_deleted_on_record(operator, desk_of):
    desk = desk_of(operator)
    wish = {"company_name": "示例公司", "industry": "教育", "website": "", "address": ""}
    assert desk.post(f"{TARGETS}add/", wish).status_code == 302
    target = ConversionTarget.objects.get()
    assert desk.post(f"{TARGETS}{target.pk}/change/", wish | {"industry": "出版"}).status_code == 302
    event = AuditEvent.objects.get(action="conversiontarget.changed")
    assert (event.before, event.after) == ({"industry": "教育"}, {"industry": "出版"})
    desk.post(f"{TARGETS}{target.pk}/change/", wish | {"industry": "出版"})  # says nothing new
    assert desk.post(f"{TARGETS}{target.pk}/delete/", {"post": "yes"}).status_code == 302
    assert told() == ["conversiontarget.created", "conversiontarget.changed", "conversiontarget.deleted"]
    assert {each.actor_name for each in AuditEvent.objects.all()} == {"operator"}


@pytest.mark.parametrize("name", ["", "x", "y" * 256, "示例公司"])
def test_a_wrong_or_known_company_is_refused(name, operator, desk_of):
    ConversionTarget.objects.create(company_name="示例公司")
    answer = desk_of(operator).post(
        f"{TARGETS}add/", {"company_name": name, "industry": "", "website": "", "address": ""}
    )
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert ConversionTarget.objects.count() == 1


@pytest.mark.parametrize(
    ("address", "wish", "said"),
    [
        (TARGETS, {"company_name": "Somebody", "website": "javascript:alert(1)"}, "It must be a web address"),
        (SETTINGS, {"name": "Setting", "prompt": "x" * 50_001}, "It has at most 50000 characters."),
        (BASES, shelf(description="x" * 5_001), "It has at most 5000 characters."),
        (BASES, shelf((None, "One", "x" * 1_000_001)), "It has at most 1000000 characters."),
    ],
)
def test_what_the_service_refuses_is_said_beside_its_field(address, wish, said, operator, desk_of):
    page = desk_of(operator).post(f"{address}add/", wish)
    assert page.status_code == 200
    assert said in html.unescape(page.content.decode())
    assert told() == []


@pytest.mark.django_db(transaction=True)
def test_a_name_somebody_takes_meanwhile_is_refused_beside_its_field(operator, desk_of):
    desk, answers = desk_of(operator), []
    wish = {"company_name": "Somebody", "industry": "", "website": "", "address": ""}

    def save():
        answers.append(desk.post(f"{TARGETS}add/", wish))
        connection.close()

    with transaction.atomic():
        ConversionTarget.objects.create(company_name="Somebody")  # which the form cannot see yet
        saving = threading.Thread(target=save)
        saving.start()
        wait_until(waits_for_a_lock, what="the form to wait for the name")
    saving.join()
    assert answers[0].status_code == 200
    assert "Conversion target with this Company already exists." in answers[0].content.decode()
    assert ConversionTarget.objects.count() == 1
    assert told() == []


@pytest.mark.django_db(transaction=True)
def test_a_target_deleted_while_it_is_changed_is_said_to_be_gone(operator, desk_of):
    target = ConversionTarget.objects.create(company_name="Somebody")
    desk, answers = desk_of(operator), []

    def save():
        wish = {"company_name": "Else", "industry": "", "website": "", "address": ""}
        answers.append(desk.post(f"{TARGETS}{target.pk}/change/", wish))
        connection.close()

    with transaction.atomic():
        ConversionTarget.objects.filter(pk=target.pk).delete()
        saving = threading.Thread(target=save)
        saving.start()
        wait_until(waits_for_a_lock, what="the form to wait for the row")
    saving.join()
    assert answers[0].status_code == 302
    assert told() == []


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


def test_the_placeholders_stand_beside_the_prompt(operator, desk_of):
    page = html.unescape(desk_of(operator).get(f"{SETTINGS}add/").content.decode())
    for name in ("keyword", "topics", "topicsList", "companyName", "companyIndustry", "companyWebsite",
                 "companyAddress", "knowledgeBase"):  # fmt: skip
        assert f"<code>{{{name}}}</code>" in page


def test_an_unknown_placeholder_is_refused_by_its_name(operator, desk_of):
    desk = desk_of(operator)
    wish = {"name": "Setting", "prompt": "{keyword} {keywrod} {company_name} {keywrod}"}
    page = html.unescape(desk.post(f"{SETTINGS}add/", wish).content.decode())
    assert "Unknown placeholders: {keywrod} {company_name}" in page
    assert "未知的占位符：{keywrod} {company_name}" in html.unescape(
        desk.post(f"{SETTINGS}add/", wish, headers=ZH).content.decode()
    )
    assert not ArticleSetting.objects.exists()


@pytest.mark.parametrize("prompt", ["{keyword}", 'As JSON: {"title": "…"} and {} and { keyword }', "none at all"])
def test_known_placeholders_and_other_braces_are_kept(prompt, operator, desk_of):
    assert desk_of(operator).post(f"{SETTINGS}add/", {"name": "Setting", "prompt": prompt}).status_code == 302
    assert ArticleSetting.objects.get().prompt == prompt
    assert told() == ["articlesetting.created"]


def test_no_door_stores_an_unknown_placeholder():
    with pytest.raises(ValidationError, match="companyNmae"):
        create_material(ArticleSetting, {"name": "Setting", "prompt": "{companyNmae}"}, actor="test")
    assert not ArticleSetting.objects.exists()


def test_the_documents_of_a_knowledge_base_are_written_inline_and_on_record(operator, desk_of):
    desk = desk_of(operator)
    assert desk.post(f"{BASES}add/", shelf((None, "One", "Text 1"), (None, "Two", "Text\r\n2"))).status_code == 302
    base = KnowledgeBase.objects.get()
    one, two = base.documents.order_by("id")
    assert two.content == "Text\n2"
    form = shelf((one.pk, "One", "Changed"), (two.pk, "Two", "Text\n2", "on"), (None, "Three", "Text 3"))
    assert desk.post(f"{BASES}{base.pk}/change/", form).status_code == 302
    assert list(base.documents.order_by("id").values_list("title", "content")) == [
        ("One", "Changed"),
        ("Three", "Text 3"),
    ]
    assert told() == [
        "knowledgebase.created", "knowledgedocument.created", "knowledgedocument.created", "knowledgedocument.changed",
        "knowledgedocument.created", "knowledgedocument.deleted",
    ]  # fmt: skip
    desk.post(f"{BASES}{base.pk}/delete/", {"post": "yes"})
    assert not KnowledgeDocument.objects.exists()
    assert told()[-1] == "knowledgebase.deleted"


def test_of_a_long_text_the_record_keeps_the_beginning():
    base = create_material(KnowledgeBase, {"name": "Shelf"}, actor="test")
    create_material(KnowledgeDocument, {"knowledge_base": base, "title": "One", "content": "x" * 5_000}, actor="test")
    kept = AuditEvent.objects.get(action="knowledgedocument.created").after["content"]
    assert kept == "x" * 2_000 + "… (5000)"


def test_several_are_deleted_from_the_list_on_record(operator, desk_of):
    for name in ("One", "Two"):
        ConversionTarget.objects.create(company_name=name)
    ids = list(ConversionTarget.objects.values_list("pk", flat=True))
    desk_of(operator).post(TARGETS, {"action": "delete_selected", "_selected_action": ids, "post": "yes"})
    assert not ConversionTarget.objects.exists()
    assert told() == ["conversiontarget.deleted"]


@pytest.mark.parametrize("address", [TARGETS, SETTINGS, BASES])
def test_what_was_typed_is_escaped(address, operator, desk_of):
    hostile = "<script>alert(1)</script>"
    target = ConversionTarget.objects.create(company_name=hostile, website="javascript:alert(1)")
    setting = ArticleSetting.objects.create(name=hostile, prompt=hostile)
    base = KnowledgeBase.objects.create(name=hostile, description=hostile)
    KnowledgeDocument.objects.create(knowledge_base=base, title=hostile, content=hostile)
    pk = {TARGETS: target, SETTINGS: setting, BASES: base}[address].pk
    for page in (address, f"{address}{pk}/change/", f"{address}{pk}/delete/"):
        content = desk_of(operator).get(page).content.decode()
        assert hostile not in content
        assert 'href="javascript' not in content


def test_the_lists_take_the_same_number_of_queries_for_3_rows_and_300(viewer, desk_of):
    desk = desk_of(viewer)

    def queries(address):
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(address).status_code == 200
        return len(captured)

    def rows(names):
        ConversionTarget.objects.bulk_create(ConversionTarget(company_name=name) for name in names)
        ArticleSetting.objects.bulk_create(ArticleSetting(name=name, prompt="p") for name in names)
        KnowledgeBase.objects.bulk_create(KnowledgeBase(name=name) for name in names)

    rows(["one", "two", "three"])
    few = {}
    for address in (TARGETS, SETTINGS, BASES):
        queries(address)
        few[address] = queries(address)
    rows([f"n{number}" for number in range(297)])
    many = {address: queries(address) for address in few}
    assert all(many[each] - few[each] <= 2 for each in few)  # how many rows there are, where a page does not hold all
    rows([f"m{number}" for number in range(100)])
    assert {address: queries(address) for address in few} == many
