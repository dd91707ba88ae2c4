"""Document tasks as programs see them: handed in, watched, tried again, taken."""

import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import documents
from access.models import AuditEvent
from api import shared_cache
from conftest import make_user
from etl.documents import hot, processing, storage
from etl.documents.choices import Stage
from etl.documents.models import ETLRule, ETLTask, TableMount
from runs.querysets import seconds_from_now
from runs.workers import note_sign_of_life

pytestmark = pytest.mark.django_db
HERE = "/api/v1/etl"

# what clients read, by answer
ROW = (
    "taskId userId projectId ruleId ruleName filename media size sha256 status stage progress page pages stalled"
    " attempt maxAttempts retries createdAt startedAt heartbeatAt finishedAt updatedAt result error errorCode"
    " errorDetail errorStage metadata mountWish mounts"
)
CONTRACT = "taskId userId projectId filename ruleId status progress createdAt updatedAt result error metadata"
FIELDS = {
    "row": ROW,
    "detail": f"{ROW} text generator steps",
    "list": "tasks total limit offset page pageSize",
    "many": "tasks total",
    "result": "taskId filename output generator unresolved text",
    "markdown": "taskId filename markdown parser credit pages notes size",
    "health": "status queueSize taskCount workerCount",
}
CSV = "名称,单价\n杯子,1.10\n盘子,2\n".encode()


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """A place of its own for files."""
    settings.DOCUMENTS_DIR = tmp_path
    return tmp_path


@pytest.fixture
def api(client_of, operator):
    return client_of(operator)


@pytest.fixture
def rule(operator, project):
    return ETLRule.objects.create(
        name="Wrap", owner=operator, project=project, json_schema={"type": "object"}, mode="wrap"
    )


def file(content=CSV, name="价格.csv"):
    return SimpleUploadedFile(name, content, content_type="text/html")


def send(api, project, *files, headers=None, **more):
    body = {"projectId": project.pk, "file": list(files) or [file()], **more}
    return api.post(f"{HERE}/tasks", body, format="multipart", headers=headers or {})


def good(answer, shape=None, status=200):
    assert answer.status_code == status, answer.content
    body = json.loads(answer.content)
    if shape:
        assert set(body) == set(FIELDS[shape].split())
    return body


def problem(answer, status, slug="validation-error"):
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert body["type"] == f"/problems/{slug}", body
    return body


def kept(folder):
    """Everything that lies in the folder of documents."""
    return [path for path in folder.rglob("*") if path.is_file()]


def worked(pk):
    processing.run_document(pk)
    return ETLTask.objects.get(pk=pk)


def held(project, count=1, **values):
    """Tasks that a worker holds."""
    now = timezone.now()
    return ETLTask.objects.bulk_create(
        ETLTask(
            project=project, filename=f"{number}.txt", media="text", file="1/source", sha256="0" * 64, size=1,
            status="mineru_parsing", lease_token=1000 + number, lease_until=now + timedelta(minutes=5),
            requested_by=project.owner, **values,
        )
        for number in range(count)
    )  # fmt: skip


# --- handing in -------------------------------------------------------------------------------------


def test_one_file_is_answered_with_its_task(api, project, rule, operator, folder):
    answer = send(api, project, ruleId=rule.pk)
    body = good(answer, "row", 202)
    assert set(body) >= set(CONTRACT.split())
    task = ETLTask.objects.get()
    assert answer["Location"] == f"{HERE}/tasks/{task.pk}"
    assert answer["Retry-After"]
    assert body | {"status": "pending", "progress": 0, "result": None, "error": None, "stage": None} == body
    assert (body["taskId"], body["userId"], body["projectId"]) == (task.pk, operator.pk, project.pk)
    assert (body["ruleId"], body["filename"], body["size"]) == (rule.pk, "价格.csv", len(CSV))
    assert storage.read(task.file) == CSV
    assert api.get(answer["Location"]).status_code == 200
    assert AuditEvent.objects.filter(action="document.requested").count() == 1


def test_many_files_are_answered_in_their_order(api, project):
    files = [file(f"text {number}".encode(), f"{number}.txt") for number in range(5)]
    answer = send(api, project, *files)
    body = good(answer, "many", 202)
    assert [each["filename"] for each in body["tasks"]] == [f"{number}.txt" for number in range(5)]
    assert good(api.get(answer["Location"]), "many") == body


@pytest.mark.parametrize("names", [("ruleId", "tableId", "jsonPath"), ("rule_id", "table_id", "json_path")])
def test_a_mount_may_be_asked_for_in_either_spelling(api, project, table, rule, names):
    wish = dict(zip(names, (rule.pk, table.pk, "/sources"), strict=True))
    body = good(send(api, project, **wish), "row", 202)
    assert body["mountWish"] == {"tableId": table.pk, "jsonPath": "/sources"}
    worked(body["taskId"])
    (mount,) = good(api.get(f"{HERE}/tasks/{body['taskId']}"))["mounts"]
    assert mount == {
        "mountId": TableMount.objects.get().pk, "tableId": table.pk, "mountedPath": "/sources/价格", "tableVersion": 1
    }  # fmt: skip


def test_the_same_request_again_keeps_one_file_by_its_content(api, project, folder):
    key = {"Idempotency-Key": "k1"}
    first = good(send(api, project, file(), headers=key), "row", 202)
    again = send(api, project, file(), headers=key)
    assert good(again, "row", 202) == first
    assert again["Idempotent-Replayed"] == "true"
    problem(send(api, project, file(CSV + b"x,3\n"), headers=key), 422, "idempotency-mismatch")
    problem(send(api, project, file(name="other.csv"), headers=key), 422, "idempotency-mismatch")
    assert ETLTask.objects.count() == len(kept(folder)) == 1


def test_what_is_refused_with_a_key_is_not_remembered(api, project):
    key = {"Idempotency-Key": "k2"}
    problem(send(api, project, file(b""), headers=key), 422, "empty-file")
    good(send(api, project, file(b""), file(), headers=key), status=422)
    good(send(api, project, file(), headers=key), status=202)


@pytest.mark.parametrize(
    ("content", "name", "status", "slug"),
    [
        (b"", "a.txt", 422, "empty-file"),
        (b"MZ" + b"\0" * 100, "a.exe", 415, "unknown-file-type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", 415, "unknown-file-type"),
        (b"text", "a", 415, "unknown-file-type"),
        (b"%PDF-1.7 cut", "a.docx", 415, "wrong-extension"),
        (b"PK\3\4" + b"\0" * 50, "a.xlsx", 422, "damaged-file"),
        (b"x" * 2001, "a.txt", 413, "file-too-large"),
    ],
)
def test_a_file_that_may_not_be_read_is_refused_and_nothing_is_kept(api, project, folder, settings, content, name,
                                                                    status, slug):  # fmt: skip
    settings.ETL_MAX_BYTES = 2000
    answer = send(api, project, file(), file(content, name))
    assert name in problem(answer, status, slug)["detail"]
    assert ETLTask.objects.count() == 0
    assert kept(folder) == []


def test_a_file_too_large_is_not_read_to_its_end(api, project, settings, monkeypatch):
    settings.ETL_MAX_BYTES = 100_000
    pulled = []

    class Endless(io.BytesIO):
        def read(self, size=-1):
            chunk = super().read(size)
            pulled.append(len(chunk))
            return chunk

    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        + b"x" * 5_000_000
        + b"\r\n--b--\r\n"
    )
    answer = api.generic("POST", f"{HERE}/tasks", body, content_type="multipart/form-data; boundary=b",
                         **{"wsgi.input": Endless(body)})  # fmt: skip
    problem(answer, 413, "file-too-large")
    assert sum(pulled) < 1_000_000


def test_more_files_than_allowed_are_refused(api, project, folder):
    problem(send(api, project, *[file(name=f"{number}.csv") for number in range(21)]), 400)
    assert kept(folder) == []


def test_a_full_queue_keeps_nothing(api, project, folder, settings):
    settings.ETL_MAX_PENDING = 1
    good(send(api, project), status=202)
    before = kept(folder)
    answer = send(api, project)
    problem(answer, 503, "queue-full")
    assert int(answer["Retry-After"]) > 0
    assert (ETLTask.objects.count(), kept(folder)) == (1, before)


@pytest.mark.parametrize(
    "change",
    [
        {"projectId": "x"}, {"projectId": ""}, {"projectId": 2**63}, {"ruleId": "1.5"}, {"jsonPath": "/x"},
        {"more": 1}, {"other": SimpleUploadedFile("x.txt", b"x")}, {"projectId": [1, 2]},
        {"projectId": SimpleUploadedFile("x.txt", b"x")}, {"file": "no file"}, {"file": []}, {"userId": 1},
        {"tableId": 1, "jsonPath": "no slash"}, {"status": "completed"}, {"metadata": "{}"},
    ],
)  # fmt: skip
def test_a_wrong_wish_is_told_what_is_wrong(api, project, folder, change, table):
    if "tableId" in change:
        change = change | {"tableId": table.pk}
    answer = api.post(f"{HERE}/tasks", {"projectId": project.pk, "file": [file()]} | change, format="multipart")
    assert answer.status_code == 400, answer.content
    assert kept(folder) == []


def test_only_a_form_is_taken(api, project):
    problem(api.post(f"{HERE}/tasks", {"projectId": project.pk}), 415, "unsupported-media-type")
    answer = api.generic("POST", f"{HERE}/tasks", b"--x", content_type="multipart/form-data")
    problem(answer, 400, "malformed-body")


def test_a_session_hands_in_with_its_csrf_token(client, operator, project):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(operator)
    body = {"projectId": project.pk, "file": file()}
    assert browser.post(f"{HERE}/tasks", body).status_code == 403
    browser.get("/admin/")
    token = browser.cookies["csrftoken"].value
    good(browser.post(f"{HERE}/tasks", body | {"file": file()}, headers={"X-CSRFToken": token}), "row", 202)


def test_who_may_not_mount_asks_for_no_mount(client_of, operator, project, table):
    reader = make_user("runner", role="viewer")
    reader.user_permissions.add(Permission.objects.get(codename="run_document"))
    project.members.add(reader)
    api = client_of(reader)
    good(send(api, project), status=202)
    problem(send(api, project, tableId=table.pk), 403, "permission-denied")


# --- lists ------------------------------------------------------------------------------------------


def test_a_list_has_what_both_consoles_read(api, project, rule):
    documents.task(project)
    body = good(api.get(f"{HERE}/tasks"), "list")
    assert (body["total"], body["limit"], body["offset"], body["page"], body["pageSize"]) == (1, 10, 0, 1, 10)
    assert set(body["tasks"][0]) == set(ROW.split())
    assert body["tasks"][0]["result"] is None


def test_a_list_may_be_asked_for_by_limit_and_offset(api, project):
    keys = [documents.task(project).pk for _number in range(5)][::-1]
    for query, expected in (
        ("limit=2", keys[:2]),
        ("limit=2&offset=3", keys[3:]),
        ("offset=9", []),
        ("page=2&pageSize=2", keys[2:4]),
    ):
        body = good(api.get(f"{HERE}/tasks?{query}"), "list")
        assert [each["taskId"] for each in body["tasks"]] == expected
        assert body["total"] == 5
    for wrong in ("limit=0", "offset=-1", "limit=x", "page=1&limit=2", "offset=1&pageSize=3"):
        problem(api.get(f"{HERE}/tasks?{wrong}"), 400)


def test_filters(api, project, rule, operator):
    other = documents.project(operator, name="Other")
    mine, theirs = documents.task(project), documents.task(other, status="failed")
    ETLTask.objects.filter(pk=mine.pk).update(rule=rule)
    for query, expected in (
        (f"projectId={other.pk}", [theirs.pk]), ("status=failed", [theirs.pk]), ("status=completed", [mine.pk]),
        (f"ruleId={rule.pk}", [mine.pk]), ("projectId=9999", []),
    ):  # fmt: skip
        assert [each["taskId"] for each in good(api.get(f"{HERE}/tasks?{query}"))["tasks"]] == expected
    for wrong in ("status=running", "projectId=x", "project=1", "status="):
        assert api.get(f"{HERE}/tasks?{wrong}").status_code == 400


def test_either_status_in_between_finds_all_that_a_worker_has(api, project):
    reading, shaping = held(project, 2)
    hot.Teller(shaping.pk, shaping.lease_token).tell(Stage.TRANSFORM, 80, 2, 7)
    for status in ("mineru_parsing", "llm_processing"):
        rows = good(api.get(f"{HERE}/tasks?status={status}"))["tasks"]
        assert [(each["taskId"], each["status"]) for each in rows] == [
            (shaping.pk, "llm_processing"), (reading.pk, "mineru_parsing")
        ]  # fmt: skip
    assert (rows[0]["stage"], rows[0]["progress"], rows[0]["page"], rows[0]["pages"]) == ("transform", 80, 2, 7)
    assert (rows[1]["stage"], rows[1]["progress"], rows[1]["page"], rows[1]["pages"]) == ("parse", 0, None, None)
    assert good(api.get(f"{HERE}/tasks?status=pending"))["tasks"] == []


def asked_of_redis():
    """How many MGET commands the server has served."""
    stats = shared_cache.server().info("commandstats")
    return stats.get("cmdstat_mget", {"calls": 0})["calls"]


def test_a_page_of_ten_thousand_tasks_is_one_query_and_one_round_trip(api, project):
    (task,) = held(project)
    columns = ", ".join(f'"{each.column}"' for each in ETLTask._meta.fields if not each.primary_key)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO etl_task ({columns}) SELECT {columns} FROM etl_task, generate_series(2, 10000) WHERE id = %s",
            [task.pk],
        )
    path = f"{HERE}/tasks?status=mineru_parsing&pageSize=100"
    api.get(path)  # notes the token's use, caches the total
    before = asked_of_redis()
    with CaptureQueriesContext(connection) as captured:
        rows = good(api.get(path))["tasks"]
    assert len(rows) == 100
    assert len([each for each in captured if 'FROM "etl_task"' in each["sql"]]) == 1
    assert asked_of_redis() - before == 1
    before = asked_of_redis()
    hot.overlay(ETLTask.objects.all())
    assert asked_of_redis() - before == 1


def test_a_page_costs_the_same_for_three_rows_and_three_hundred(api, project, table):
    def queries():
        api.get(f"{HERE}/tasks?pageSize=100")
        with CaptureQueriesContext(connection) as captured:
            rows = good(api.get(f"{HERE}/tasks?pageSize=100"))["tasks"]
        assert not [each for each in captured if '"etl_task"."result"' in each["sql"]]
        assert all(len(each["mounts"]) == 1 for each in rows)
        return len(captured), len(rows)

    def fill(count):
        made = [documents.task(project) for _number in range(count)]
        TableMount.objects.bulk_create(
            TableMount(task=each, table=table, pointer="", key=f"k{each.pk}", value_sha256="0" * 64, table_version=1)
            for each in made
        )

    fill(3)
    few, _rows = queries()
    fill(300)
    many, rows = queries()
    assert rows == 100
    assert many - few <= 2  # the count of the total, which a short list is spared


def test_a_batch_keeps_its_order_and_leaves_out_what_is_not_there(api, project, operator):
    keys = [documents.task(project).pk for _number in range(3)]
    theirs = documents.task(documents.project(make_user("other", role="operator")))
    asked = [keys[2], 999_999_999, keys[0], theirs.pk, keys[1], keys[2]]
    body = good(api.get(f"{HERE}/tasks/batch?ids={','.join(map(str, asked))}"), "many")
    assert [each["taskId"] for each in body["tasks"]] == [keys[2], keys[0], keys[1]]
    assert body["total"] == 3
    for wrong in ("", "?ids=", "?ids=1,", "?ids=x", "?ids=-1", "?ids=0", f"?ids={2**63}", "?ids=1&page=1",
                  "?ids=" + ",".join(map(str, range(1, 102)))):  # fmt: skip
        problem_status = api.get(f"{HERE}/tasks/batch{wrong}").status_code
        assert problem_status == 400, wrong
    good(api.get(f"{HERE}/tasks/batch?ids=" + ",".join(map(str, range(1, 101)))))


# --- watching ---------------------------------------------------------------------------------------


def test_a_poll_is_not_modified_until_something_moves_in_the_hot_store(api, project):
    (task,) = held(project)
    path = f"{HERE}/tasks/{task.pk}"
    first = api.get(path)
    assert first["Retry-After"] == "2"
    same = {"If-None-Match": first["ETag"]}
    assert api.get(path, headers=same).status_code == 304
    hot.Teller(task.pk, task.lease_token).tell(Stage.PARSE, 30, 3, 10)
    moved = api.get(path, headers=same)
    assert (moved.status_code, moved.json()["page"], moved.json()["progress"]) == (200, 3, 30)
    batch = api.get(f"{HERE}/tasks/batch?ids={task.pk}")
    assert api.get(f"{HERE}/tasks/batch?ids={task.pk}", headers={"If-None-Match": batch["ETag"]}).status_code == 304
    assert batch["Retry-After"]


def test_polling_writes_nothing(api, project, table):
    (task,) = held(project)
    done = documents.task(project)
    for path in (f"tasks/{task.pk}", f"tasks/{done.pk}", "tasks", f"tasks/batch?ids={task.pk}", "health"):
        api.get(f"{HERE}/{path}")
        with CaptureQueriesContext(connection) as captured:
            assert api.get(f"{HERE}/{path}").status_code == 200
        assert captured.captured_queries
        assert all(each["sql"].startswith(("SELECT", "EXPLAIN")) for each in captured), path


def test_without_redis_the_database_is_shown(api, project, settings):
    (task,) = held(project, progress=60)
    hot.Teller(task.pk, task.lease_token).tell(Stage.TRANSFORM, 80)
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    for path in (f"tasks/{task.pk}", "tasks", f"tasks/batch?ids={task.pk}"):
        shared_cache.resume()
        body = good(api.get(f"{HERE}/{path}"))
        row = body["tasks"][0] if "tasks" in body else body
        assert (row["status"], row["progress"]) == ("mineru_parsing", 60)
    assert good(api.get(f"{HERE}/health"), "health")["status"] == "degraded"


def test_a_stalled_task_says_so(api, project):
    (task,) = held(project)
    ETLTask.objects.filter(pk=task.pk).update(lease_until=seconds_from_now(-1))
    assert good(api.get(f"{HERE}/tasks/{task.pk}"), "detail")["stalled"] is True


def test_one_task_over_its_life(api, project, rule):
    task = good(send(api, project, ruleId=rule.pk), status=202)
    path = f"{HERE}/tasks/{task['taskId']}"
    worked(task["taskId"])
    body = good(api.get(path), "detail")
    assert (body["status"], body["progress"], body["error"]) == ("completed", 100, None)
    assert [(each["step"], each["outcome"]) for each in body["steps"]] == [("parse", "done"), ("transform", "done")]
    assert body["generator"] | {"kind": "rules", "isLlm": False} == body["generator"]
    assert "Rule-based" in body["generator"]["label"]
    assert (body["text"]["parser"], body["text"]["credit"]) == ("local (csv)", "")
    assert set(body["result"]) >= {
        "output",
        "output_path",
        "output_size",
        "processing_time",
        "mineru_task_id",
        "parser",
    }
    problem(api.post(f"{path}/retry", {}), 409, "nothing-to-retry")
    problem(api.post(f"{path}/cancel"), 409, "run-finished")
    again = api.post(f"{path}/retry", {"fromStage": "parse"})
    assert good(again, "row", 202)["status"] == "pending"
    assert again["Location"] == path
    problem(api.post(f"{path}/retry", {"from_stage": "transform"}), 409, "already-running")
    assert good(api.post(f"{path}/cancel"), "row")["status"] == "cancelled"
    for wrong in ({"fromStage": "upload"}, {"fromStage": 1}, {"stage": "parse"}, []):
        assert api.post(f"{path}/retry", wrong).status_code == 400


def test_a_failed_task_says_where_and_why_in_the_readers_language(api, project):
    task = documents.task(project, status="failed")
    ETLTask.objects.filter(pk=task.pk).update(error_stage="parse", error_text="page 2")
    body = good(api.get(f"{HERE}/tasks/{task.pk}"))
    assert (body["errorCode"], body["errorStage"], body["errorDetail"]) == ("no-text", "parse", "page 2")
    assert body["error"] == "The document has no text"
    assert good(api.get(f"{HERE}/tasks/{task.pk}", headers={"Accept-Language": "zh-hans"}))["error"] != body["error"]


# --- taking -----------------------------------------------------------------------------------------


def test_a_result_keeps_every_digit_and_key(api, project):
    task = documents.task(project, documents.EXACT)
    answer = api.get(f"{HERE}/tasks/{task.pk}/result")
    good(answer, "result")
    for exact in ('"price":1.10', '"big":12345678901234567890123', '"键~/":"值"'):
        assert exact in answer.content.decode()
    problem(api.get(f"{HERE}/tasks/{documents.task(project, status='failed').pk}/result"), 409, "task-not-completed")


def test_a_result_says_who_made_it_and_who_read_it(api, project, rule):
    pk = good(send(api, project, ruleId=rule.pk), status=202)["taskId"]
    task = worked(pk)
    task.steps.filter(step="parse").update(output={**task.steps.get(step="parse").output, "parser": "mineru 4.0",
                                                   "notes": [{"what": "pictures", "count": 2}]})  # fmt: skip
    body = good(api.get(f"{HERE}/tasks/{pk}/result", headers={"Accept-Language": "zh-hans"}), "result")
    assert body["generator"]["label"] == "规则生成·未使用大模型"
    assert "MinerU" in body["text"]["credit"]
    assert "2" in body["text"]["notes"][0]
    assert "Pictures" not in body["text"]["notes"][0]


def test_the_text_comes_as_a_file_or_as_json(api, project):
    pk = good(send(api, project), status=202)["taskId"]
    ETLTask.objects.filter(pk=pk).update(filename='a"\r\nX-Evil: 1.csv')
    path = f"{HERE}/tasks/{pk}/markdown"
    problem(api.get(path), 409, "no-text-yet")
    worked(pk)
    for accept in ("text/markdown", "*/*", "text/*"):
        answer = api.get(path, headers={"Accept": accept})
        assert answer["Content-Type"] == "text/markdown; charset=utf-8"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Disposition"].startswith("attachment")
        assert "X-Evil" not in answer
        assert "| 杯子 | 1.10 |" in answer.content.decode()
    body = good(api.get(path, headers={"Accept": "application/json"}), "markdown")
    assert body["markdown"] == answer.content.decode()
    problem(api.get(path, headers={"Accept": "image/png"}), 406, "not-acceptable")


@pytest.mark.parametrize("name", ["价格.csv", 'a";b.csv', "x\u202egpj.csv", "a%0d%0ab.csv", "..csv", "a/../../b.csv"])
def test_a_file_comes_back_byte_for_byte_and_never_to_be_shown(api, project, name):
    pk = good(send(api, project), status=202)["taskId"]
    ETLTask.objects.filter(pk=pk).update(filename=name)
    answer = api.get(f"{HERE}/tasks/{pk}/file")
    assert b"".join(answer.streaming_content) == CSV
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Disposition"].isascii()
    assert AuditEvent.objects.filter(action="document.downloaded").count() == 1


def test_a_file_that_is_gone_is_told(api, project):
    task = documents.task(project)
    problem(api.get(f"{HERE}/tasks/{task.pk}/file"), 404, "file-lost")


# --- whose ------------------------------------------------------------------------------------------


def test_another_users_task_is_404_everywhere(api, client_of, project, rule, table, administrator):
    pk = good(send(api, project, ruleId=rule.pk), status=202)["taskId"]
    worked(pk)
    other = make_user("other", role="operator")
    spy, own = client_of(other), documents.project(other)
    for method, path, body in (
        ("get", "", None), ("get", "/markdown", None), ("get", "/result", None), ("get", "/file", None),
        ("post", "/retry", {"fromStage": "parse"}), ("post", "/cancel", None),
        ("post", "/mount", {"tableId": table.pk, "jsonPath": ""}),
    ):  # fmt: skip
        problem(getattr(spy, method)(f"{HERE}/tasks/{pk}{path}", body), 404, "not-found")
    assert good(spy.get(f"{HERE}/tasks"))["total"] == 0
    assert good(spy.get(f"{HERE}/tasks?projectId={project.pk}"))["tasks"] == []
    assert good(spy.get(f"{HERE}/tasks/batch?ids={pk}"))["tasks"] == []
    problem(send(spy, project), 404, "project-not-found")
    problem(send(spy, own, ruleId=rule.pk), 404, "rule-not-found")
    problem(send(spy, own, tableId=table.pk), 404, "table-not-found")
    assert ETLTask.objects.count() == 1
    assert good(client_of(administrator).get(f"{HERE}/tasks/{pk}"))["taskId"] == pk


def test_mounts_into_tables_of_others_are_not_told(api, client_of, project, task):
    member = make_user("member", role="operator")
    project.members.add(member)
    secret = documents.table(documents.project(project.owner, name="Secret"))
    TableMount.objects.create(task=task, table=secret, pointer="", key="k", value_sha256="0" * 64, table_version=1)
    assert len(good(api.get(f"{HERE}/tasks/{task.pk}"))["mounts"]) == 1
    assert good(client_of(member).get(f"{HERE}/tasks/{task.pk}"))["mounts"] == []


def test_protected_fields_cannot_be_set(api, project, rule):
    for field in ETLTask._meta.fields:
        if field.name not in ("project", "rule", "file"):
            assert send(api, project, **{field.name: "1"}).status_code == 400, field.name


# --- health -----------------------------------------------------------------------------------------


def test_health_counts_what_waits_and_who_works(api, project, settings):
    documents.task(project, status="pending")
    documents.task(project)
    assert good(api.get(f"{HERE}/health"), "health") == {
        "status": "degraded", "queueSize": 1, "taskCount": 2, "workerCount": 0
    }  # fmt: skip
    for name in ("a@here", "b@here", "a@here"):
        note_sign_of_life(name, ["etl", "default"])
    assert good(api.get(f"{HERE}/health"))["workerCount"] == 2
    assert good(api.get(f"{HERE}/health"))["status"] == "healthy"
    settings.ETL_MAX_PENDING = 1
    assert good(api.get(f"{HERE}/health"))["status"] == "degraded"
