"""config.supervisor, with a Procfile of its own in a temporary folder."""

import os
import pty
import signal
import socket
import subprocess
import sys
import time

import psycopg
import pytest
from celery import Celery

from config.embedded import Pair
from processes import environment
from tests.config.processes import BASE_DIR, bare_environment, processes_of, wait_until

pytestmark = pytest.mark.long

SLOW_APP = """
import os, time
from pathlib import Path
from celery import Celery

url = os.environ["REDIS_URL"].replace("unix://", "redis+socket://")
app = Celery(broker=url.replace("?db=", "?virtual_host="))
app.conf.task_ignore_result = True

@app.task(name="slow")
def slow(folder):
    (Path(folder) / "begun").touch()
    time.sleep(1.5)
    (Path(folder) / "finished").touch()
"""


@pytest.fixture
def shared_servers(transactional_db):
    """The servers of the test run: a private pair and all migrations for every test would take seconds each."""
    return {
        "DATABASE_URL": environment()["DATABASE_URL"], "REDIS_URL": os.environ["REDIS_URL"], "DEBUG": "1"
    }  # fmt: skip


@pytest.fixture
def run(folder, shared_servers):
    """Start a supervisor on a Procfile; it is killed with the test, which the folder fixture then judges."""
    started = []

    def start(procfile, *, port=None, terminal=None, private=False, **environment):
        (folder / "Procfile").write_text(procfile)
        environment = ({} if private else shared_servers) | environment
        environment |= {"PORT": str(port or free_port()), "PRESSROOM_VAR": str(folder / "var")}
        with (folder / f"output-{len(started)}").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "config.supervisor", str(folder / "Procfile")],
                env=bare_environment(PYTHONPATH=str(folder), **environment), cwd=BASE_DIR,
                stdin=subprocess.DEVNULL, stdout=terminal or output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        process.said = (folder / f"output-{len(started)}").read_text
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def sleepers(folder):
    return [process for process, command in processes_of(folder).items() if command.startswith("tail\0")]


def sleeper(folder, name="web"):
    return f"{name}: exec tail -f {folder}/Procfile\n"


@pytest.mark.faults
@pytest.mark.parametrize("wish", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_running_task_finishes_before_the_end(run, folder, shared_servers, wish):
    (folder / "slow.py").write_text(SLOW_APP)
    worker = "exec python -m celery -q -A slow worker -P prefork -c 1 --without-mingle --without-gossip -l info"
    supervisor = run(f"worker: {worker}\n")
    wait_until(lambda: "ready." in supervisor.said(), 60)
    broker = shared_servers["REDIS_URL"].replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
    Celery(broker=broker).send_task("slow", [str(folder)])
    wait_until((folder / "begun").exists)
    supervisor.send_signal(wish)
    assert supervisor.wait(20) == 0, supervisor.said()
    assert (folder / "finished").exists(), supervisor.said()
    wait_until(lambda: not processes_of(folder))


@pytest.mark.faults
def test_kill_9_of_the_supervisor_ends_everything(made, run, folder):
    (folder / "var" / "sample-loaded").touch()
    supervisor = run(sleeper(folder) + sleeper(folder, "other"), private=True)
    wait_until(lambda: len(sleepers(folder)) == 2, 60)
    supervisor.kill()
    wait_until(lambda: not processes_of(folder))


def test_a_closed_terminal_ends_everything(run, folder):
    ours, theirs = pty.openpty()
    supervisor = run(sleeper(folder), terminal=theirs)
    os.close(theirs)
    wait_until(lambda: sleepers(folder), 60)
    os.close(ours)
    assert supervisor.wait(20) == 0
    wait_until(lambda: not processes_of(folder))


def test_a_process_that_ends_stops_the_others_and_gives_its_code(run, folder):
    supervisor = run(sleeper(folder) + "short: exec sh -c 'sleep 0.3; exit 3'\n")
    assert supervisor.wait(60) == 3
    wait_until(lambda: not processes_of(folder))


@pytest.mark.faults
def test_it_says_where_to_look_and_heals_a_killed_postgres(made, run, folder):
    port = free_port()
    supervisor = run(f"web: exec python -m http.server -d {folder} {port}\n", port=port, private=True)
    wait_until(lambda: "Pressroom is ready" in supervisor.said(), 60)
    assert f"http://127.0.0.1:{port}/" in supervisor.said()
    pidfile = folder / "var/postgres/postmaster.pid"
    killed = pidfile.read_text().split("\n")[0]
    os.kill(int(killed), signal.SIGKILL)
    wait_until(lambda: pidfile.exists() and pidfile.read_text().split("\n")[0] != killed)
    url = Pair(str(folder / "var")).database_url
    wait_until(lambda: answers(url))


def answers(url):
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_busy_port_is_named_before_anything_starts(run, folder):
    with socket.create_server(("127.0.0.1", 0)) as server:
        supervisor = run(sleeper(folder), port=server.getsockname()[1])
        assert supervisor.wait(60) == 1
    assert "PORT=" in supervisor.said()
    assert "started" not in supervisor.said()


def test_a_second_run_of_the_same_clone_is_refused(run, folder):
    first = run(sleeper(folder))
    wait_until(lambda: sleepers(folder), 60)
    second = run(sleeper(folder))
    assert second.wait(60) == 1
    assert "already running" in second.said()
    assert first.poll() is None


def test_a_signal_while_it_prepares_leaves_nothing(run, folder):
    supervisor = run(sleeper(folder), private=True)
    wait_until((folder / "var/run.lock").exists, 60)
    time.sleep(0.3)
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert not sleepers(folder)
    wait_until(lambda: not processes_of(folder))


def test_production_without_its_variables_is_one_line_and_exit_2(run, folder):
    supervisor = run(sleeper(folder), private=True, DEBUG="0")
    assert supervisor.wait(60) == 2
    assert supervisor.said().count("\n") == 1
    assert "must be set" in supervisor.said()
