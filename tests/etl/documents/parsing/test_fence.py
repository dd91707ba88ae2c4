"""The process in which documents are read: what it cannot do, and that its death is told from the document's faults."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from textwrap import indent

import pytest

from etl.documents.parsed import Unreadable
from etl.documents.parsing import fence
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.media import limits_of_this_house
from processes import ROOT, environment
from reading_documents import children, parse, resident_bytes, stored
from runs.errors import LeaseLost, Outage

MEGABYTE = 1_000_000
QUICK = Limits(memory_bytes=400 * MEGABYTE, cpu_seconds=1, seconds=30, text_bytes=MEGABYTE)
PROGRAM = """
import ctypes, os, socket, sys, time
from etl.documents.parsing import child
from etl.documents.parsing.refused import Refused, Why
libc = ctypes.CDLL(None, use_errno=True)
def work(request, limits, report):
    said = ""
{body}
    return {{"parser": "test", "pages": None, "notes": []}}, said
child.serve(work)
"""


filtered = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter of system calls is for x86-64")


def run(body, limits=QUICK, report=lambda read, of: None):
    """What the child says after doing this instead of reading; nothing is left of it afterwards."""
    before = children()
    program = ("-c", PROGRAM.format(body=indent(body, "    ")))
    try:
        return fence.read(ROOT / "manage.py", filename="a.txt", limits=limits, report=report, program=program).markdown
    finally:
        assert children() == before


def death_of(body, limits=QUICK):
    with pytest.raises(fence.ParserDied) as death:
        run(body, limits)
    assert isinstance(death.value, Outage)  # so the run is given back, and fails with this slug at the attempt cap
    assert death.value.slug == "parser-died"
    return str(death.value)


def tried(action):
    """A body that says which error the action met."""
    return f"try:\n    said = str({action})\nexcept OSError as error:\n    said = type(error).__name__\n"


# --- it dies --------------------------------------------------------------------------------------


def test_a_child_that_takes_memory_without_end_dies_and_ours_stays_flat():
    before = resident_bytes()
    assert death_of("kept = []\nwhile True:\n    kept.append(bytearray(10_000_000))") == "exit code 1"
    assert "SIG" in death_of(
        "libc.malloc.restype = ctypes.c_void_p\nwhile p := libc.malloc(10_000_000): pass\nos.abort()"
    )
    assert resident_bytes() - before < 20 * MEGABYTE


def test_a_child_that_works_for_ever_dies_of_its_cpu_time():
    assert death_of("while True: pass") in ("signal SIGXCPU", "signal SIGKILL")


def test_a_child_that_waits_for_ever_ends_with_the_time_limit():
    with pytest.raises(Unreadable) as refusal:
        run("time.sleep(600)", Limits(seconds=1))
    assert refusal.value.slug == "timed-out"


def test_a_child_that_crashes_or_just_leaves_has_died():
    assert death_of("os.abort()") == "signal SIGABRT"
    assert death_of("ctypes.string_at(1)") == "signal SIGSEGV"
    assert death_of("os._exit(0)") == "exit code 0"
    assert death_of("import no_such_library") == "exit code 1"


def test_a_child_that_is_killed_has_died():
    before = children()

    def kill(read, of):
        for child in set(children()) - set(before):
            os.kill(child, signal.SIGKILL)

    with pytest.raises(fence.ParserDied, match="SIGKILL"):
        run("time.sleep(600)", report=kill)


def test_a_document_that_a_library_stumbles_over_is_damaged_and_no_traceback_is_shown():
    with pytest.raises(Unreadable) as refusal:
        run("{}['missing']")
    assert (refusal.value.slug, refusal.value.text) == ("damaged-file", "KeyError")


# --- it says too much -----------------------------------------------------------------------------


def test_a_text_that_is_too_long_is_refused_and_a_flood_is_a_death():
    with pytest.raises(Unreadable) as refusal:
        run("said = 'x' * 1_000_001")
    assert refusal.value.slug == "text-too-long"
    before = resident_bytes()
    assert "no answer" in death_of("while True: os.write(3, b'x' * 65536)")  # its pipe to us
    assert "more than it may" in death_of("os.write(3, b'{\"bytes\": 900000000}\\n')\ntime.sleep(9)")
    assert resident_bytes() - before < 20 * MEGABYTE


def test_what_a_child_prints_and_complains_of_is_no_answer():
    body = "print('hello ' * 100_000)\nsys.stderr.write('dear me ' * 100_000)\nsaid = 'text'"
    assert run(body) == "text"


# --- it cannot ------------------------------------------------------------------------------------


@filtered
def test_a_child_has_no_network_not_even_by_way_of_c():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        address = listener.getsockname()
        assert run(tried(f"socket.create_connection({address})")) == "PermissionError"
        assert run("said = str(libc.socket(2, 1, 0))") == "-1"
        assert run("said = str(libc.socket(1, 1, 0))") == "-1"  # PostgreSQL may listen on such a one
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_child_is_in_a_network_of_its_own_or_may_not_ask_for_one():
    ours = os.readlink("/proc/self/ns/net")
    asked = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    theirs = run("said = os.readlink('/proc/self/ns/net')")
    assert (theirs != ours) == (asked.returncode == 0)


def test_python_in_a_child_opens_no_socket_and_starts_nothing_on_any_system():
    for action, event in (
        ("socket.socket()", "socket.__new__"),
        ("os.fork()", "os.fork"),
        ("os.system('')", "os.system"),
    ):
        said = run(f"try:\n    {action}\nexcept PermissionError as error:\n    said = str(error)")
        assert said == f"not while a document is read: {event}"


@filtered
def test_a_child_starts_no_process():
    assert run(tried("os.fork()")) == "PermissionError"
    assert run("said = str(libc.fork())") == "-1"
    assert run("import subprocess\n" + tried("subprocess.run(['true'])")) == "PermissionError"
    assert run(tried("os.system('true')")) == "PermissionError"
    assert run("said = str(libc.execv(b'/bin/true', (ctypes.c_char_p * 2)(b'true', None)))") == "-1"


@filtered
def test_a_child_writes_removes_and_signals_nothing(tmp_path):
    kept = stored(tmp_path, b"kept")
    new = tmp_path / "new"
    assert run(tried(f"open({str(new)!r}, 'w')")) == "PermissionError"
    assert run(tried(f"open({str(kept)!r}, 'a')")) == "PermissionError"
    assert run(tried(f"os.remove({str(kept)!r})")) == "PermissionError"
    assert run(tried(f"os.rename({str(kept)!r}, {str(new)!r})")) == "PermissionError"
    assert run(tried("os.kill(os.getppid(), 0)")) == "PermissionError"
    assert os.listdir(tmp_path) == ["7"]
    assert kept.read_bytes() == b"kept"


def test_a_child_has_nothing_of_our_environment(monkeypatch):
    for name in ("SECRET_KEY", "DATABASE_URL", "LLM_API_KEY", "PYTHONPATH"):
        monkeypatch.setenv(name, "canary")
    said = run("said = repr(dict(os.environ)) + open('/proc/self/environ').read()")
    assert "canary" not in said
    assert run("said = ' '.join(sorted(os.environ))") == "LANG MALLOC_ARENA_MAX PATH"
    assert run("said = ' '.join(os.listdir('/proc/self/fd'))").split()[:3] == ["0", "1", "2"]


def test_a_child_knows_no_django_and_starts_quickly():
    body = (
        "from etl.documents.parsing.readers import MODULES\nimport importlib\n"
        "for name in set(MODULES.values()): importlib.import_module(f'etl.documents.parsing.readers.{name}')\n"
        "said = ' '.join(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = run(body).split()
    assert not {"django", "psycopg", "celery", "config", "runs"} & set(loaded)


# --- whoever waits for it -------------------------------------------------------------------------


def test_a_child_ends_at_once_when_the_task_is_no_longer_ours():
    def lost(read, of):
        raise LeaseLost

    with pytest.raises(LeaseLost):
        run("time.sleep(600)", report=lost)


def test_a_silent_child_is_no_reason_not_to_ask_whether_to_go_on():
    asked = []

    def cancelled(read, of):
        asked.append(read)
        if len(asked) == 3:
            raise LeaseLost

    with pytest.raises(LeaseLost):
        run("report(2, 9)\ntime.sleep(600)", report=cancelled)
    assert asked == [0, 2, 2]


@pytest.mark.long
def test_a_child_dies_with_the_process_that_waits_for_it():
    code = (
        "import django, pathlib; django.setup()\n"
        "from etl.documents.parsing import fence\n"
        "from etl.documents.parsing.limits import Limits\n"
        f"program = ('-c', {PROGRAM.format(body='    report(os.getpid(), None); time.sleep(600)')!r})\n"
        "tell = lambda read, of: read and print(read, flush=True)\n"
        "fence.read(pathlib.Path('manage.py'), filename='a.txt', limits=Limits(), report=tell, program=program)\n"
    )
    waiting = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env=environment(DJANGO_SETTINGS_MODULE="config.settings"),
    )  # fmt: skip
    child = int(waiting.stdout.readline())
    assert os.path.exists(f"/proc/{child}")
    waiting.kill()
    waiting.wait()
    waiting.stdout.close()
    while os.path.exists(f"/proc/{child}"):  # the suite's time limit ends this
        time.sleep(0.02)


@pytest.mark.long
def test_a_daemon_process_may_read_documents_as_celerys_pool_does(tmp_path):
    stored(tmp_path, b"Words of a text.\n")
    code = (
        "import django; django.setup()\n"
        "import multiprocessing, pathlib\n"
        "from etl.documents.parsing.local import LocalParser\n"
        "def work():\n"
        f"    path = pathlib.Path({str(tmp_path / '7')!r})\n"
        "    print(LocalParser().parse(path, filename='a.txt', report=lambda *a: None, remote=None).markdown)\n"
        "process = multiprocessing.get_context('fork').Process(target=work, daemon=True)\n"
        "process.start(); process.join()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        env=environment(DJANGO_SETTINGS_MODULE="config.settings"),
    )  # fmt: skip
    assert done.stdout.strip() == "Words of a text."


@pytest.mark.long
def test_neighbours_read_on_while_one_dies(tmp_path):
    path = stored(tmp_path, "Words of a text. 一段文字。\n".encode())
    limits = limits_of_this_house()
    deaths, texts = [], []

    def die():
        try:
            run_here("kept = []\nwhile True:\n    kept.append(bytearray(10_000_000))")
        except fence.ParserDied as death:
            deaths.append(death)

    def run_here(body):
        program = ("-c", PROGRAM.format(body=indent(body, "    ")))
        fence.read(path, filename="a.txt", limits=QUICK, report=lambda read, of: None, program=program)

    def read():
        answer = fence.read(path, filename="a.txt", limits=limits, report=lambda read, of: None)
        texts.append(answer.markdown)

    threads = [threading.Thread(target=work) for work in (die, read, die, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(deaths) == 2
    assert texts == ["Words of a text. 一段文字。\n"] * 2
    assert not children()


def test_a_reading_leaves_nothing_behind(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    path = stored(tmp_path, b"Words of a text.\n")
    assert parse(path, "a.txt").markdown == "Words of a text.\n"
    assert os.listdir(folder) == []
    assert sorted(os.listdir(tmp_path)) == ["7", "temporary"]
    assert not children()
