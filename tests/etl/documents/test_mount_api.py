"""Projects, tables and mounts as programs see them."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import documents
from access.models import AuditEvent
from conftest import make_user
from etl.documents.api import urls
from etl.documents.models import ETLRule, ETLTask, Project, Table, TableMount

pytestmark = pytest.mark.django_db
HERE = "/api/v1/etl"

# what clients read, and what they send: by route
FIELDS = {
    "project": "projectId name description owner members mayManage createdAt updatedAt",
    "table": "tableId projectId name description version createdAt updatedAt",
    "context": "success tableId pointer count tableVersion",
    "mounted": "success message taskId tableId jsonPath mountedPath created replaced mountId tableVersion",
    "many": "success message tableId tableVersion created mounts",
    "unmounted": "success message mountId tableId tableVersion",
    "mount": "mountId taskId tableId jsonPath key mountedPath onConflict replaced standing valueSha256 tableVersion"
    " mountedBy mountedAt unmountedAt supersededAt",
}


@pytest.fixture
def api(client_of, operator):
    return client_of(operator)


def good(answer, shape=None, status=200):
    assert answer.status_code == status, answer.content
    body = answer.json() if answer.content else None
    if shape:
        assert set(body) == set(FIELDS[shape].split())
    return body


def problem(answer, status, slug="validation-error"):
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert body["type"] == f"/problems/{slug}", body
    return body


def raw(api, method, path, body, **headers):
    return getattr(api, method)(f"{HERE}/{path}", body, content_type="application/json", headers=headers)


# --- projects and tables ----------------------------------------------------------------------------


def test_a_project_over_its_life(api, viewer):
    made = good(api.post(f"{HERE}/projects", {"name": "News", "members": ["viewer"]}), "project", 201)
    assert (made["owner"], made["members"], made["mayManage"]) == ("operator", ["viewer"], True)
    path = f"{HERE}/projects/{made['projectId']}"
    assert good(api.get(path), "project") == made
    assert good(api.patch(path, {"description": "D"}), "project")["name"] == "News"
    assert good(api.put(f"{path}/members", {"members": []}), "project")["members"] == []
    assert good(api.get(f"{HERE}/projects"))["projects"][0]["projectId"] == made["projectId"]
    problem(api.put(f"{path}/members", {"members": ["nobody"]}), 400)
    problem(api.patch(path, {"name": ""}), 400)
    documents.table(Project.objects.get())
    assert problem(api.delete(path), 409, "project-not-empty")["hasTables"] is True
    Table.objects.all().delete()
    good(api.delete(path), status=204)
    problem(api.get(path), 404, "not-found")


def test_a_member_works_in_a_project_and_does_not_manage_it(client_of, project):
    member = make_user("member", role="operator")
    project.members.add(member)
    api, path = client_of(member), f"{HERE}/projects/{project.pk}"
    assert good(api.get(path))["mayManage"] is False
    good(api.patch(path, {"name": "Renamed"}))
    problem(api.put(f"{path}/members", {"members": ["member"]}), 403, "permission-denied")
    problem(api.delete(path), 403, "permission-denied")


def test_a_table_over_its_life(api, project):
    body = f'{{"project_id": {project.pk}, "name": "T", "data": {{"snake_case": 1.10, "n": 1e400}}}}'
    made = good(raw(api, "post", "tables", body), "table", 201)
    path = f"tables/{made['tableId']}"
    assert good(api.get(f"{HERE}/{path}"), "table") == made
    assert api.get(f"{HERE}/{path}/data").content == b'{"n": 1' + b"0" * 400 + b', "snake_case": 1.10}'
    assert good(api.patch(f"{HERE}/{path}", {"name": "U"}), "table")["version"] == 0
    found = good(api.get(f"{HERE}/tables?projectId={project.pk}&name=U"))
    assert [each["tableId"] for each in found["tables"]] == [made["tableId"]]
    assert good(api.get(f"{HERE}/tables?projectId={project.pk + 1}"))["tables"] == []
    good(api.delete(f"{HERE}/{path}"), status=204)
    problem(api.get(f"{HERE}/{path}/data"), 404, "not-found")


def test_a_document_and_its_parts_are_read_with_the_version_as_etag(api, table):
    path = f"{HERE}/tables/{table.pk}/data"
    answer = api.get(path)
    assert (answer.content.decode(), answer["ETag"]) == (documents.document(table), f'"{table.pk}-0-en"')
    assert api.get(path, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert api.get(f"{path}?pointer=").content == answer.content
    assert api.get(f"{path}?pointer=/n").content == b"1.10"
    assert api.get(f"{path}?pointer=/list/0/files").content == b"{}"
    assert problem(api.get(f"{path}?pointer=/x"), 404, "pointer-missing")["pointer"] == "/x"
    problem(api.get(f"{path}?pointer=x"), 400, "pointer-without-slash")
    problem(api.get(f"{path}?pointer=/list/00"), 400, "pointer-bad-index")
    problem(api.get(f"{path}?pointer=/list/-1"), 400, "pointer-bad-index")
    good(api.post(f"{HERE}/tables/{table.pk}/context", {"pointer": "", "elements": [{"key": "k", "content": 1}]}))
    assert api.get(path, headers={"If-None-Match": answer["ETag"]}).status_code == 200


def test_a_document_is_replaced_only_by_who_names_its_version(api, table):
    path = f"tables/{table.pk}/data"
    tag = api.get(f"{HERE}/{path}")["ETag"]
    before = documents.document(table)
    problem(raw(api, "put", path, "{}"), 428, "precondition-required")
    problem(raw(api, "put", path, "{}", **{"If-Match": '"1-7-en"'}), 412, "stale")
    problem(raw(api, "put", path, "null", **{"If-Match": tag}), 400)
    problem(raw(api, "put", path, "{", **{"If-Match": tag}), 400, "malformed-body")
    problem(raw(api, "put", path, '{"a": 1, "a": 2}', **{"If-Match": tag}), 400, "malformed-body")
    assert documents.document(table) == before
    answer = raw(api, "put", path, '{"table_id": 1.10, "名/~": 12345678901234567890123}', **{"If-Match": tag})
    assert good(answer) == {"tableId": table.pk, "tableVersion": 1}
    assert documents.at(table, "table_id") == "1.10"
    assert documents.at(table, "名/~") == "12345678901234567890123"
    problem(raw(api, "put", path, "{}", **{"If-Match": tag}), 412, "stale")
    assert answer["ETag"] == api.get(f"{HERE}/{path}")["ETag"]


def test_elements_are_added_changed_and_removed(api, table):
    path = f"tables/{table.pk}/context"
    sent = '{"pointer": "/sources", "elements": [{"key": "snake_key", "content": {"in_side": 1.10}}]}'
    assert good(raw(api, "post", path, sent), "context")["tableVersion"] == 1
    assert documents.at(table, "sources") == '{"snake_key": {"in_side": 1.10}}'
    assert problem(raw(api, "post", path, sent), 409, "path-conflict")["conflictingKeys"] == ["snake_key"]
    assert good(raw(api, "patch", path, sent.replace("1.10", "1.100")), "context")["tableVersion"] == 2
    assert documents.at(table, "sources", "snake_key") == '{"in_side": 1.100}'
    missing = {"pointer": "/sources", "elements": [{"key": "x", "content": None}]}
    assert problem(api.patch(f"{HERE}/{path}", missing), 409, "keys-missing")["missingKeys"] == ["x"]
    keys = {"pointer": "/sources", "keys": ["snake_key"]}
    assert good(api.delete(f"{HERE}/{path}", keys), "context")["count"] == 1
    problem(api.delete(f"{HERE}/{path}", keys), 409, "keys-missing")
    for wrong in ({}, {"pointer": "/sources"}, {"pointer": "/sources", "elements": []}, {**missing, "x": 1}):
        problem(api.post(f"{HERE}/{path}", wrong), 400)
    problem(raw(api, "post", path, '{"pointer": "", "elements": [{"key": "n\\u0000", "content": 1}]}'), 400,
            "malformed-body")  # fmt: skip


def test_a_table_that_is_mounted_into_is_deleted_only_when_told_twice(api, table, task):
    good(api.post(f"{HERE}/tasks/{task.pk}/mount", {"tableId": table.pk, "jsonPath": ""}))
    path = f"{HERE}/tables/{table.pk}"
    assert problem(api.delete(path), 409, "table-has-mounts")["mountIds"]
    problem(api.delete(f"{path}?force=yes"), 400)
    good(api.delete(f"{path}?force=true"), status=204)


def test_what_would_be_too_large_is_refused(api, table, task, settings):
    settings.ETL_MAX_TABLE_BYTES = 150
    body = problem(api.post(f"{HERE}/tasks/{task.pk}/mount", {"tableId": table.pk, "jsonPath": ""}), 413,
                   "table-too-large")  # fmt: skip
    assert body["most"] == 150
    problem(api.post(f"{HERE}/tables", {"projectId": 1, "name": "x" * 150}), 413, "body-too-large")


def test_a_number_postgresql_cannot_hold_is_refused(api, table):
    sent = '{"pointer": "", "elements": [{"key": "new", "content": {"n": 1e999999}}]}'
    problem(raw(api, "post", f"tables/{table.pk}/context", sent), 400)


# --- mounts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("tableId", "jsonPath", "onConflict"), ("table_id", "json_path", "on_conflict")])
def test_a_mount_and_the_same_again(api, table, task, names):
    wish = dict(zip(names, (table.pk, "/sources", "error"), strict=True))
    first = good(api.post(f"/api/v1/etl/tasks/{task.pk}/mount", wish), "mounted")
    assert first == {
        "success": True, "message": "Mounted", "taskId": task.pk, "tableId": table.pk, "jsonPath": "/sources",
        "mountedPath": "/sources/catalog", "created": True, "replaced": False,
        "mountId": TableMount.objects.get().pk, "tableVersion": 1,
    }  # fmt: skip
    again = good(api.post(f"/api/etl/tasks/{task.pk}/mount", wish), "mounted")
    assert again == first | {"created": False, "message": "It was mounted there already"}


def test_keys_with_slashes_and_tildes_are_escaped_wherever_they_are_told(api, project, task):
    into = documents.table(project, '{"a/b~c": {"键": {}}}')
    wish = {"tableId": into.pk, "jsonPath": "/a~1b~0c/键", "key": "x/y~z"}
    done = good(api.post(f"{HERE}/tasks/{task.pk}/mount", wish), "mounted")
    path = "/a~1b~0c/键/x~1y~0z"
    assert done["mountedPath"] == path
    assert good(api.get(f"{HERE}/tasks/{task.pk}"))["mounts"][0]["mountedPath"] == path
    (listed,) = good(api.get(f"{HERE}/mounts"))["mounts"]
    assert (listed["mountedPath"], listed["key"], listed["jsonPath"]) == (path, "x/y~z", "/a~1b~0c/键")
    assert api.get(f"{HERE}/tables/{into.pk}/data", {"pointer": path}).content.decode() == documents.at(
        into, "a/b~c", "键", "x/y~z"
    )
    good(api.delete(f"{HERE}/mounts/{done['mountId']}"))
    assert documents.document(into) == '{"a/b~c": {"键": {}}}'


def test_a_conflict_is_told_skipped_or_replaced(api, table, project, task):
    path, wish = f"{HERE}/tasks/{task.pk}/mount", {"tableId": table.pk, "jsonPath": "", "key": "text"}
    assert problem(api.post(path, wish), 409, "path-conflict")["conflictingKeys"] == ["text"]
    assert good(api.post(path, wish | {"onConflict": "skip"}), "mounted")["mountId"] is None
    assert good(api.post(path, wish | {"onConflict": "replace"}), "mounted")["replaced"] is True
    problem(api.post(path, wish | {"onConflict": "merge"}), 400)


@pytest.mark.parametrize(
    ("wish", "slug"),
    [
        ({"jsonPath": "/x"}, "pointer-missing"),
        ({"jsonPath": "/null"}, "pointer-null"),
        ({"jsonPath": "/list"}, "pointer-list"),
        ({"jsonPath": "/text"}, "pointer-scalar"),
        ({"jsonPath": "/list/-1"}, "pointer-bad-index"),
        ({"jsonPath": "x"}, "pointer-without-slash"),
        ({"jsonPath": "/~"}, "pointer-bad-escape"),
        ({"jsonPath": "/x" * 200}, "pointer-too-long"),
        ({"jsonPath": "", "key": ""}, "key-empty"),
        ({"jsonPath": "", "key": "x" * 300}, "key-too-long"),
        ({"jsonPath": None}, "validation-error"),
        ({}, "validation-error"),
        ({"jsonPath": "", "tableId": "x"}, "validation-error"),
        ({"jsonPath": "", "tableId": 2**70}, "validation-error"),
        ({"jsonPath": "", "more": 1}, "validation-error"),
    ],
)
def test_a_wrong_wish_is_told_what_is_wrong(api, table, task, wish, slug):
    problem(api.post(f"{HERE}/tasks/{task.pk}/mount", {"tableId": table.pk} | wish), 400, slug)
    assert documents.version(table) == 0


def test_what_is_not_completed_or_not_there(api, table, project):
    pending = documents.task(project, status="pending")
    place = {"tableId": table.pk, "jsonPath": ""}
    problem(api.post(f"{HERE}/tasks/{pending.pk}/mount", place), 409, "task-not-completed")
    for unknown in ("999999999", "9" * 40):
        problem(api.post(f"{HERE}/tasks/{unknown}/mount", place), 404, "not-found")
    done = documents.task(project)
    body = problem(api.post(f"{HERE}/tasks/{done.pk}/mount", place | {"tableId": 999999999}), 404, "table-not-found")
    assert body["tableId"] == 999999999


def test_a_mount_sent_again_with_its_key_is_answered_again(api, table, task):
    ask = lambda: api.post(  # noqa: E731
        f"{HERE}/tasks/{task.pk}/mount", {"tableId": table.pk, "jsonPath": ""}, headers={"Idempotency-Key": "k"}
    )
    first, again = ask(), ask()
    assert first.content == again.content
    assert again["Idempotent-Replayed"] == "true"
    assert AuditEvent.objects.filter(action="result.mounted").count() == 1


def test_many_are_mounted_listed_and_taken_out(api, table, project):
    tasks = [documents.task(project, filename=f"f{n}.pdf") for n in range(3)]
    wish = {"taskIds": [each.pk for each in tasks], "tableId": table.pk, "jsonPath": "/sources"}
    done = good(api.post(f"{HERE}/mounts", wish), "many")
    assert (done["created"], done["tableVersion"]) == (3, 3)
    assert [set(each) for each in done["mounts"]] == [set(FIELDS["mounted"].split())] * 3
    problem(api.post(f"{HERE}/mounts", wish | {"taskIds": [tasks[0].pk, 999999999]}), 404, "task-not-found")
    body = problem(api.post(f"{HERE}/mounts", wish | {"taskIds": [tasks[0].pk] * 2}), 409, "duplicate-keys")
    assert body["duplicateKeys"] == ["f0"]
    problem(api.post(f"{HERE}/mounts", wish | {"taskIds": []}), 400)
    listed = good(api.get(f"{HERE}/mounts?table={table.pk}&task={tasks[1].pk}"))
    (row,) = listed["mounts"]
    assert set(row) == set(FIELDS["mount"].split())
    assert (row["mountedPath"], row["standing"], row["mountedBy"]) == ("/sources/f1", True, "operator")
    gone = good(api.delete(f"{HERE}/mounts/{row['mountId']}"), "unmounted")
    assert gone["tableVersion"] == 4
    problem(api.delete(f"{HERE}/mounts/{row['mountId']}"), 409, "mount-ended")
    standing = lambda query: len(good(api.get(f"{HERE}/mounts?{query}"))["mounts"])  # noqa: E731
    assert (standing("standing=true"), standing("standing=false"), standing(f"table={table.pk}")) == (2, 1, 3)


def test_what_was_changed_since_stays(api, table, task):
    done = good(api.post(f"{HERE}/tasks/{task.pk}/mount", {"tableId": table.pk, "jsonPath": ""}))
    edit = {"pointer": "/catalog", "elements": [{"key": "new", "content": 1}]}
    good(api.post(f"{HERE}/tables/{table.pk}/context", edit))
    assert problem(api.delete(f"{HERE}/mounts/{done['mountId']}"), 409, "mount-changed")["path"] == "/catalog"


def test_refusals_are_translated(client_of, operator, table, task):
    api = client_of(operator)
    answer = api.post(
        f"{HERE}/tasks/{task.pk}/mount", {"tableId": table.pk, "jsonPath": "/list"}, HTTP_ACCEPT_LANGUAGE="zh-hans"
    )
    assert "/list" in answer.json()["detail"]
    assert "列表" in answer.json()["detail"]


# --- whose they are ---------------------------------------------------------------------------------


def routes_of(project, table, task, mount):
    """Every route here that names a thing, with a body that would do something."""
    place = {"tableId": table.pk, "jsonPath": ""}
    elements = {"pointer": "", "elements": [{"key": "k", "content": 1}]}
    return [
        ("get", f"projects/{project.pk}", None),
        ("patch", f"projects/{project.pk}", {"name": "Theirs"}),
        ("put", f"projects/{project.pk}/members", {"members": []}),
        ("delete", f"projects/{project.pk}", None),
        ("post", "tables", {"projectId": project.pk, "name": "T"}),
        ("get", f"tables/{table.pk}", None),
        ("patch", f"tables/{table.pk}", {"name": "Theirs"}),
        ("get", f"tables/{table.pk}/data", None),
        ("put", f"tables/{table.pk}/data", {}),
        ("post", f"tables/{table.pk}/context", elements),
        ("patch", f"tables/{table.pk}/context", elements),
        ("delete", f"tables/{table.pk}/context", {"pointer": "", "keys": ["text"]}),
        ("post", f"tasks/{task.pk}/mount", place),
        ("post", "mounts", place | {"taskIds": [task.pk]}),
        ("delete", f"mounts/{mount.pk}", None),
        ("delete", f"tables/{table.pk}?force=true", None),
    ]


def contents():
    return [list(model.objects.order_by("pk").values()) for model in (Project, Table, ETLTask, TableMount, ETLRule)]


def test_another_users_anything_is_404_everywhere(api, client_of, project, table, task, administrator):
    done = good(api.post(f"{HERE}/tasks/{task.pk}/mount", {"tableId": table.pk, "jsonPath": ""}))
    mount = TableMount.objects.get(pk=done["mountId"])
    other = client_of(make_user("other", role="operator"))
    before = contents()
    for method, path, body in routes_of(project, table, task, mount):
        answer = getattr(other, method)(f"{HERE}/{path}", body, headers={"If-Match": "*"})
        assert answer.status_code == 404, (method, path, answer.content)
    assert contents() == before
    for plural in ("projects", "tables", "mounts"):
        assert good(other.get(f"{HERE}/{plural}"))[plural] == []
        assert good(api.get(f"{HERE}/{plural}"))[plural] != []
        assert good(client_of(administrator).get(f"{HERE}/{plural}"))[plural] != []


def routes_with_an_id(ids):
    """Method and address, by `ids` of their kind, of every route of documents that names one thing."""
    for pattern in (*urls.urlpatterns, *urls.router.urls):
        kind, _slash, rest = str(pattern.pattern).strip("^$").partition("/")
        if rest.startswith(("(?P<pk>", "<int:")):
            methods = set(getattr(pattern.callback, "actions", None) or ["post"]) - {"head"}  # which DRF adds itself
            yield from ((method, kind, re.sub(r"^[^/]+", str(ids[kind]), rest)) for method in sorted(methods))


def test_every_route_that_names_a_thing_answers_others_as_if_there_were_none(api, client_of, project, table, task):
    done = good(api.post(f"{HERE}/tasks/{task.pk}/mount", {"tableId": table.pk, "jsonPath": ""}))
    rule = ETLRule.objects.create(name="R", owner=project.owner, project=project, json_schema={"type": "object"})
    ids = {"projects": project.pk, "tables": table.pk, "tasks": task.pk, "rules": rule.pk, "mounts": done["mountId"]}
    other, before = client_of(make_user("other", role="operator")), contents()
    routes = list(routes_with_an_id(ids))
    assert {kind for _method, kind, _rest in routes} == ids.keys()
    assert ("post", "tasks", f"{task.pk}/mount") in routes
    for method, kind, rest in routes:
        answers = []
        for asked in (rest, re.sub(r"^[0-9]+", "999999999", rest)):
            sent = {} if method == "get" else {"data": {}}
            answer = getattr(other, method)(f"{HERE}/{kind}/{asked}", **sent).json()
            answers.append({name: answer[name] for name in ("status", "type", "title", "detail")})
        assert answers[0] == answers[1], (method, kind, rest)
        assert answers[0]["status"] == 404, (method, kind, rest)
    assert contents() == before


def test_somebodys_result_does_not_go_into_another_ones_table(client_of, project, table):
    other = make_user("other", role="operator")
    theirs = documents.task(documents.project(other))
    place = {"tableId": table.pk, "jsonPath": ""}
    problem(client_of(other).post(f"{HERE}/tasks/{theirs.pk}/mount", place), 404, "table-not-found")


def test_a_member_who_may_only_read_reads(client_of, viewer, project, table, task):
    reader = client_of(viewer)
    problem(reader.get(f"{HERE}/tables/{table.pk}"), 404, "not-found")
    project.members.add(viewer)
    assert reader.get(f"{HERE}/tables/{table.pk}/data").status_code == 200
    for method, path, body in routes_of(project, table, task, TableMount(pk=1)):
        if method != "get":
            problem(getattr(reader, method)(f"{HERE}/{path}", body), 403, "permission-denied")


def test_an_administrator_works_in_every_project(client_of, administrator, project, table, task):
    boss = client_of(administrator)
    good(boss.post(f"{HERE}/tasks/{task.pk}/mount", {"tableId": table.pk, "jsonPath": ""}), "mounted")
    good(boss.put(f"{HERE}/projects/{project.pk}/members", {"members": ["administrator"]}), "project")


# --- lists ------------------------------------------------------------------------------------------


def test_a_page_costs_the_same_for_three_rows_and_three_hundred(api, operator, viewer, task):
    def queries(path):
        api.get(f"{HERE}/{path}?pageSize=100")
        with CaptureQueriesContext(connection) as captured:
            rows = good(api.get(f"{HERE}/{path}?pageSize=100"))[path]
        assert not [query for query in captured if '"table"."data"' in query["sql"]]
        return len(captured), len(rows)

    def fill(count):
        made = Project.objects.bulk_create(Project(name="P", owner=operator) for _ in range(count))
        viewer.projects.add(*made)
        tables = Table.objects.bulk_create(Table(project=each, name="T") for each in made)
        TableMount.objects.bulk_create(
            TableMount(
                task=task, table=each, pointer="", key="k", value_sha256="0" * 64, table_version=1, mounted_by=operator
            )
            for each in tables
        )

    fill(3)
    few = {path: queries(path) for path in ("projects", "tables", "mounts")}
    fill(300)
    many = {path: queries(path) for path in few}
    for path, (count, rows) in many.items():
        assert rows == 100
        assert count - few[path][0] <= 2, path  # the count of the total, which a short list is spared
