"""Results put into tables and taken out again."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import documents
from access.models import AuditEvent
from etl.documents import mounting, tables
from etl.documents.models import ETLTask, Table, TableMount
from etl.documents.refusals import NotThere, PlaceRefused, TooLarge
from runs.errors import Conflict

pytestmark = pytest.mark.django_db


@pytest.fixture
def mount(table, operator):
    """mount(task, pointer="/sources", **wishes)"""

    def make(task, pointer="/sources", *, into=None, user=operator, **wishes):
        return mounting.mount(task, table_id=(into or table).pk, pointer=pointer, user=user, actor=operator, **wishes)

    return make


@pytest.fixture
def unmount(operator):
    """unmount(what mount() gave): the new version"""
    return lambda mounted: mounting.unmount(TableMount.objects.get(pk=mounted.mount_id), actor=operator)


def refusal(error, work, *args, **kwargs):
    with pytest.raises(error) as raised:
        work(*args, **kwargs)
    return raised.value


def everything():
    return [
        list(rows.order_by("pk").values())
        for rows in (Table.objects.all(), TableMount.objects.all(), AuditEvent.objects.all())
    ]


def test_a_result_is_mounted_under_the_stem_of_its_file(mount, table, task):
    done = mount(task)
    assert (done.path, done.created, done.table_version, done.replaced) == ("/sources/catalog", True, 1, False)
    assert documents.at(table, "sources", "catalog") == documents.at(documents.table(table.project, documents.EXACT))
    assert documents.version(table) == 1
    row = TableMount.objects.get()
    assert (row.pk, row.task_id, row.pointer, row.key) == (done.mount_id, task.pk, "/sources", "catalog")
    assert (row.table_version, row.mounted_by, row.had_previous, row.is_standing) == (1, task.requested_by, False, True)
    event = AuditEvent.objects.get(action="result.mounted")
    assert (event.object_id, event.before, event.after["version"]) == (str(table.pk), {"version": 0}, 1)
    assert event.after["mounts"][0]["taskId"] == task.pk
    table.refresh_from_db(fields=["updated_at"])
    assert table.updated_at >= row.mounted_at


def test_neither_the_document_nor_the_result_passes_through_python(mount, table, task):
    """The marker stands in both; no answer of the database and no statement carries it."""
    documents.give(task, '{"marker": "QXJZ"}')
    with CaptureQueriesContext(connection) as captured:
        mount(task)
        mounting.unmount(TableMount.objects.get(), actor="test")
    assert not [query for query in captured if "QXJZ" in query["sql"]]
    columns = [query["sql"].split(" FROM ")[0] for query in captured if query["sql"].startswith("SELECT")]
    assert not [sql for sql in columns if '"data"' in sql or '"result"' in sql]


def test_nobodys_digits_change(mount, project, task):
    odd = '{"k": 1e400, "m": 1.10, "i": 12345678901234567890123, "z": [0.10, -0.00], "sources": {}, "名": "值"}'
    into, reference = documents.table(project, odd), documents.table(project, odd)
    mount(task, into=into)
    for key in ("k", "m", "i", "z", "名"):
        assert documents.at(into, key) == documents.at(reference, key)
    assert documents.at(into, "sources", "catalog", "price") == "1.10"
    assert documents.at(into, "sources", "catalog", "big") == "12345678901234567890123"
    assert documents.at(into, "sources", "catalog", "键~/") == '"值"'


@pytest.mark.parametrize(
    ("pointer", "path"),
    [
        ("", ()),
        ("/", ("",)),
        ("/-", ("-",)),
        ("/list/0", ("list", "0")),
        ("/list/0/files", ("list", "0", "files")),
    ],
)
def test_any_object_can_be_mounted_into(mount, table, task, pointer, path):
    assert mount(task, pointer).path == f"{pointer}/catalog"
    assert documents.at(table, *path, "catalog", "price") == "1.10"


@pytest.mark.parametrize(
    ("pointer", "slug"),
    [
        ("/nowhere", "pointer-missing"),
        ("/sources/deep/er", "pointer-missing"),
        ("/list/7", "pointer-missing"),
        ("/list/99999999999999999999", "pointer-missing"),
        ("/list/-", "pointer-missing"),
        ("/list/x", "pointer-missing"),
        ("/text/a", "pointer-missing"),
        ("/list/-2", "pointer-bad-index"),
        ("/list/00", "pointer-bad-index"),
        ("/list/+0", "pointer-bad-index"),
        ("/null", "pointer-null"),
        ("/list", "pointer-list"),
        ("/text", "pointer-scalar"),
        ("/n", "pointer-scalar"),
        ("/list/1", "pointer-scalar"),
        ("sources", "pointer-without-slash"),
        ("/sources~", "pointer-bad-escape"),
    ],
)
def test_every_wrong_pointer_is_refused_by_its_own_name(mount, table, task, pointer, slug):
    before = everything()
    refused = refusal(PlaceRefused, mount, task, pointer)
    assert (refused.slug, refused.extra["pointer"]) == (slug, pointer)
    assert pointer in str(refused)
    assert everything() == before


def test_jsonb_set_itself_would_say_nothing_or_worse(table):
    """What nodes.Node is for: the same wishes, put to jsonb_set as they are."""
    wishes = {
        "{nowhere,key}": "unchanged",  # no parent
        "{text,key}": "unchanged",  # a scalar parent
        "{list,-1}": "changed",  # the last of the list
        "{list,7}": "changed",  # appended
    }
    with connection.cursor() as cursor:
        for path, becomes in wishes.items():
            cursor.execute(
                'SELECT jsonb_set(data, %s::text[], \'"v"\') = data FROM "table" WHERE id = %s', [path, table.pk]
            )
            assert cursor.fetchone()[0] is (becomes == "unchanged"), path
        cursor.execute("SELECT jsonb_set(data, '{sources,key}', NULL) FROM \"table\" WHERE id = %s", [table.pk])
        assert cursor.fetchone()[0] is None, "the whole document is gone"


@pytest.mark.parametrize("data", ["[]", "null", "1", '"text"'])
def test_a_document_that_is_no_object_takes_nothing_at_its_root(mount, project, task, data):
    assert refusal(PlaceRefused, mount, task, "", into=documents.table(project, data)).slug in (
        "pointer-list", "pointer-null", "pointer-scalar",
    )  # fmt: skip


def test_numbers_and_a_dash_are_keys_like_any_other_in_an_object(mount, project, task):
    into = documents.table(project, '{"01": {"-1": {"-": {}}}}')
    assert mount(task, "/01/-1/-", into=into).path == "/01/-1/-/catalog"


@pytest.mark.parametrize(
    ("filename", "key", "path"),
    [
        ("a/b~c.pdf", None, "/a~1b~0c"),
        ("产品目录.xlsx", None, "/产品目录"),
        ("archive.tar.gz", None, "/archive.tar"),
        (".profile", None, "/.profile"),
        ("README", None, "/README"),
        ("x.pdf", " 键/~ ", "/ 键~1~0 "),
    ],
)
def test_keys_are_escaped_in_the_path_and_stored_as_they_are(mount, project, filename, key, path):
    into, source = documents.table(project), documents.task(project, filename=filename)
    done = mount(source, "", into=into, key=key)
    assert done.path == path
    stored = key or filename.rpartition(".")[0] or filename
    assert documents.at(into, stored) == '{"a": 1}'
    assert mounting.unmount(TableMount.objects.get(), actor="test") == 2
    assert documents.document(into) == "{}"


@pytest.mark.parametrize(("key", "slug"), [("", "key-empty"), ("\0", "key-has-nul"), ("x" * 256, "key-too-long")])
def test_a_key_that_cannot_be_is_refused(mount, task, key, slug):
    assert refusal(PlaceRefused, mount, task, key=key).slug == slug


def test_the_longest_key_at_the_longest_pointer_fits_the_index(mount, project, task):
    name = "".join(chr(0x20000 + n * 37 % 9000) for n in range(255))  # which does not compress
    deep = "".join(chr(0x20000 + n * 53 % 9000) for n in range(374))
    into = documents.table(project, f'{{"{deep}": {{}}}}')
    assert mount(task, f"/{deep}", into=into, key=name).created


# --- the same again, and what is in the way ---------------------------------------------------------


def test_the_same_again_writes_nothing(mount, table, task):
    first = mount(task)
    before = everything()
    for on_conflict in ("error", "replace", "skip"):
        again = mount(task, on_conflict=on_conflict)
        assert (again.created, again.mount_id, again.table_version) == (False, first.mount_id, 1)
    assert everything() == before


def test_a_taken_key_is_a_conflict_that_names_it(mount, table, project, task):
    mount(task)
    other = documents.task(project, '{"other": 1}')
    before = everything()
    refused = refusal(Conflict, mount, other)
    assert (refused.slug, refused.extra) == ("path-conflict", {"conflictingKeys": ["catalog"]})
    assert everything() == before


def test_a_key_with_json_null_is_taken_too(mount, project, task):
    into = documents.table(project, '{"catalog": null}')
    assert refusal(Conflict, mount, task, "", into=into).slug == "path-conflict"
    done = mount(task, "", into=into, on_conflict="replace")
    assert done.replaced
    mounting.unmount(TableMount.objects.get(), actor="test")
    assert documents.document(into) == '{"catalog": null}'


def test_the_same_task_with_a_new_result_is_a_conflict(mount, table, task):
    mount(task)
    documents.give(task, '{"price": 1.1}')
    assert refusal(Conflict, mount, task).slug == "path-conflict"
    done = mount(task, on_conflict="replace")
    assert (done.created, done.replaced, done.table_version) == (True, True, 2)


def test_the_same_content_with_its_keys_in_another_order_is_the_same(mount, table, task):
    documents.give(task, '{"b": {"y": 1.10, "键": [1, 2]}, "a": null}')
    mount(task)
    documents.give(task, '{"a": null, "b": {"键": [1, 2], "y": 1.10}}')
    before = everything()
    again = mount(task)
    assert (again.created, again.table_version) == (False, 1)
    assert everything() == before
    documents.give(task, '{"a": null, "b": {"键": [2, 1], "y": 1.10}}')  # a list is another matter
    assert refusal(Conflict, mount, task).slug == "path-conflict"


def test_other_digits_are_another_content(mount, table, task):
    documents.give(task, '{"price": 1.10}')
    mount(task)
    documents.give(task, '{"price": 1.1}')
    assert refusal(Conflict, mount, task).slug == "path-conflict"


def test_what_was_edited_by_hand_is_in_the_way(mount, table, task, operator):
    mount(task)
    tables.update_context_data(table, "/sources", [("catalog", "by hand")], actor=operator)
    assert refusal(Conflict, mount, task).slug == "path-conflict"


def test_skip_leaves_what_is_there(mount, table, project, task):
    mount(task)
    before = everything()
    done = mount(documents.task(project, '{"other": 1}'), on_conflict="skip")
    assert (done.created, done.mount_id, done.table_version) == (False, None, 1)
    assert everything() == before


def test_replace_supersedes_what_stood_there_and_remembers_it(mount, table, project, task):
    first = mount(task)
    done = mount(documents.task(project, '{"other": 1.10}'), on_conflict="replace")
    assert (done.created, done.replaced, done.table_version) == (True, True, 2)
    old, new = TableMount.objects.order_by("pk")
    assert (old.pk, old.is_standing, old.superseded_at is not None) == (first.mount_id, False, True)
    assert (new.had_previous, new.previous["big"]) == (True, 12345678901234567890123)
    assert documents.at(table, "sources", "catalog") == '{"other": 1.10}'


def test_a_place_that_was_emptied_by_hand_can_be_mounted_into_again(mount, table, task, operator):
    mount(task)
    tables.delete_context_data(table, "/sources", ["catalog"], actor=operator)
    assert mount(task).created
    assert [each.is_standing for each in TableMount.objects.order_by("pk")] == [False, True]


@pytest.mark.parametrize("status", ["pending", "failed", "cancelled"])
def test_only_what_is_completed_is_mounted(mount, project, status):
    unfinished = documents.task(project, status=status)
    refused = refusal(Conflict, mount, unfinished)
    assert (refused.slug, refused.extra) == ("task-not-completed", {"taskIds": [unfinished.pk]})


def test_a_result_without_output_does_not_empty_the_table(mount, table, project):
    before = documents.document(table)
    assert refusal(Conflict, mount, documents.task(project, None)).slug == "no-result"
    assert documents.document(table) == before


def test_who_does_not_see_the_table_or_the_task_finds_nothing(mount, table, task, stranger, viewer):
    other = documents.project(stranger)
    assert refusal(NotThere, mount, task, into=documents.table(other)).slug == "table-not-found"
    assert refusal(NotThere, mount, documents.task(other)).slug == "task-not-found"
    assert refusal(NotThere, mount, task, user=stranger).slug == "task-not-found"
    assert refusal(NotThere, mount, task, user=None).slug == "task-not-found"
    task.project.members.add(viewer)
    assert mount(task, user=viewer).created


def test_a_project_without_an_owner_is_nobodys(project, administrator):
    project.owner = None
    project.save(update_fields=["owner"])
    assert not type(project).objects.visible_to(None).exists()
    assert type(project).objects.visible_to(administrator).exists()


def test_a_table_does_not_grow_beyond_its_size(mount, table, task, settings):
    settings.ETL_MAX_TABLE_BYTES = len(documents.document(table)) + 50
    before = everything()
    refused = refusal(TooLarge, mount, task)
    assert (refused.slug, refused.extra["most"]) == ("table-too-large", settings.ETL_MAX_TABLE_BYTES)
    settings.ETL_MAX_TABLE_BYTES = 10
    assert refusal(TooLarge, mount, task).slug == "table-too-large"
    assert everything() == before


# --- many at once -----------------------------------------------------------------------------------


@pytest.fixture
def mount_many(table, operator):
    def make(tasks, **wishes):
        place = {"table_id": table.pk, "pointer": "/sources"} | wishes
        return mounting.mount_many(tasks, **place, user=operator, actor=operator)

    return make


def test_many_are_mounted_in_one_go(mount_many, table, project):
    tasks = [documents.task(project, f'{{"n": {n}}}', filename=f"f{n}.pdf") for n in range(5)]
    done = mount_many(tasks[::-1])
    assert [(each.task_id, each.path) for each in done] == [
        (task.pk, f"/sources/f{n}") for n, task in reversed(list(enumerate(tasks)))
    ]
    assert [each.table_version for each in done] == [1, 2, 3, 4, 5]
    assert documents.version(table) == 5
    assert documents.at(table, "sources", "f3") == '{"n": 3}'
    assert AuditEvent.objects.filter(action="result.mounted").count() == 1
    assert {each.created for each in mount_many(tasks)} == {False}
    assert documents.version(table) == 5


def test_one_that_cannot_be_keeps_all_out(mount_many, table, project):
    good, bad = documents.task(project, filename="good.pdf"), documents.task(project, filename="text.pdf")
    before = everything()
    refused = refusal(Conflict, mount_many, [good, bad], pointer="")
    assert refused.extra == {"conflictingKeys": ["text"]}
    pending = documents.task(project, status="pending")
    assert refusal(Conflict, mount_many, [good, pending]).slug == "task-not-completed"
    assert everything() == before
    done = mount_many([good, bad], pointer="", on_conflict="skip")
    assert [each.created for each in done] == [True, False]


def test_two_of_one_name_are_a_conflict_that_names_them(mount_many, project):
    same = [documents.task(project, filename=name) for name in ("a.pdf", "a.docx", "b.pdf", "b.pdf", "c.pdf")]
    refused = refusal(Conflict, mount_many, same)
    assert (refused.slug, refused.extra) == ("duplicate-keys", {"duplicateKeys": ["a", "b"]})


def test_the_number_of_statements_does_not_depend_on_the_number_of_tasks(mount_many, project):
    def statements(count, prefix):
        tasks = [documents.task(project, filename=f"{prefix}{n}.pdf") for n in range(count)]
        with CaptureQueriesContext(connection) as captured:
            mount_many(tasks)
        return len(captured)

    statements(1, "warm")
    assert statements(3, "few") == statements(60, "many")


# --- un-mounting ------------------------------------------------------------------------------------


def test_unmounting_leaves_the_document_as_it_was(mount, unmount, table, task):
    before = documents.document(table)
    done = mount(task)
    assert unmount(done) == 2
    assert documents.document(table) == before
    row = TableMount.objects.get()
    assert (row.is_standing, row.unmounted_at is not None, documents.version(table)) == (False, True, 2)
    event = AuditEvent.objects.get(action="result.unmounted")
    assert event.after == {"version": 2, "path": "/sources/catalog", "standsAgain": None}
    assert refusal(Conflict, unmount, done).slug == "mount-ended"
    assert mount(task).created


def test_unmounting_puts_back_what_was_replaced_and_lets_it_stand_again(mount, unmount, table, project, task):
    start = documents.document(table)
    outputs = [documents.task(project, f'{{"n": 1.{n}0}}') for n in range(3)]
    done = [mount(each, on_conflict="replace") for each in outputs]
    assert refusal(Conflict, unmount, done[0]).slug == "mount-ended"
    for n in (1, 0):
        unmount(done[n + 1])
        assert documents.at(table, "sources", "catalog") == f'{{"n": 1.{n}0}}'
        assert [each.pk for each in TableMount.objects.standing()] == [done[n].mount_id]
        assert not mount(outputs[n]).created
    unmount(done[0])
    assert documents.document(table) == start
    assert documents.version(table) == 6


def test_what_was_changed_since_is_not_thrown_away(mount, unmount, table, task, operator):
    done = mount(task)
    tables.create_context_data(table, "/sources/catalog", [("note", "by hand")], actor=operator)
    refused = refusal(Conflict, unmount, done)
    assert (refused.slug, refused.extra) == ("mount-changed", {"path": "/sources/catalog"})
    tables.delete_context_data(table, "/sources/catalog", ["note"], actor=operator)
    assert unmount(done) == 4


def test_what_was_deleted_since_cannot_be_unmounted(mount, unmount, table, task, operator):
    done = mount(task)
    tables.delete_context_data(table, "/sources", ["catalog"], actor=operator)
    assert refusal(Conflict, unmount, done).slug == "mount-changed"
    tables.delete_context_data(table, "", ["sources"], actor=operator)
    assert refusal(Conflict, unmount, done).slug == "mount-changed"


def test_mounts_inside_of_it_are_unmounted_first(mount, unmount, table, project, task):
    outer = mount(task)
    inner = mount(documents.task(project, filename="inner.pdf"), "/sources/catalog")
    deep = mount(documents.task(project, filename="deep.pdf"), "/sources/catalog/inner")
    beside = mount(documents.task(project, filename="catalogue.pdf"))  # whose name only begins alike
    refused = refusal(Conflict, unmount, outer)
    assert (refused.slug, refused.extra["mountIds"][-1]) == ("mounts-below", deep.mount_id)
    for done in (deep, inner, outer, beside):
        unmount(done)
    assert documents.at(table, "sources") == "{}"


def test_a_mount_over_others_gives_them_back(mount, unmount, table, project, task):
    outer = mount(task)
    inner = mount(documents.task(project, filename="inner.pdf"), "/sources/catalog")
    over = mount(documents.task(project, '{"over": 1}'), on_conflict="replace")
    assert refusal(Conflict, unmount, inner).slug == "mount-changed"
    for done in (over, inner, outer):
        unmount(done)
    assert documents.at(table, "sources") == "{}"


def test_only_the_mount_that_was_replaced_stands_again(mount, unmount, table, task, operator):
    """The first ended when its place had been emptied by hand; what is replaced later was never a mount."""
    mount(task)
    tables.delete_context_data(table, "/sources", ["catalog"], actor=operator)
    unmount(mount(task))
    tables.create_context_data(table, "/sources", [("catalog", "by hand")], actor=operator)
    unmount(mount(task, on_conflict="replace"))
    assert documents.at(table, "sources", "catalog") == '"by hand"'
    assert not TableMount.objects.standing().exists()


# --- a look before ----------------------------------------------------------------------------------


def test_a_preview_tells_what_would_happen_and_writes_nothing(mount, table, task, project, operator):
    ask = lambda of, **wishes: mounting.preview(  # noqa: E731
        of, table_id=table.pk, pointer="/sources", user=operator, **wishes
    )
    before = everything()
    seen = ask(task)
    assert (seen.path, seen.before, seen.is_conflict, seen.is_mounted) == ("/sources/catalog", None, False, False)
    assert '"price": 1.10' in seen.after
    assert everything() == before
    mount(task)
    assert (ask(task).is_conflict, ask(task).is_mounted, ask(task).table_version) == (False, True, 1)
    other = ask(documents.task(project, '{"x": 1}'))
    assert other.is_conflict
    assert '"price": 1.10' in other.before
    assert not ask(documents.task(project), key="elsewhere").is_conflict
    with pytest.raises(PlaceRefused):
        mounting.preview(task, table_id=table.pk, pointer="/list", user=operator)
    with pytest.raises(NotThere):
        mounting.preview(task, table_id=table.pk, pointer="", user=None)


def test_a_long_preview_is_cut(mount, table, project, operator):
    long = documents.task(project, f'{{"text": "{"x" * 200_000}"}}')
    seen = mounting.preview(long, table_id=table.pk, pointer="", user=operator)
    assert (seen.is_cut, len(seen.after)) == (True, mounting.PREVIEW_AT_MOST)


def test_the_task_is_left_alone(mount, task):
    before = ETLTask.objects.values().get(pk=task.pk)
    mount(task)
    assert ETLTask.objects.values().get(pk=task.pk) == before
