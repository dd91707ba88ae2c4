"""Projects and tables: made, shared, edited, deleted; elements of objects inside of tables."""

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

import documents
from access.models import AuditEvent
from api.codec import decode
from etl.documents import mounting, nodes, projects, tables
from etl.documents.models import ETLRule, Project, Table, TableMount
from etl.documents.refusals import NotThere, Outdated, PlaceRefused, TooLarge
from runs.errors import Conflict

pytestmark = pytest.mark.django_db


def refusal(error, work, *args, **kwargs):
    with pytest.raises(error) as raised:
        work(*args, **kwargs)
    return raised.value


def actions():
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


# --- projects ---------------------------------------------------------------------------------------


def test_a_project_is_made_renamed_shared_and_deleted_on_record(operator, viewer):
    made = projects.create_project(name=" News ", members=[viewer], owner=operator, actor=operator)
    assert (made.name, made.owner, [*made.members.all()]) == ("News", operator, [viewer])
    assert projects.edit_project(made, name="Papers", actor=operator).name == "Papers"
    projects.edit_project(made, name="Papers", actor=operator)
    projects.set_members(made, [], actor=operator)
    assert not made.members.exists()
    projects.delete_project(made, actor=operator)
    assert not Project.objects.exists()
    assert actions() == ["project.created", "project.edited", "project.shared", "project.deleted"]
    event = AuditEvent.objects.get(action="project.edited")
    assert (event.before["name"], event.after["name"]) == ("News", "Papers")


def test_a_project_needs_a_name(operator):
    for name in ("", "  ", "x" * 256):
        refusal(ValidationError, projects.create_project, name=name, owner=operator, actor=operator)
    assert not Project.objects.exists()


def test_only_the_owner_and_administrators_share_and_delete(project, viewer, administrator):
    project.members.add(viewer)
    refusal(PermissionDenied, projects.set_members, project, [], actor=viewer)
    refusal(PermissionDenied, projects.delete_project, project, actor=viewer)
    projects.set_members(project, [administrator], actor=administrator)
    assert [*project.members.all()] == [administrator]
    projects.delete_project(project, actor=administrator)


@pytest.mark.parametrize("kind", ["table", "task"])
def test_a_project_with_something_in_it_stays(project, operator, kind):
    getattr(documents, kind)(project)
    refused = refusal(Conflict, projects.delete_project, project, actor=operator)
    assert (refused.slug, refused.extra) == (
        "project-not-empty", {"hasTables": kind == "table", "hasTasks": kind == "task"},
    )  # fmt: skip


def test_rules_outlive_their_project(project, operator):
    rule = ETLRule.objects.create(name="Rule", project=project, owner=operator, json_schema={"type": "object"})
    projects.delete_project(project, actor=operator)
    rule.refresh_from_db()
    assert rule.project is None


def test_users_are_found_by_name_or_the_wrong_one_is_named(operator, viewer):
    assert set(projects.users_named(["viewer", "operator", "viewer"])) == {viewer, operator}
    get_user_model().objects.filter(pk=viewer.pk).update(is_active=False)
    for name in ("viewer", "nobody"):
        assert name in str(refusal(ValidationError, projects.users_named, ["operator", name]))


# --- tables -----------------------------------------------------------------------------------------


def test_a_table_keeps_every_digit_it_is_made_with(project, operator):
    sent = decode('{"a": 1.10, "b": 1e400, "c": 12345678901234567890123, "键 ~/": {"": null}, "t_x": [0.10]}')
    made = tables.create_table(project_id=project.pk, name="T", data=sent, user=operator, actor=operator)
    assert made.version == 0
    for key, text in (("a", "1.10"), ("b", "1" + "0" * 400), ("c", "12345678901234567890123"), ("t_x", "[0.10]")):
        assert documents.at(made, key) == text
    assert documents.at(made, "键 ~/", "") == "null"
    assert actions() == ["table.created"]


def test_a_table_is_made_only_in_a_project_one_sees(project, stranger, viewer):
    wish = {"project_id": project.pk, "name": "T", "actor": "test"}
    assert refusal(NotThere, tables.create_table, **wish, user=stranger).slug == "project-not-found"
    assert refusal(NotThere, tables.create_table, **wish, user=None).slug == "project-not-found"
    project.members.add(viewer)
    assert tables.create_table(**wish, user=viewer).project == project


def test_renaming_leaves_the_document_and_its_version(table, operator):
    before = documents.document(table)
    with CaptureQueriesContext(connection) as captured:
        edited = tables.edit_table(table, name="New", description="D", actor=operator)
    assert not [query for query in captured if '"data"' in query["sql"]]
    assert (edited.name, edited.description, edited.version) == ("New", "D", 0)
    assert documents.document(table) == before
    refusal(ValidationError, tables.edit_table, table, name=" ", actor=operator)


def test_the_whole_document_is_replaced_by_who_has_seen_it(table, operator):
    assert tables.replace_data(table, decode('{"a": 1.10}'), version=0, actor=operator) == 1
    assert documents.document(table) == '{"a": 1.10}'
    refused = refusal(Outdated, tables.replace_data, table, {}, version=0, actor=operator)
    assert (refused.slug, refused.extra) == ("stale", {"tableVersion": 1})
    assert documents.document(table) == '{"a": 1.10}'


def test_a_table_with_mounts_is_deleted_only_by_force(table, task, operator):
    done = mounting.mount(task, table_id=table.pk, pointer="", user=operator, actor=operator)
    refused = refusal(Conflict, tables.delete_table, table, actor=operator)
    assert (refused.slug, refused.extra) == ("table-has-mounts", {"mountIds": [done.mount_id]})
    tables.delete_table(table, force=True, actor=operator)
    assert not Table.objects.exists()
    assert not TableMount.objects.exists()
    event = AuditEvent.objects.get(action="table.deleted")
    assert event.before["mountIds"] == [done.mount_id]


def test_a_table_whose_mounts_have_ended_is_deleted(table, task, operator):
    mounting.mount(task, table_id=table.pk, pointer="", user=operator, actor=operator)
    mounting.unmount(TableMount.objects.get(), actor=operator)
    tables.delete_table(table, actor=operator)
    assert not Table.objects.exists()


def test_part_of_a_document_is_read_by_its_pointer(table):
    assert tables.read_data(table, "/n") == (0, "1.10")
    assert tables.read_data(table, "/null") == (0, "null")
    assert tables.read_data(table, "/") == (0, "{}")
    assert tables.read_data(table, "/list/1") == (0, "2")
    assert tables.read_data(table)[1] == documents.document(table)
    assert refusal(NotThere, tables.read_data, table, "/x").slug == "pointer-missing"
    assert refusal(PlaceRefused, tables.read_data, table, "/list/-1").slug == "pointer-bad-index"
    assert refusal(PlaceRefused, tables.read_data, table, "x").slug == "pointer-without-slash"


# --- elements of an object --------------------------------------------------------------------------


def test_elements_are_added_changed_and_removed_without_touching_others(project, operator):
    odd = '{"k": 1e400, "m": 1.10, "in": {"x": 0.10}, "名": {}}'
    table, reference = documents.table(project, odd), documents.table(project, odd)
    sent = [("价格", decode("1.10")), ("a/b~", decode("1e400")), ("", None), ("big", 12345678901234567890123)]
    assert tables.create_context_data(table, "/in", sent, actor=operator) == 1
    assert documents.at(table, "in", "价格") == "1.10"
    assert documents.at(table, "in", "a/b~") == "1" + "0" * 400
    assert documents.at(table, "in", "") == "null"
    assert documents.at(table, "in", "x") == "0.10"
    assert tables.update_context_data(table, "/in", [("价格", [1]), ("x", {})], actor=operator) == 2
    assert documents.at(table, "in", "价格") == "[1]"
    assert tables.delete_context_data(table, "/in", ["价格", "a/b~", "", "big"], actor=operator) == 3
    assert documents.at(table, "in") == '{"x": {}}'
    for key in ("k", "m", "名"):
        assert documents.at(table, key) == documents.at(reference, key)
    assert actions() == ["context.created", "context.updated", "context.deleted"]
    event = AuditEvent.objects.get(action="context.created")
    assert (event.before, event.after["pointer"], event.after["count"]) == ({"version": 0}, "/in", 4)


def test_elements_of_the_root(table, operator):
    tables.create_context_data(table, "", [("new", 1)], actor=operator)
    tables.update_context_data(table, "", [("new", 2)], actor=operator)
    assert documents.at(table, "new") == "2"
    tables.delete_context_data(table, "", ["new", "text"], actor=operator)
    assert documents.at(table, "text") is None


def test_one_key_that_does_not_fit_keeps_all_as_they_are(table, operator):
    before = documents.document(table)
    added = refusal(Conflict, tables.create_context_data, table, "", [("new", 1), ("text", 1)], actor=operator)
    assert (added.slug, added.extra) == ("path-conflict", {"conflictingKeys": ["text"]})
    for verb, wish in (
        (tables.update_context_data, [("text", 1), ("new", 1), ("newer", 1)]),
        (tables.delete_context_data, ["text", "new", "newer"]),
    ):
        refused = refusal(Conflict, verb, table, "", wish, actor=operator)
        assert (refused.slug, refused.extra) == ("keys-missing", {"missingKeys": ["new", "newer"]})
    for verb, wish in (
        (tables.create_context_data, [("new", 1), ("new", 2)]),
        (tables.update_context_data, [("text", 1), ("text", 2)]),
        (tables.delete_context_data, ["text", "text"]),
    ):
        assert refusal(Conflict, verb, table, "", wish, actor=operator).slug == "duplicate-keys"
    assert (documents.document(table), documents.version(table), actions()) == (before, 0, [])


@pytest.mark.parametrize(
    ("pointer", "slug"),
    [("/x", "pointer-missing"), ("/null", "pointer-null"), ("/list", "pointer-list"), ("/n", "pointer-scalar"),
     ("/list/00", "pointer-bad-index"), ("x", "pointer-without-slash")],
)  # fmt: skip
def test_only_objects_have_elements(table, operator, pointer, slug):
    for verb, wish in (
        (tables.create_context_data, [("new", 1)]),
        (tables.update_context_data, [("new", 1)]),
        (tables.delete_context_data, ["new"]),
    ):
        assert refusal(PlaceRefused, verb, table, pointer, wish, actor=operator).slug == slug


def test_no_verb_lets_a_table_grow_beyond_its_size(project, table, operator, settings):
    settings.ETL_MAX_TABLE_BYTES = 1_000
    text = "x" * 1_000
    refusal(TooLarge, tables.create_context_data, table, "", [("new", text)], actor=operator)
    refusal(TooLarge, tables.update_context_data, table, "", [("text", text)], actor=operator)
    refusal(TooLarge, tables.replace_data, table, {"a": text}, version=0, actor=operator)
    wish = {"project_id": project.pk, "name": "T", "user": operator, "actor": operator}
    refusal(TooLarge, tables.create_table, data={"a": text}, **wish)
    half = "x" * 700
    tables.create_context_data(table, "", [("one", half)], actor=operator)
    refusal(TooLarge, tables.create_context_data, table, "", [("two", half)], actor=operator)
    settings.ETL_MAX_TABLE_BYTES = 10
    tables.delete_context_data(table, "", ["one"], actor=operator)  # which makes it smaller


def test_a_short_number_that_postgresql_writes_out_counts_as_long_as_it_is(table, operator):
    sent = decode('{"n": 1e100000, "m": [{"o": 1E-16000}, 1.5]}')
    written_out = nodes.printed_bytes(sent)
    assert 116_000 < written_out < 116_100
    refusal(TooLarge, tables.create_context_data, table, "", [("new", [decode("1e130000")] * 200)], actor=operator)
    tables.create_context_data(table, "", [("new", sent)], actor=operator)
    assert len(documents.at(table, "new")) <= written_out
