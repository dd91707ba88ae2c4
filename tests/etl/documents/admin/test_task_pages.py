"""Operators watch documents, look at what came of them, have them tried again and cancel them."""

import json
import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import documents
from access.models import AuditEvent
from api.shared_cache import server
from conftest import make_user
from etl.documents import hot, processing, services, storage, texts
from etl.documents.choices import DocumentError, Stage
from etl.documents.parsed import Unreadable
from etl.models import DocumentStep, ETLTask, TableMount
from llm.models import LLMCall

pytestmark = pytest.mark.django_db(transaction=True)

TASKS = "/admin/etl/etltask/"
HOSTILE = "<script>alert(1)</script>"


def page_of(task):
    return f"{TASKS}{task.pk}/change/"


def body(answer):
    return answer.content.decode()


def held(task, *, token=7):
    """As a worker has it."""
    now = timezone.now()
    ETLTask.objects.filter(pk=task.pk).update(
        status="mineru_parsing", lease_token=token, lease_until=now + timezone.timedelta(minutes=5), started_at=now
    )
    task.refresh_from_db()
    return task


@pytest.fixture
def other(db) -> User:
    """An operator who is no member of anything."""
    return make_user("other", role="operator")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_list_opens_empty_and_says_what_to_do(language, operator, desk_of):
    answer = desk_of(operator).get(TASKS, headers={"accept-language": language})
    assert answer.status_code == 200
    assert 'class="empty"' in body(answer)
    assert "/admin/etl/upload/" in body(answer)


def test_the_list_shows_what_the_user_may_see_and_nothing_else(operator, other, administrator, desk_of, project):
    task = documents.task(project, filename="mine.pdf")
    assert "mine.pdf" in body(desk_of(operator).get(TASKS))
    assert "mine.pdf" not in body(desk_of(other).get(TASKS))
    assert "mine.pdf" in body(desk_of(administrator).get(TASKS))
    for address in ("change/", "history/", "mount/", "files/original"):
        assert desk_of(other).get(f"{TASKS}{task.pk}/{address}").status_code == 404
    for deed in ("retry_reading", "cancel_run"):
        assert desk_of(other).post(f"{TASKS}{task.pk}/do/{deed}/", {"confirmed": "1"}).status_code == 404


def test_a_member_without_the_right_to_run_only_looks(viewer, desk_of, project, queued):
    project.members.add(viewer)
    task = queued()
    desk = desk_of(viewer)
    assert "价格.csv" in body(desk.get(TASKS))
    page = body(desk.get(page_of(task)))
    assert "do/cancel_run" not in page
    assert desk.post(f"{TASKS}{task.pk}/do/cancel_run/", {"confirmed": "1"}).status_code == 403
    assert desk.get("/admin/etl/upload/").status_code == 403
    task = documents.task(project)
    assert desk.get(f"{TASKS}{task.pk}/mount/").status_code == 403


def test_a_stranger_sees_no_list(stranger, desk_of):
    assert desk_of(stranger).get(TASKS).status_code == 403


def test_what_workers_say_is_shown_by_one_look_into_redis(operator, desk_of, queued, monkeypatch):
    for number in range(3):
        task = held(queued(name=f"{number}.csv"), token=number + 1)
        hot.Teller(task.pk, number + 1).tell(Stage.TRANSFORM, 70 + number, 3, 12)
    asked, mget = [], server().mget
    monkeypatch.setattr(server(), "mget", lambda keys: asked.append(keys) or mget(keys))
    page = body(desk_of(operator).get(TASKS))
    assert page.count("Shaping the text") >= 3
    assert "Shaping · 3 / 12" in page
    assert [len(keys) for keys in asked] == [3]


def test_either_status_in_between_finds_all_that_are_at_work(operator, desk_of, queued, project):
    held(queued(name="at-work.csv"))
    documents.task(project, filename="done.pdf")
    for status in ("mineru_parsing", "llm_processing"):
        page = body(desk_of(operator).get(f"{TASKS}?status={status}"))
        assert "at-work.csv" in page
        assert "done.pdf" not in page


def test_each_filter_and_the_search_find_their_tasks(operator, viewer, desk_of, project, table):
    failed = documents.task(project, filename="failed.pdf", status="failed", by=viewer)
    ETLTask.objects.filter(pk=failed.pk).update(error_stage="parse")
    mounted = documents.task(project, filename="mounted.pdf")
    second = documents.project(operator, name="Second")
    documents.task(second, filename="elsewhere.pdf")
    TableMount.objects.create(
        task=mounted, table=table, pointer="", key="k", value_sha256="0" * 64, table_version=1, mounted_by=operator
    )
    found = {
        "failed_at=parse": ["failed.pdf"],
        f"project={second.pk}": ["elsewhere.pdf"],
        f"owner={viewer.pk}": ["failed.pdf"],
        "mounted=yes": ["mounted.pdf"],
        "mounted=no": ["elsewhere.pdf", "failed.pdf"],
        "status=failed": ["failed.pdf"],
        "q=ounte": ["mounted.pdf"],
    }
    desk = desk_of(operator)
    for query, names in found.items():
        rows = desk.get(f"{TASKS}?{query}").context["cl"].result_list
        assert sorted(task.filename for task in rows) == names, query


def test_the_list_costs_the_same_for_many_tasks(operator, desk_of, project):
    for _ in range(3):
        documents.task(project)
    desk = desk_of(operator)
    desk.get(TASKS)
    with CaptureQueriesContext(connection) as few:
        desk.get(TASKS)
    counting = 2  # what more than a page costs: how many there are
    row = {"project": project, "media": "pdf", "file": "1/source", "sha256": "0" * 64, "size": 1}
    ETLTask.objects.bulk_create(ETLTask(filename=f"{n}.pdf", requested_by=operator, **row) for n in range(300))
    with CaptureQueriesContext(connection) as many:
        desk.get(TASKS)
    assert len(many) == len(few) + counting
    assert not any('"etl_task"."result"' in query["sql"] for query in many)


def test_the_page_shows_the_text_beside_the_json(operator, desk_of, worked, rule):
    task = worked(rule_id=rule.pk)
    page = body(desk_of(operator).get(page_of(task)))
    assert "<td>杯子</td>" in page
    assert '<span class="json-key">name</span> <span class="json-text">杯子</span>' in page
    assert "Rule-based, no language model" in page
    assert page.count('class="step-done"') == 4
    assert "Nothing was found in the document for these fields" in page
    assert "supplier" in page
    assert "style=" not in page.partition("<main")[2].partition("</main")[0]


@pytest.mark.parametrize(("language", "said"), [("en", "Read as gb18030"), ("zh-hans", "按 gb18030 编码读取")])
def test_what_is_to_be_known_of_a_text_is_said_in_the_language_of_the_reader(language, said, operator, desk_of, worked):
    task = worked("a,b\n1,2\n")
    step = task.steps.get(step="parse")
    step.output |= {"notes": [{"what": "encoding", "encoding": "gb18030"}, {"what": "<script>"}]}
    step.save()
    page = body(desk_of(operator).get(page_of(task), headers={"accept-language": language}))
    assert said in page
    assert "<li>&lt;script&gt;</li>" in page


def test_a_text_read_by_mineru_says_so(operator, desk_of, worked):
    task = worked()
    assert "Parsed by MinerU" not in body(desk_of(operator).get(page_of(task)))
    step = task.steps.get(step="parse")
    step.output |= {"parser": "mineru 3.1"}
    step.save()
    assert "Parsed by MinerU" in body(desk_of(operator).get(page_of(task)))


def test_files_are_downloads_and_never_pages(operator, desk_of, worked):
    task = worked(f"<html><body><p>Hello</p>{HOSTILE}</body></html>", "page.html")
    desk = desk_of(operator)
    for name, begins in (("original", b"<html>"), ("text", b""), ("result", b'{"filename"')):
        answer = desk.get(f"{TASKS}{task.pk}/files/{name}")
        assert answer.status_code == 200
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "html" not in answer["Content-Type"]
        assert b"".join(answer.streaming_content).startswith(begins)
    assert desk.get(f"{TASKS}{task.pk}/files/else").status_code == 404


def test_a_lost_file_is_not_found_and_the_page_opens_all_the_same(operator, desk_of, worked):
    task = worked()
    storage.path_of(task.file).unlink()
    storage.path_of(texts.text_of(task).key).unlink()
    desk = desk_of(operator)
    assert desk.get(f"{TASKS}{task.pk}/files/original").status_code == 404
    assert desk.get(page_of(task)).status_code == 200


def test_what_a_document_says_is_escaped_wherever_it_is_shown(operator, desk_of, worked, table):
    text = f"# {HOSTILE}\n\n{HOSTILE}\n\n[x](javascript:alert(1)) ![p](http://example.invalid/p.png)\n"
    task = worked(text, f"{HOSTILE.replace('/', '-')}.md")
    ETLTask.objects.filter(pk=task.pk).update(
        filename=f"{HOSTILE}.md",
        result={
            "output": {HOSTILE: HOSTILE, "list": [HOSTILE, {HOSTILE: 1}]},
            "output_path": task.result["output_path"],
            "generator": {"kind": "llm", "name": HOSTILE, "model": HOSTILE},
            "unresolved": [HOSTILE],
            "notes": [],
        },
        error="schema-mismatch", error_text=HOSTILE, error_stage="mount",
    )  # fmt: skip
    DocumentStep.objects.filter(run=task, step="parse").update(
        output=task.steps.get(step="parse").output | {"parser": f"mineru {HOSTILE}"}
    )
    desk = desk_of(operator)
    for address in (TASKS, page_of(task), f"{TASKS}{task.pk}/mount/", f"{TASKS}{task.pk}/mount/?table={table.pk}"):
        page = body(desk.get(address))
        assert "alert(1)" in page
        assert HOSTILE not in page
        assert "javascript:alert" not in page.replace("(javascript:alert(1))", "")
        assert "example.invalid" not in page


def test_a_failed_task_says_where_why_and_what_to_do(operator, desk_of, queued, monkeypatch):
    class Reader:
        def parse(self, *_args, **_facts):
            raise Unreadable(DocumentError.ENCRYPTED, "page 1")

    monkeypatch.setattr(processing, "configured_parser", Reader)
    task = queued()
    processing.run_document(task.pk)
    page = body(desk_of(operator).get(page_of(task)))
    assert "protected by a password" in page
    assert "Save it without a password" in page
    assert 'class="step-failed"' in page
    assert "do/retry/" in page
    assert "do/retry_shaping/" not in page


def test_a_retry_begins_where_it_is_told_and_shows_what_was_used_again(operator, desk_of, worked):
    task = worked()
    desk = desk_of(operator)
    assert "do/retry/" not in body(desk.get(page_of(task)))
    desk.post(f"{TASKS}{task.pk}/do/retry_shaping/", {"confirmed": "1"})
    task.refresh_from_db()
    assert (task.status, task.retries) == ("pending", 1)
    processing.run_document(task.pk)
    page = body(desk.get(page_of(task)))
    assert 'class="step-reused"' in page
    assert "Every retry" in page
    desk.post(f"{TASKS}{task.pk}/do/retry_reading/", {"confirmed": "1"})
    processing.run_document(task.pk)
    assert DocumentStep.objects.get(run=task, retry=2, step="parse").outcome == "done"
    assert AuditEvent.objects.filter(action="document.retried", actor_name="operator").count() == 2


def test_a_refused_retry_is_told(operator, desk_of, worked, rule):
    task = worked(rule_id=rule.pk)
    rule.delete()
    answer = desk_of(operator).post(f"{TASKS}{task.pk}/do/retry_reading/", {"confirmed": "1"}, follow=True)
    assert "The rule of this task was deleted." in body(answer)


def test_an_open_task_is_live_and_can_be_cancelled(operator, desk_of, queued):
    task = held(queued())
    hot.Teller(task.pk, 7).tell(Stage.PARSE, 30, 4, 9)
    desk = desk_of(operator)
    page = body(desk.get(page_of(task)))
    assert f'data-live="/api/v1/etl/tasks/{task.pk}"' in page
    assert page.count('data-live-badge="stepper:') == 3
    assert '<span data-live-field="page">4</span>' in page
    desk.post(f"{TASKS}{task.pk}/do/cancel_run/", {"confirmed": "1"})
    task.refresh_from_db()
    assert task.status == "cancelled"


def test_all_of_a_filter_are_tried_again_or_cancelled_at_once(operator, desk_of, queued, project, worked):
    waiting = [queued(name=f"{n}.csv") for n in range(3)]
    completed = documents.task(project)
    desk = desk_of(operator)

    def press(deed, query=""):
        asked = desk.post(f"{TASKS}{query}", {"action": deed, "select_across": "1", "_selected_action": waiting[0].pk})
        fields = asked.context
        form = {"count": fields["seen"].count, "fingerprint": fields["seen"].fingerprint, "once": fields["once"]}
        return desk.post(fields["address"], form, follow=True)

    assert "Cancel: 3 rows." in body(press("cancel_all"))
    assert set(ETLTask.objects.exclude(pk=completed.pk).values_list("status", flat=True)) == {"cancelled"}
    assert "Retry: 3 rows." in body(press("retry_all", "?status=cancelled"))
    assert ETLTask.objects.filter(status="pending", retries=1).count() == 3
    completed.refresh_from_db()
    assert completed.status == "completed"


def test_calls_of_a_model_are_told_and_linked(operator, desk_of, worked):
    task = worked()
    assert ": asked" not in body(desk_of(operator).get(page_of(task)))
    LLMCall.objects.create(
        provider="openai", model="big-model", host="h", purpose="document", prompt_version=1, prompt_hash="0" * 64,
        run_kind="etl.etltask", run_id=str(task.pk), run_attempt=1, outcome="ok", tokens_in=100, tokens_out=23,
        seconds=1,
    )  # fmt: skip
    page = body(desk_of(operator).get(page_of(task)))
    assert "big-model: asked 1 time, 123 tokens" in page
    address = f"/admin/llm/llmcall/?run_kind__exact=etl.etltask&run_id__exact={task.pk}"
    assert address.replace("&", "&amp;") in page
    assert len(desk_of(operator).get(address).context["cl"].result_list) == 1


def test_a_very_long_output_is_cut_with_a_word(operator, desk_of, project, folder):
    task = documents.task(project, json.dumps({"rows": list(range(5000))}))
    page = body(desk_of(operator).get(page_of(task)))
    assert "This is not all of it" in page
    assert page.count('class="json-value"') < 2100
    ETLTask.objects.filter(pk=task.pk).update(result={"output": {"a": 1}, "output_size": 10**9})
    assert "too long to be drawn" in body(desk_of(operator).get(page_of(task)))


def whole_columns(asked):
    """Statements that read all of a long JSON column."""
    long = re.compile(r'"(etl_task"\."result|table"\."data|table_mount"\."previous)"(?! -[ >])')
    return [query["sql"] for query in asked if long.search(query["sql"].partition("WHERE")[0])]


def test_no_page_reads_more_of_a_result_or_a_table_than_it_shows(operator, desk_of, worked, table):
    task, desk = worked(table_id=table.pk, pointer=""), desk_of(operator)
    mount = TableMount.objects.get(task=task)
    addresses = [
        TASKS, page_of(task), f"{TASKS}{task.pk}/mount/", f"{TASKS}{task.pk}/mount/?table={table.pk}&pointer=",
        *(f"{TASKS}{task.pk}/files/{name}" for name in ("original", "text", "result")),
        "/admin/etl/tablemount/", "/admin/", f"/admin/etl/project/{task.project_id}/change/",
    ]  # fmt: skip
    for address in addresses:
        with CaptureQueriesContext(connection) as asked:
            assert desk.get(address).status_code == 200
        assert whole_columns(asked) == [], address
    with CaptureQueriesContext(connection) as asked:
        assert desk.get(f"/admin/etl/tablemount/{mount.pk}/change/").status_code == 200
    assert not [query for query in whole_columns(asked) if '"table"."data"' in query]
    ETLTask.objects.filter(pk=task.pk).update(result=task.result | {"output_size": 10**9})
    with CaptureQueriesContext(connection) as asked:
        assert "too long to be drawn" in body(desk.get(page_of(task)))
    assert not [query for query in asked if "-> 'output'" in query["sql"]]


def test_a_text_that_is_read_anew_is_not_shown_as_the_tasks(operator, desk_of, worked):
    task, desk = worked("Old words.", "a.txt"), desk_of(operator)
    assert "Old words." in body(desk.get(page_of(task)))
    services.retry_document(task, from_stage=Stage.PARSE, actor=operator)
    assert texts.text_of(task) is None
    page = body(desk.get(page_of(task)))
    assert f"{TASKS}{task.pk}/files/text" not in page
    assert desk.get(f"{TASKS}{task.pk}/files/text").status_code == 404
