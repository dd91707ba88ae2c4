"""Projects, tables and rules: made, shared, changed and deleted by those who may; not there for others."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import documents
from access.models import AuditEvent
from conftest import make_user
from documents import document, version
from etl.models import ETLRule, ETLTask, Project, Table, TableMount

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folder")]

ADMIN = "/admin/etl/"
HOSTILE = "<script>alert(1)</script>"
SCHEMA = '{"type": "object", "properties": {"n": {"type": "number", "minimum": 1.10}}}'


def body(answer):
    return answer.content.decode()


def faults(answer):
    """Field → messages of the form that came back."""
    return answer.context["adminform"].form.errors


def deeds():
    """What is on record, but for coming in."""
    events = AuditEvent.objects.exclude(action="user.signed-in").order_by("pk")
    return list(events.values_list("action", flat=True))


@pytest.fixture
def other(db):
    return make_user("other", role="operator")


# --- projects ------------------------------------------------------------------------------------


def test_a_project_is_made_shared_and_renamed(operator, viewer, desk_of):
    desk = desk_of(operator)
    desk.post(f"{ADMIN}project/add/", {"name": " Catalogs ", "description": "", "members": [viewer.pk]})
    project = Project.objects.get()
    assert (project.name, project.owner, list(project.members.all())) == ("Catalogs", operator, [viewer])
    assert "Catalogs" in body(desk_of(viewer).get(f"{ADMIN}project/"))
    desk = desk_of(operator)
    desk.post(f"{ADMIN}project/{project.pk}/change/", {"name": "Lists", "description": "d", "members": []})
    project.refresh_from_db()
    assert (project.name, project.members.count()) == ("Lists", 0)
    assert deeds() == ["project.created", "project.edited", "project.shared"]


@pytest.mark.parametrize("wrong", [{"name": ""}, {"name": "   "}, {"name": "x" * 256}, {"name": "a", "members": ["0"]}])
def test_a_project_that_cannot_be_is_told_at_its_field(wrong, operator, desk_of):
    answer = desk_of(operator).post(f"{ADMIN}project/add/", wrong)
    assert answer.status_code == 200
    assert faults(answer).keys() == {list(wrong)[-1]}
    assert not Project.objects.exists()


def test_a_member_works_with_a_project_but_does_not_share_or_delete_it(operator, other, desk_of, project):
    project.members.add(other)
    desk = desk_of(other)
    page = body(desk.get(f"{ADMIN}project/{project.pk}/change/"))
    assert 'name="members"' not in page
    assert "do/delete_project" not in page
    desk.post(f"{ADMIN}project/{project.pk}/change/", {"name": "Renamed", "description": "", "members": []})
    project.refresh_from_db()
    assert (project.name, list(project.members.all())) == ("Renamed", [other])
    assert desk.post(f"{ADMIN}project/{project.pk}/do/delete_project/", {"confirmed": "1"}).status_code == 403
    assert Project.objects.filter(pk=project.pk).exists()


def test_a_project_is_deleted_only_when_it_is_empty(operator, desk_of, project, table):
    desk = desk_of(operator)
    answer = desk.post(f"{ADMIN}project/{project.pk}/do/delete_project/", {"confirmed": "1"}, follow=True)
    assert "It still has tables or document tasks." in body(answer)
    table.delete()
    desk.post(f"{ADMIN}project/{project.pk}/do/delete_project/", {"confirmed": "1"})
    assert not Project.objects.exists()


# --- tables --------------------------------------------------------------------------------------


def test_a_table_is_made_and_its_document_replaced_digit_for_digit(operator, desk_of, project):
    desk = desk_of(operator)
    desk.post(f"{ADMIN}table/add/", {"project": project.pk, "name": "Catalog", "description": ""})
    table = Table.objects.get()
    address = f"{ADMIN}table/{table.pk}/data/"
    given = '{"price": 1.10, "big": 12345678901234567890123}'
    answer = desk.post(address, {"data": given, "version": "0"}, follow=True)
    assert "it has version 1" in body(answer)
    assert json.loads(document(table), parse_float=str, parse_int=str) == json.loads(
        given, parse_float=str, parse_int=str
    )
    assert "1.10" in body(desk.get(address))
    assert desk.get(f"{ADMIN}table/{table.pk}/data.json").content.decode() == document(table)


def test_nobody_overwrites_what_another_changed_and_keeps_what_was_typed(operator, desk_of, table):
    desk = desk_of(operator)
    address = f"{ADMIN}table/{table.pk}/data/"
    desk.post(address, {"data": '{"first": 1}', "version": "0"})
    answer = desk.post(address, {"data": '{"second": 2}', "version": "0"})
    assert answer.status_code == 412
    assert "Somebody changed the table after you looked" in body(answer)
    assert "second" in body(answer)
    assert document(table) == '{"first": 1}'


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("{", "This is not JSON"),
        ("", "required"),
        ("null", "may not be null"),
        ("NaN", "This is not JSON"),
        ('{"a": 1, "a": 2}', "given twice"),
        ('{"a": "\\u0000"}', "NUL"),
        ("[" * 200 + "]" * 200, "deeper"),
        ('{"a": 1e999999}', "cannot be stored"),
        ('{"a": 1e99999999}', "at most"),
    ],
)
def test_a_document_that_cannot_be_is_told_and_nothing_is_kept(wrong, says, operator, desk_of, table):
    answer = desk_of(operator).post(f"{ADMIN}table/{table.pk}/data/", {"data": wrong, "version": "0"})
    assert answer.status_code == 422
    assert says in " ".join(answer.context["form"].errors["data"])
    assert version(table) == 0


def test_the_tree_may_begin_at_a_pointer(operator, desk_of, table):
    desk = desk_of(operator)
    page = body(desk.get(f"{ADMIN}table/{table.pk}/change/?at=/list/0"))
    assert '<span class="json-key">files</span>' in page
    assert '<span class="json-key">text</span>' not in page
    for wrong in ("gone", "/gone", "/~", "%00"):
        answer = desk.get(f"{ADMIN}table/{table.pk}/change/?at={wrong}")
        assert answer.status_code == 200
        assert "errornote" in body(answer)


def test_a_table_with_mounts_is_deleted_only_by_force(operator, desk_of, task, table):
    TableMount.objects.create(task=task, table=table, pointer="", key="k", value_sha256="0" * 64, table_version=1)
    desk = desk_of(operator)
    address = f"{ADMIN}table/{table.pk}/do/delete_table/"
    desk.post(address, {"confirmed": "1"})
    assert Table.objects.exists()
    desk.post(address, {"confirmed": "1", "force": "on"})
    assert not Table.objects.exists()
    assert ETLTask.objects.filter(pk=task.pk).exists()


def test_a_table_is_only_made_in_a_project_one_sees(operator, other, desk_of):
    theirs = documents.project(other, name="Theirs")
    desk = desk_of(operator)
    assert "Theirs" not in body(desk.get(f"{ADMIN}table/add/"))
    answer = desk.post(f"{ADMIN}table/add/", {"project": theirs.pk, "name": "T"})
    assert faults(answer).keys() == {"project"}


# --- rules ---------------------------------------------------------------------------------------


def seen_of(desk, rule):
    """Which version of the rule the form has that is open now."""
    form = desk.get(f"{ADMIN}etlrule/{rule.pk}/change/").context["adminform"].form
    return form["seen"].value()


def test_a_rule_is_made_and_changed_with_every_digit_of_its_schema(operator, desk_of, project):
    desk = desk_of(operator)
    given = {"name": "Prices", "description": "", "project": project.pk, "mode": "llm", "json_schema": SCHEMA}
    desk.post(f"{ADMIN}etlrule/add/", given | {"system_prompt": ""})
    rule = ETLRule.objects.get()
    assert (rule.owner, rule.project) == (operator, project)
    assert str(rule.json_schema["properties"]["n"]["minimum"]) == "1.10"
    assert "1.10" in body(desk.get(f"{ADMIN}etlrule/{rule.pk}/change/"))
    changed = {"mode": "wrap", "project": "", "system_prompt": "x", "seen": seen_of(desk, rule)}
    desk.post(f"{ADMIN}etlrule/{rule.pk}/change/", given | changed)
    rule.refresh_from_db()
    assert (rule.mode, rule.project, rule.system_prompt) == ("wrap", None, "x")
    assert deeds() == ["rule.created", "rule.changed"]


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"json_schema": "{"}, "json_schema", "This is not JSON"),
        ({"json_schema": "[]"}, "json_schema", "A schema is a JSON object."),
        ({"json_schema": '{"type": "array"}'}, "json_schema", "that of an object"),
        ({"json_schema": '{"type": "object", "properties": 1}'}, "json_schema", "not valid"),
        ({"json_schema": '{"type": "object", "$ref": "http://x.invalid/"}'}, "json_schema", "only point into"),
        ({"json_schema": '{"type": "object", "required": [' + "[" * 200 + "]" * 200 + "]}"}, "json_schema", "deep"),
        ({"name": " "}, "name", "required"),
        ({"mode": "magic"}, "mode", "not one of the available"),
        ({"project": "0"}, "project", "not one of the available"),
    ],
)
def test_a_rule_that_cannot_be_is_told_at_its_field(wrong, field, says, operator, desk_of, project):
    given = {"name": "R", "description": "", "project": "", "mode": "llm", "json_schema": SCHEMA, "system_prompt": ""}
    answer = desk_of(operator).post(f"{ADMIN}etlrule/add/", given | wrong)
    assert answer.status_code == 200
    assert says in " ".join(faults(answer)[field])
    assert not ETLRule.objects.exists()


def test_of_two_editors_of_a_rule_the_later_is_told_and_keeps_what_was_typed(operator, desk_of, rule):
    desk, address = desk_of(operator), f"{ADMIN}etlrule/{rule.pk}/change/"
    given = {"name": "First", "description": "", "project": "", "mode": "llm", "json_schema": SCHEMA}
    given |= {"system_prompt": "", "seen": seen_of(desk, rule)}
    assert desk.post(address, given).status_code == 302
    for seen in (given["seen"], "", "x"):
        answer = desk.post(address, given | {"name": "Second", "seen": seen})
        assert answer.status_code == 412
        assert "Somebody changed the rule after you opened it" in body(answer)
        assert 'value="Second"' in body(answer)
    assert ETLRule.objects.get().name == "First"
    assert desk.post(address, given | {"name": "Second", "seen": seen_of(desk, rule)}).status_code == 302
    assert ETLRule.objects.get().name == "Second"


def test_a_member_looks_at_a_rule_and_neither_changes_nor_deletes_it(other, operator, desk_of, project, rule):
    project.members.add(other)
    desk, address = desk_of(other), f"{ADMIN}etlrule/{rule.pk}/"
    page = body(desk.get(f"{address}change/"))
    assert 'name="json_schema"' not in page
    assert "do/delete_rule" not in page
    given = {"name": "Theirs", "description": "", "project": "", "mode": "wrap", "json_schema": SCHEMA}
    assert desk.post(f"{address}change/", given | {"system_prompt": "", "seen": ""}).status_code == 403
    assert desk.post(f"{address}do/delete_rule/", {"confirmed": "1"}).status_code == 403
    assert ETLRule.objects.get().name == rule.name


def test_a_rule_that_is_needed_is_not_deleted(operator, desk_of, rule, queued):
    task = queued(rule_id=rule.pk)
    desk = desk_of(operator)
    address = f"{ADMIN}etlrule/{rule.pk}/do/delete_rule/"
    assert "still need this rule" in body(desk.post(address, {"confirmed": "1"}, follow=True))
    ETLTask.objects.cancel(task.pk)
    desk.post(address, {"confirmed": "1"})
    assert not ETLRule.objects.exists()
    assert "Rows (deleted)" in body(desk.get(f"{ADMIN}etltask/{task.pk}/change/"))


# --- who sees what -------------------------------------------------------------------------------


def test_what_belongs_to_others_is_not_there(operator, other, administrator, desk_of, project, table, rule):
    rows = [("project", project), ("table", table), ("etlrule", rule)]
    for name, row in rows:
        row.name = f"Secret {name}"
        row.save(update_fields=["name"])
    for name, row in rows:
        desk = desk_of(other)
        assert "Secret" not in body(desk.get(f"{ADMIN}{name}/"))
        for address in ("change/", "history/"):
            assert desk.get(f"{ADMIN}{name}/{row.pk}/{address}").status_code == 404
        assert desk.post(f"{ADMIN}{name}/{row.pk}/change/", {"name": "x"}).status_code == 404
        assert desk_of(administrator).get(f"{ADMIN}{name}/{row.pk}/change/").status_code == 200
    desk = desk_of(other)
    for address in (f"table/{table.pk}/data/", f"table/{table.pk}/data.json", "project/999999999999999999999/change/"):
        assert desk.get(ADMIN + address).status_code == 404
    for name, pk, deed in (
        ("table", table.pk, "table"),
        ("etlrule", rule.pk, "rule"),
        ("project", project.pk, "project"),
    ):
        assert desk.post(f"{ADMIN}{name}/{pk}/do/delete_{deed}/", {"confirmed": "1"}).status_code == 404


def test_a_viewer_looks_and_changes_nothing(viewer, desk_of, project, table, rule):
    project.members.add(viewer)
    desk = desk_of(viewer)
    for name, row in (("project", project), ("table", table), ("etlrule", rule)):
        assert desk.get(f"{ADMIN}{name}/{row.pk}/change/").status_code == 200
        assert desk.post(f"{ADMIN}{name}/{row.pk}/change/", {"name": "x"}).status_code == 403
        assert desk.get(f"{ADMIN}{name}/add/").status_code == 403
    assert desk.get(f"{ADMIN}table/{table.pk}/data/").status_code == 403
    assert desk.post(f"{ADMIN}table/{table.pk}/data/", {"data": "{}", "version": "0"}).status_code == 403


def test_lists_cost_the_same_for_many(operator, desk_of, project, table, rule):
    desk = desk_of(operator)

    def costs():
        for name in ("project", "table", "etlrule", "tablemount"):
            desk.get(f"{ADMIN}{name}/")
            with CaptureQueriesContext(connection) as asked:
                desk.get(f"{ADMIN}{name}/")
            assert not any('"table"."data"' in query["sql"] for query in asked)
            yield len(asked)

    few = list(costs())
    more = [documents.project(operator, name=f"P{n}") for n in range(40)]
    Table.objects.bulk_create(Table(project=each, name="T") for each in more)
    ETLRule.objects.bulk_create(
        ETLRule(name="R", project=each, owner=operator, json_schema=rule.json_schema) for each in more
    )
    task = documents.task(project)
    TableMount.objects.bulk_create(
        TableMount(
            task=task, table=table, pointer="", key=str(n), value_sha256="0" * 64, table_version=n, mounted_by=operator
        )
        for n in range(40)
    )
    many = list(costs())
    assert many[:3] == few[:3]
    assert many[3] <= few[3] + 1  # an empty list of mounts needs no row of anything


def test_hostile_names_are_escaped(operator, desk_of, project, table, rule):
    for row in (project, table, rule):
        type(row).objects.filter(pk=row.pk).update(name=HOSTILE, description=HOSTILE)
    ETLRule.objects.update(system_prompt=HOSTILE, json_schema={"type": "object", "title": HOSTILE})
    desk = desk_of(operator)
    for name, row in (("project", project), ("table", table), ("etlrule", rule)):
        for address in ("", f"{row.pk}/change/", f"{row.pk}/history/"):
            answer = desk.get(f"{ADMIN}{name}/{address}")
            assert answer.status_code == 200
            assert HOSTILE not in body(answer)
    assert HOSTILE not in body(desk.get(f"{ADMIN}upload/"))
