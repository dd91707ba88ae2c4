"""Documents that kill their readers, and servers that go away: an attempt each, and nobody else is harmed."""

import io
import json
import os
import signal
import time

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from pytest_httpserver import HTTPServer

from bench.measure import peak_rss
from conftest import make_user
from document_runs import Watched, assert_made_once_each, requested
from documents import project
from etl.documents.models import ETLTask
from faulting import FAST, Reaper, Recoveries, Victim, children_of, eventually, how_often
from invariants import assert_all_hold
from making_documents import bomb_pdf, compound, docx, encrypted_pdf, long_sheet, one_page, pdf_of, xlsx
from mineru_servers import GENERATIONS, TOKEN
from processes import python, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(900)]

MEGABYTE = 1_000_000
MOST_RSS = 300 * MEGABYTE
KILLS = how_often(short=1, ci=3, full=20)
POSTGRES_RESTARTS = how_often(short=1, ci=2, full=3)
TASKS = how_often(short=6, ci=20, full=60)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """Where all processes of a test find the files."""
    settings.DOCUMENTS_DIR = tmp_path
    return tmp_path


@pytest.fixture
def emptied_servers(own_servers):
    """Servers of one's own without the documents of the test before, whose files are gone."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE etl_task, project CASCADE")
    return own_servers


@pytest.fixture
def usual(folder):
    """What every worker of a test is told."""
    return FAST | {"DOCUMENTS_DIR": str(folder)}


def reader_of(worker):
    """The process in which this worker reads a document, if it is reading."""
    readers = [child for pool in worker.children for child in children_of(pool)]
    return readers[0] if readers else None


@pytest.mark.long
def test_a_reader_killed_costs_an_attempt_and_the_worker_lives(reaper, usual):
    slow = requested(files=[("long.xlsx", long_sheet(20_000))])
    with Victim("etl", **usual) as worker:
        for _ in range(KILLS):
            reader = wait_until(lambda: reader_of(worker), what="the reader")
            os.kill(reader, signal.SIGKILL)
            eventually(lambda: slow.row.status == "pending", what="the task to be given back")
            task = slow.row
            assert (task.error, task.error_text, task.error_stage) == ("parser-died", "signal SIGKILL", "parse")
            ETLTask.objects.filter(pk=task.pk).update(attempt=1)  # beyond the cap is another test
            slow.hurry()
        slow.end()
        assert worker.process.poll() is None
    assert_made_once_each(slow)
    assert_all_hold()


def hostile_files():
    """Those that are let in, for they are what they seem; reading them is too much for one process."""
    return [
        ("bomb.pdf", bomb_pdf()),
        ("sheet.xlsx", long_sheet(49_000)),
        # as long as a text may be: wide in memory, twice as long as JSON
        ("wide.txt", ("😀" + "a line of text\n" * 660_000).encode()),
        ("quoted.txt", b'say "no" \\ "yes"\n' * 520_000),
        ("longer.txt", b"one line more than that\n" * 440_000),
    ]


def test_hostile_files_fail_at_their_cap_while_their_neighbours_are_done_and_the_worker_stays_small(reaper, usual):
    user = make_user("operator", role="operator")
    of = project(user)
    hostile = requested(files=hostile_files(), user=user, project=of)
    ETLTask.objects.update(max_attempts=2)
    neighbours = requested(*range(TASKS), user=user, project=of)
    usual |= {"ETL_PARSER_MEMORY_BYTES": str(400 * MEGABYTE)}
    peaks = {}
    with Victim("etl", **usual) as worker:

        def all_ended():
            for pid in [worker.process.pid, *worker.children]:
                peaks[pid] = max(peaks.get(pid, 0), peak_rss(pid))
            hostile.hurry()
            return hostile.done == len(hostile.pks)

        eventually(all_ended, timeout=300, what="the end of the hostile")
        neighbours.end(120)
        assert worker.process.poll() is None
        assert len(peaks) == 2, "the pool lost no process"
    outcomes = {task.filename: (task.status, task.error, task.error_stage, task.attempt) for task in hostile.rows}
    print(f"hostile: {outcomes}; at most {max(peaks.values()) / MEGABYTE:.0f} MB of a worker's process")
    assert outcomes["bomb.pdf"] == ("failed", "parser-died", "parse", 2)
    assert outcomes["longer.txt"][:3] == ("failed", "text-too-long", "parse")
    assert {outcomes[name][0] for name in ("sheet.xlsx", "wide.txt", "quoted.txt")} == {"completed"}
    assert_made_once_each(neighbours)
    assert max(peaks.values()) < MOST_RSS
    assert_all_hold()


ENTITY = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
BOUNDARY = "multipart/form-data; boundary=b"


class Blanks(io.RawIOBase):
    """The body of an upload of so many blanks, made while it is read."""

    def __init__(self, project, size):
        form = f'--b\r\nContent-Disposition: form-data; name="projectId"\r\n\r\n{project.pk}\r\n'
        file = '--b\r\nContent-Disposition: form-data; name="file"; filename="long.txt"\r\n\r\n'
        self._parts = [io.BytesIO((form + file).encode()), size, io.BytesIO(b"\r\n--b--\r\n")]
        self.length = len((form + file).encode()) + size + len(b"\r\n--b--\r\n")
        self.taken = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        content = self._parts[0].read(len(buffer))
        if not content:
            content = b" " * min(len(buffer), self._parts[1])
            self._parts[1] -= len(content)
        content = content or self._parts[2].read(len(buffer))
        buffer[: len(content)] = content
        self.taken += len(content)
        return len(content)


def hostile_at_the_door():
    """What is refused while it comes in: name, content, status and reason."""
    return [
        ("bomb.docx", docx(**{"word/media/a.bmp": bytes(50_000_000)}), 422, "unsafe-archive"),
        ("slip.docx", docx(**{"../../etc/cron.d/x": "x"}), 422, "unsafe-archive"),
        ("entities.docx", docx(document=ENTITY + "<x/>"), 422, "unsafe-xml"),
        ("page.pdf", b"<html><script>alert(1)</script></html>", 415, "wrong-extension"),
        ("locked.pdf", encrypted_pdf(), 422, "encrypted"),
        ("locked.xlsx", compound("EncryptedPackage"), 422, "encrypted"),
        ("cut.pdf", pdf_of(one_page())[:-60], 422, "damaged-file"),
        ("cut.xlsx", xlsx()[:-30], 422, "damaged-file"),
        ("program.exe", b"MZ\x90\0", 415, "unknown-file-type"),
        ("macros.xlsm", xlsx(), 422, "has-macros"),
    ]


@pytest.mark.long
def test_through_the_api_hostile_files_are_refused_or_fail_with_their_reason_and_a_neighbour_is_done(
    reaper, usual, folder, client_of
):
    user = make_user("operator", role="operator")
    of, api = project(user), client_of(user)

    def send(name, content):
        began = time.monotonic()
        file = SimpleUploadedFile(name, content)
        answer = api.post("/api/v1/etl/tasks", {"projectId": of.pk, "file": [file]}, format="multipart")
        return answer, time.monotonic() - began

    def sent(name, content):
        answer, _seconds = send(name, content)
        assert answer.status_code == 202, answer.content
        return answer.json()["taskId"]

    for name, content, status, slug in hostile_at_the_door():
        answer, seconds = send(name, content)
        print(f"{name}: {answer.status_code} {slug} after {seconds:.2f} s")
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}"), name
        assert name in answer.json()["detail"]
    began, blanks = time.monotonic(), Blanks(of, 300 * MEGABYTE)
    answer = api.generic(
        "POST", "/api/v1/etl/tasks", b"", BOUNDARY,
        **{"wsgi.input": io.BufferedReader(blanks), "CONTENT_LENGTH": str(blanks.length), "CONTENT_TYPE": BOUNDARY},
    )  # fmt: skip
    print(f"300 MB: {answer.status_code} after {time.monotonic() - began:.2f} s and {blanks.taken / MEGABYTE:.0f} MB")
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/file-too-large")
    assert blanks.taken < 101 * MEGABYTE
    assert not ETLTask.objects.exists()
    assert [path for path in folder.rglob("*") if path.is_file()] == []

    hostile = Watched([sent("bomb.pdf", bomb_pdf()), sent("sheet.xlsx", long_sheet(100_000))])
    ETLTask.objects.update(max_attempts=2)
    neighbour = Watched([sent("words.txt", b"Hello.\n")])
    peak = 0
    with Victim("etl", **usual) as worker:

        def all_ended():
            nonlocal peak
            peak = max([peak, *(peak_rss(pid) for pid in [worker.process.pid, *worker.children])])
            hostile.hurry()
            return hostile.done == 2 and neighbour.done == 1

        eventually(all_ended, timeout=300, what="the end of all")
        bomb, sheet = hostile.rows
        for task in (bomb, sheet, neighbour.row):
            print(f"{task.filename}: {task.status} {task.error}, {task.finished_at - task.created_at} after its upload")
        print(f"at most {peak / MEGABYTE:.0f} MB of a worker's process")
        assert worker.process.poll() is None
    assert (bomb.status, bomb.error, bomb.error_stage) == ("failed", "parser-died", "parse")
    assert (sheet.status, sheet.error, sheet.error_stage) == ("failed", "too-many-rows", "parse")
    told = api.get(f"/api/v1/etl/tasks/{sheet.pk}").json()
    assert (told["error"], told["errorDetail"]) == ("A sheet has too many rows", "One: at most 50000")
    assert_made_once_each(neighbour)
    assert peak < MOST_RSS
    assert_all_hold()


@pytest.mark.long
def test_postgresql_stopped_at_once_and_restarted_loses_and_doubles_nothing(emptied_servers, usual):
    tasks = requested(*range(TASKS))
    recoveries = Recoveries("PostgreSQL -m immediate and restart under documents")
    with Reaper(), Victim("etl", **usual) as worker:
        tasks.move_on()
        for restart in range(POSTGRES_RESTARTS):
            emptied_servers.restart_postgres()
            with recoveries.timed():
                tasks.move_on()
            tasks.reach((restart + 1) * TASKS // (POSTGRES_RESTARTS + 1))
        tasks.end()
        assert worker.process.poll() is None, "the worker lives on"
    recoveries.report()
    assert_made_once_each(tasks)
    assert_all_hold()


ASKED = """
import json
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.contrib.auth.models import User
client = Client(SERVER_NAME="localhost", raise_request_exception=False)
client.force_login(User.objects.get(pk={user}))
files = [SimpleUploadedFile(f"{{number}}.txt", b"Hello.") for number in range({files})]
answers = [client.post("/api/v1/etl/tasks", {{"projectId": {project}, "file": files}})]
answers += [client.get(f"/api/v1/etl/{{path}}") for path in ("tasks", "health", "projects", "tables", "rules")]
answers += [client.get(f"/api/v1/etl/tasks/{{each['taskId']}}") for each in answers[0].json().get("tasks", [])]
print(json.dumps([answer.status_code for answer in answers]))
"""


@pytest.mark.long
def test_uploads_while_the_broker_is_down_are_accepted_shown_and_done_later(emptied_servers, usual, folder):
    recoveries = Recoveries("broker back")
    user = make_user("operator", role="operator")
    code = ASKED.format(user=user.pk, project=project(user).pk, files=3)
    emptied_servers.kill_valkey()
    try:
        began = time.monotonic()
        asked = python(code, DOCUMENTS_DIR=str(folder), DEBUG="1", **FAST)
        assert asked.returncode == 0, asked.stderr
        print(f"uploaded and looked at without a broker within {time.monotonic() - began:.1f} s")
        assert json.loads(asked.stdout.splitlines()[-1]) == [202] + [200] * 8
        tasks = Watched(ETLTask.objects.values_list("pk", flat=True))
        assert {(task.status, task.dispatched_at) for task in tasks.rows} == {("pending", None)}
        assert len(tasks.pks) == 3
    finally:
        emptied_servers.start_valkey()
    with recoveries.timed(), Reaper(), Victim("etl", **usual):
        tasks.end(120)
    recoveries.report()
    assert_made_once_each(tasks)
    assert_all_hold()


@pytest.mark.long
def test_a_broker_killed_under_documents_loses_none(emptied_servers, usual):
    tasks = requested(*range(TASKS))
    with Reaper(), Victim("etl", **usual) as worker:
        tasks.move_on()
        emptied_servers.kill_valkey()
        worker.kill_child()  # so that the messages are needed again
        emptied_servers.start_valkey()
        tasks.end()
    assert_made_once_each(tasks)
    assert_all_hold()


@pytest.mark.long
@pytest.mark.parametrize(
    "generation", ["3", pytest.param("4", marks=pytest.mark.long), pytest.param("hosted", marks=pytest.mark.long)]
)
def test_a_worker_killed_while_a_server_reads_leads_to_one_submission(reaper, usual, generation):
    with HTTPServer(host="127.0.0.1", threaded=True) as http:
        server = GENERATIONS[generation](http)
        server.course = [server.waits] * 10_000
        usual |= {
            "ETL_PARSER": "mineru", "ETL_MINERU_URL": server.url, "ETL_MINERU_POLL_SECONDS": "0.1",
            "ETL_MINERU_TOKEN": TOKEN if generation == "hosted" else "",
            "ETL_MINERU_CONTRACT": "hosted" if generation == "hosted" else "auto",
        }  # fmt: skip
        tasks = requested(3)
        with Victim("etl", **usual) as worker:
            for _ in range(KILLS):
                looks = len(server.events)
                wait_until(lambda looks=looks: len(server.events) > looks + 2, what="looks at the task there")
                worker.start_again(**usual)
            server.tasks = {name: iter([server.done] * 100) for name in server.tasks}
            tasks.end(120)
        server.over.set()
    assert len(server.submissions) == 1
    assert tasks.row.result["mineru_task_id"] == server.submissions[0][1]
    assert_made_once_each(tasks)
    assert_all_hold()
