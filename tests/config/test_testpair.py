"""config.testpair: whose servers the suite uses."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from config.testpair import _with_database
from tests.config.processes import BASE_DIR, bare_environment

PROBE = """
import os

def test_probe():
    print(os.environ["DATABASE_URL"], os.environ["REDIS_URL"])
"""


def probe(folder, **named):
    (folder / "test_probe.py").write_text(PROBE)
    test_servers = ("TEST_DATABASE_URL", "TEST_REDIS_URL", "PYTEST_XDIST_WORKER")
    environment = {name: value for name, value in bare_environment().items() if name not in test_servers}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-qs", "-cpyproject.toml", "--rootdir=.", folder / "test_probe.py"],
        env=environment | named, cwd=BASE_DIR, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_suite_never_works_below_var():
    assert not str(settings.VAR_DIR).startswith(str(BASE_DIR))
    assert os.environ["REDIS_URL"].rpartition("/")[2] != "0" or "PYTEST_XDIST_WORKER" not in os.environ


@pytest.mark.long
def test_the_servers_of_the_developers_shell_are_ignored(folder):
    done = probe(folder, DATABASE_URL="postgresql://precious/data", REDIS_URL="redis://precious")
    assert done.returncode == 0, done.stdout
    assert "precious" not in done.stdout
    assert "pressroom-test-" in done.stdout


@pytest.mark.long
def test_servers_named_for_tests_are_used(folder):
    named = {"TEST_DATABASE_URL": "postgresql://ci@db/x", "TEST_REDIS_URL": "redis://ci"}
    done = probe(folder, **named)
    assert "postgresql://ci@db/x redis://ci/0" in done.stdout, done.stdout


def test_each_worker_has_a_redis_database_of_its_own():
    assert _with_database("unix:///run/valkey.sock?db=0", 3) == "unix:///run/valkey.sock?db=3"
    assert _with_database("redis://127.0.0.1:6379", 3) == "redis://127.0.0.1:6379/3"
    assert _with_database("redis://:secret@cache:6379/15", 3) == "redis://:secret@cache:6379/3"
