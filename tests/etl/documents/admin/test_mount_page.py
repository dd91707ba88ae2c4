"""A result is looked at in its place before it is mounted there, and can be taken out again."""

import pytest

import documents
from access.models import AuditEvent
from conftest import make_user
from documents import at, version
from etl.models import ETLTask, TableMount

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folder")]

TASKS = "/admin/etl/etltask/"


def body(answer):
    return answer.content.decode()


def mount_page(task):
    return f"{TASKS}{task.pk}/mount/"


def wish(table, pointer="/sources", key="", on_conflict="error", **more):
    return {"table": table.pk, "pointer": pointer, "key": key, "on_conflict": on_conflict, **more}


def looked(desk, task, **asked):
    """The page after a look, and the wish with what was looked at."""
    page = desk.get(mount_page(task), asked)
    return page, asked | {"seen": page.context["wish"].seen}


def test_it_is_mounted_as_it_was_shown(operator, desk_of, task, table):
    desk = desk_of(operator)
    page, asked = looked(desk, task, **wish(table))
    assert "Nothing stands there." in body(page)
    assert "12345678901234567890123" in body(page)
    assert TableMount.objects.count() == 0
    answer = desk.post(mount_page(task), asked, follow=True)
    assert "It is mounted at /sources/catalog; the table has version 1." in body(answer)
    assert at(table, "sources", "catalog") is not None
    assert TableMount.objects.get().mounted_by == operator
    assert "/sources/catalog" in body(desk.get(f"/admin/etl/table/{table.pk}/change/"))


def test_nothing_is_mounted_that_was_not_looked_at(operator, desk_of, task, table):
    desk = desk_of(operator)
    _page, asked = looked(desk, task, **wish(table))
    for other in (asked | {"seen": ""}, asked | {"key": "else"}, asked | {"pointer": ""}):
        answer = desk.post(mount_page(task), other)
        assert answer.status_code == 409
        assert "Look again" in body(answer)
    documents.Table.objects.filter(pk=table.pk).update(version=5)
    assert desk.post(mount_page(task), asked).status_code == 409
    assert TableMount.objects.count() == 0


def test_without_a_script_the_check_button_shows_the_same(operator, desk_of, task, table):
    answer = desk_of(operator).post(mount_page(task), wish(table) | {"check": "1"})
    assert answer.status_code == 200
    assert "It would stand at <code>/sources/catalog</code>." in body(answer)
    assert TableMount.objects.count() == 0


def test_the_script_gets_only_what_changes(operator, desk_of, task, table):
    part = desk_of(operator).get(mount_page(task), wish(table), headers={"x-part": "1"})
    assert "<html" not in body(part)
    assert "/sources/catalog" in body(part)
    part = desk_of(operator).get(mount_page(task), wish(table, "/gone"), headers={"x-part": "1"})
    assert part.status_code == 200
    assert "There is nothing at “/gone”." in body(part)


@pytest.mark.parametrize(
    ("place", "field", "says"),
    [
        ({"pointer": "sources"}, "pointer", "must begin with a slash"),
        ({"pointer": "/~2"}, "pointer", "neither ~0"),
        ({"pointer": "/gone"}, "pointer", "There is nothing at"),
        ({"pointer": "/list"}, "pointer", "stands a list"),
        ({"pointer": "/null"}, "pointer", "stands null"),
        ({"pointer": "/text"}, "pointer", "a single value"),
        ({"pointer": "/list/00"}, "pointer", "without sign or leading zero"),
        ({"pointer": "/" * 2000}, "pointer", "at most"),
        ({"key": "x" * 256}, "key", "at most"),
        ({"table": ""}, "table", "required"),
        ({"table": "99999999999999999999"}, "table", "not one of the available"),
        ({"on_conflict": "burn"}, "on_conflict", "not one of the available"),
    ],
)
def test_a_place_that_cannot_be_is_told_at_its_field(place, field, says, operator, desk_of, task, table):
    desk = desk_of(operator)
    asked = wish(table) | place
    for answer in (desk.get(mount_page(task), asked), desk.post(mount_page(task), asked | {"seen": "x"})):
        assert answer.status_code == 422
        assert says in " ".join(answer.context["wish"].form.errors[field])
    assert TableMount.objects.count() == 0


def test_a_taken_key_is_refused_replaced_or_left(operator, desk_of, task, project):
    table = documents.table(project, '{"sources": {"catalog": {"old": 1}}}')
    desk = desk_of(operator)
    page, asked = looked(desk, task, **wish(table))
    assert "Something else stands at" in body(page)
    assert "<del>" in body(page)
    answer = desk.post(mount_page(task), asked)
    assert answer.status_code == 409
    assert "There is something else already: catalog." in answer.context["wish"].form.errors["key"]
    _page, asked = looked(desk, task, **wish(table, on_conflict="skip"))
    assert "was left there" in body(desk.post(mount_page(task), asked, follow=True))
    assert at(table, "sources", "catalog", "old") == "1"
    _page, asked = looked(desk, task, **wish(table, on_conflict="replace"))
    assert "in place of what stood there" in body(desk.post(mount_page(task), asked, follow=True))
    page, asked = looked(desk, task, **wish(table))
    assert "mounting again writes nothing" in body(page)
    assert "nothing was written" in body(desk.post(mount_page(task), asked, follow=True))
    assert version(table) == 1


def test_it_is_unmounted_from_the_page_of_the_task(operator, desk_of, task, table):
    desk = desk_of(operator)
    _page, asked = looked(desk, task, **wish(table))
    desk.post(mount_page(task), asked)
    mount = TableMount.objects.get()
    address = f"/admin/etl/tablemount/{mount.pk}/do/unmount/?back=task"
    assert address in body(desk.get(f"{TASKS}{task.pk}/change/"))
    assert "put back" in body(desk.post(address))  # without a script it is asked on a page
    answer = desk.post(address, {"confirmed": "1"}, follow=True)
    assert "was un-mounted; the table has version 2" in body(answer)
    assert answer.redirect_chain[-1][0].startswith(f"{TASKS}{task.pk}/change/")
    assert at(table, "sources", "catalog") is None
    assert address not in body(desk.get(f"{TASKS}{task.pk}/change/"))
    assert "was un-mounted or replaced already" in body(desk.post(address, {"confirmed": "1"}, follow=True))
    assert AuditEvent.objects.filter(action="result.unmounted").count() == 1


def test_what_was_changed_since_is_not_unmounted_and_says_why(operator, desk_of, task, table):
    desk = desk_of(operator)
    _page, asked = looked(desk, task, **wish(table))
    desk.post(mount_page(task), asked)
    documents.Table.objects.filter(pk=table.pk).update(data={"sources": {"catalog": 1}})
    mount = TableMount.objects.get()
    answer = desk.post(f"/admin/etl/tablemount/{mount.pk}/do/unmount/", {"confirmed": "1"}, follow=True)
    assert "no longer what was mounted there" in body(answer)


def test_what_is_not_completed_is_not_mounted(operator, desk_of, project, table):
    task = documents.task(project, status="failed")
    answer = desk_of(operator).get(mount_page(task), follow=True)
    assert "Only what is completed can be mounted." in body(answer)


def test_tables_and_mounts_of_others_are_not_there(operator, desk_of, task, table):
    other = make_user("other", role="operator")
    theirs = documents.table(documents.project(other, name="Theirs"), name="Their table")
    desk = desk_of(operator)
    assert "Their table" not in body(desk.get(mount_page(task)))
    assert desk.get(mount_page(task), wish(theirs)).status_code == 422
    _page, asked = looked(desk, task, **wish(table))
    desk.post(mount_page(task), asked)
    mount = TableMount.objects.get()
    desk = desk_of(other)
    assert not desk.get("/admin/etl/tablemount/").context["cl"].result_list
    assert desk.get(f"/admin/etl/tablemount/{mount.pk}/change/").status_code == 404
    assert desk.post(f"/admin/etl/tablemount/{mount.pk}/do/unmount/", {"confirmed": "1"}).status_code == 404


def test_a_mount_of_a_task_one_does_not_see_names_no_file(operator, viewer, desk_of, task, table):
    secret = documents.project(operator, name="Secret")
    hidden = documents.task(secret, filename="hidden-name.pdf")
    TableMount.objects.create(
        task=hidden, table=table, pointer="", key="k", value_sha256="0" * 64, table_version=1, mounted_by=operator
    )
    table.project.members.add(viewer)
    desk = desk_of(viewer)
    mount = TableMount.objects.get()
    for address in ("/admin/etl/tablemount/", f"/admin/etl/tablemount/{mount.pk}/change/",
                    f"/admin/etl/table/{table.pk}/change/"):  # fmt: skip
        answer = desk.get(address)
        assert answer.status_code == 200
        assert "hidden-name" not in body(answer)


def test_who_may_not_mount_may_not_unmount(viewer, desk_of, task, table, operator):
    task.project.members.add(viewer)
    mount = TableMount.objects.create(
        task=task, table=table, pointer="", key="k", value_sha256="0" * 64, table_version=1, mounted_by=operator
    )
    desk = desk_of(viewer)
    assert "do/unmount" not in body(desk.get(f"{TASKS}{task.pk}/change/"))
    assert desk.post(f"/admin/etl/tablemount/{mount.pk}/do/unmount/", {"confirmed": "1"}).status_code == 403


def test_hostile_keys_and_values_are_escaped(operator, desk_of, project):
    hostile = "<script>alert(1)</script>"
    table = documents.table(project, f'{{"{hostile.replace("/", "~")}": {{"k": "{hostile}"}}}}')
    task = documents.task(project, f'{{"{hostile}": "{hostile}"}}')
    ETLTask.objects.filter(pk=task.pk).update(filename=f"{hostile}.pdf")
    desk = desk_of(operator)
    pointer = "/" + hostile.replace("/", "~").replace("~", "~0")
    page, asked = looked(desk, task, **wish(table, pointer, key=hostile))
    assert page.status_code == 200
    assert hostile not in body(page)
    assert hostile not in body(desk.post(mount_page(task), asked, follow=True))
    assert TableMount.objects.count() == 1
    for address in (f"{TASKS}{task.pk}/change/", f"/admin/etl/table/{table.pk}/change/",
                    f"/admin/etl/table/{table.pk}/data/", "/admin/etl/tablemount/"):  # fmt: skip
        assert hostile not in body(desk.get(address))
