"""Documents from the command line, and their recovery after a crash."""

import json
import threading

import pytest
from django.db import connection

import documents
from etl.documents import processing
from etl.documents.models import ETLRule, ETLTask
from processes import Worker, manage_here, wait_until
from runs.querysets import seconds_from_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def house(settings, tmp_path, operator):
    settings.DOCUMENTS_DIR = tmp_path / "kept"
    return documents.project(operator)


@pytest.fixture
def paper(tmp_path):
    path = tmp_path / "价格.csv"
    path.write_bytes("名称,单价\n杯子,1.10\n".encode())
    return path


def worked_beside(*_arguments):
    """Does what a worker would, on a connection of its own, as soon as there is something."""

    def work():
        try:
            wait_until(lambda: ETLTask.objects.exists())
            for pk in ETLTask.objects.values_list("pk", flat=True):
                processing.run_document(pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_files_are_handed_in_in_the_name_of_the_owner(house, paper, operator):
    rule = ETLRule.objects.create(name="R", owner=operator, json_schema={"type": "object"}, mode="wrap")
    done = manage_here("etl_documents", str(paper), "--project", str(house.pk), "--rule", str(rule.pk), "--json")
    assert done.returncode == 0, done.stderr
    task = ETLTask.objects.get()
    assert json.loads(done.stdout)["tasks"][0] == {
        "taskId": task.pk, "filename": "价格.csv", "status": "pending", "error": None, "errorText": "",
        "errorStage": None, "result": None,
    }  # fmt: skip
    assert (task.requested_by, task.rule, task.project) == (operator, rule, house)


def test_it_waits_for_the_outcome_and_the_mount(house, paper):
    table = documents.table(house, '{"in": {}}')
    beside = worked_beside()
    done = manage_here("etl_documents", str(paper), "--project", str(house.pk), "--table", str(table.pk), "--at", "/in",
                       "--wait")  # fmt: skip
    beside.join()
    assert done.returncode == 0, done.stderr
    assert "Completed  价格.csv" in done.stdout
    assert "No worker serves" in done.stderr
    assert documents.at(table, "in", "价格", "filename") == '"价格.csv"'


def test_a_document_that_fails_is_the_exit_code(house, tmp_path, operator):
    rule = ETLRule.objects.create(name="R", owner=operator, json_schema={"type": "object", "required": ["x"]})
    (tmp_path / "a.txt").write_text("Nothing of it.")
    beside = worked_beside()
    done = manage_here("etl_documents", str(tmp_path / "a.txt"), "--project", str(house.pk), "--rule", str(rule.pk),
                       "--wait")  # fmt: skip
    beside.join()
    assert done.returncode == 1
    assert "does not fit the schema" in done.stdout
    assert "1 of 1" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing.csv", "--project", "{project}"], 2, "missing.csv"),
        (["{folder}", "--project", "{project}"], 2, "There is no file"),
        (["{paper}", "--project", "999999"], 2, "no project 999999"),
        (["{paper}", "--project", "x"], 2, "whole number"),
        (["{paper}"], 2, "--project"),
        (["{paper}", "--project", "{project}", "--rule", "999999"], 2, "no such rule"),
        (["{paper}", "--project", "{project}", "--table", "999999"], 2, "no such table"),
        (["{paper}", "--project", "{project}", "--at", "/x"], 2, "--table"),
        (["{paper}", "--project", "{project}", "--user", "nobody"], 2, "no user nobody"),
        (["{paper}", "--project", "{project}", "--user", "viewer"], 2, "no such project"),
        (["{evil}", "--project", "{project}"], 2, "evil.exe"),
    ],
)
def test_a_wrong_wish_is_one_clear_line(house, paper, tmp_path, viewer, arguments, code, said):
    (tmp_path / "evil.exe").write_bytes(b"MZ\0")
    facts = {"project": house.pk, "paper": paper, "folder": tmp_path, "evil": tmp_path / "evil.exe"}
    done = manage_here("etl_documents", *[each.format(**facts) for each in arguments])
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not ETLTask.objects.exists()


def test_a_full_queue_has_a_code_of_its_own(house, paper, settings):
    settings.ETL_MAX_PENDING = 0
    assert manage_here("etl_documents", str(paper), "--project", str(house.pk)).returncode == 3


def test_recover_queues_what_dead_workers_hold_and_rings_for_all(house, operator):
    waiting, dead, hopeless, alive = (documents.task(house, status="pending") for _task in range(4))
    for task in (dead, hopeless, alive):
        ETLTask.objects.claim(task.pk)
    ETLTask.objects.filter(pk__in=[dead.pk, hopeless.pk]).update(lease_until=seconds_from_now(-1))
    ETLTask.objects.filter(pk=hopeless.pk).update(attempt=5)
    ETLTask.objects.filter(pk=waiting.pk).update(dispatched_at=seconds_from_now(-1))  # too young for the reaper
    done = manage_here("etl_recover", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"failed": 1, "requeued": 1, "rung": 2, "due": 2})
    assert [ETLTask.objects.get(pk=each.pk).status for each in (waiting, dead, hopeless, alive)] == [
        "pending", "pending", "failed", "mineru_parsing"
    ]  # fmt: skip
    assert "rung for: 2 of 2" in manage_here("etl_recover").stdout


@pytest.mark.long
def test_a_worker_reads_what_the_command_hands_in(house, paper, settings):
    with Worker("etl", DOCUMENTS_DIR=str(settings.DOCUMENTS_DIR)):
        done = manage_here("etl_documents", str(paper), "--project", str(house.pk), "--wait", "--json")
    assert done.returncode == 0, done.stderr
    (task,) = json.loads(done.stdout)["tasks"]
    assert (task["status"], task["result"]["output"]["filename"]) == ("completed", "价格.csv")
