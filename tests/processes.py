"""Real processes on the test database: commands, snippets and Celery workers.

A process needs a second of start-up; what is not about processes is asked by manage_here() and settings_of().
"""

import contextlib
import io
import logging
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock
from urllib.parse import quote

from django.db import connection

import manage as command_line

ROOT = Path(__file__).resolve().parent.parent


def environment(**extra):
    """The environment of a process that works on this test's database."""
    place = connection.settings_dict
    address = f"{quote(place['HOST'], safe='')}:{place['PORT']}" if place["PORT"] else quote(place["HOST"], safe="")
    user = place["USER"] + (f":{quote(place['PASSWORD'])}" if place["PASSWORD"] else "")
    url = f"postgresql://{user}@{address}/{place['NAME']}"
    # a live server makes this process a web process; what it starts is what its own command line says
    inherited = {name: value for name, value in os.environ.items() if name != "PRESSROOM_ROLE"}
    return inherited | {"DATABASE_URL": url, "LOG_LEVEL": "ERROR", "PYTHONUNBUFFERED": "1"} | extra


def manage(*arguments, timeout=60, **extra):
    """Run manage.py to its end; the finished process with its output as text."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=environment(**extra), capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def manage_here(*arguments):
    """manage.py inside this process, with the settings of the test; what manage() returns."""
    out, errors, code = io.StringIO(), io.StringIO(), 0
    logging.disable(logging.WARNING)  # as manage.py has it
    try:
        with (
            mock.patch.object(sys, "argv", ["manage.py", *arguments]),
            mock.patch.object(sys, "stdin", io.StringIO()),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(errors),
        ):
            command_line.main()
    except SystemExit as leaving:
        code = leaving.code or 0
    finally:
        logging.disable(logging.NOTSET)
    return subprocess.CompletedProcess(sys.argv, code, out.getvalue(), errors.getvalue())


def settings_of(**extra):
    """The settings as a process would read them in such an environment."""
    with mock.patch.dict(os.environ, environment(**extra)):
        return runpy.run_path(str(ROOT / "config" / "settings.py"))


def start_manage(*arguments, **extra):
    """Start manage.py and return the process at once; it leads a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=environment(**extra), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def python(code, *, timeout=60, **extra):
    """Run a snippet with Django set up."""
    return subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{code}"],
        cwd=ROOT, env=environment(DJANGO_SETTINGS_MODULE="config.settings", **extra),
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def start_python(code, **extra):
    """Start a snippet with Django set up and return the process at once."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import django; django.setup()\n{code}"],
        cwd=ROOT, env=environment(DJANGO_SETTINGS_MODULE="config.settings", **extra),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


class Worker:
    """A Celery worker process that serves some queues."""

    def __init__(self, *queues, beat=False, pool="prefork", application="config.celery", **extra):
        self.arguments = [
            sys.executable, "-m", "celery", "-A", application, "worker", "-Q", ",".join(queues), "-P", pool,
            "-c", "1", "-n", f"test-{os.getpid()}-{time.monotonic_ns()}@%h", "-l", "WARNING",
            "--without-mingle", "--without-gossip",
        ]  # fmt: skip
        if beat:
            self.arguments += ["-B"]
        self.extra = extra
        self.start()

    def start(self):
        """Start, or start again after kill()."""
        self.process = subprocess.Popen(
            self.arguments, cwd=ROOT, env=environment(**self.extra), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self):
        """kill -9 of the worker and its pool."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """A warm stop; killed if it does not end."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.kill() if failure[0] else self.stop()


def wait_until(condition, *, timeout=30.0, what="the condition"):
    """Look every 50 ms until `condition()` is true; its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(0.05)
    return value
