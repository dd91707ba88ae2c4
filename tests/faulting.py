"""What fault tests do to processes and servers, for every pipeline alike.

FAULTS=short (make test), ci (make test-all) or full (make soak) says how often. The reaper runs in a process
of its own, as it does behind beat, so that a test only watches.
"""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from django.db import DatabaseError, InterfaceError, connection

from clusters import put_migrated_cluster
from config.celery import app
from config.embedded import Pair
from processes import ROOT, Worker, start_python, wait_until

LENGTH = os.environ.get("FAULTS", "short")
LEASE_SECONDS, REAPER_SECONDS = 2, 1
FAST = {"RUN_LEASE_SECONDS": str(LEASE_SECONDS), "REAPER_SECONDS": str(REAPER_SECONDS)}

REAPER = f"""
import os, time
from django.db import DatabaseError, InterfaceError, connection
from runs import reaper
print("reaping", flush=True)
while os.getppid() == {os.getpid()}:  # a killed test must not leave it behind
    try:
        reaper.reap()
    except (DatabaseError, InterfaceError):
        connection.close()
    time.sleep({REAPER_SECONDS})
"""


def how_often(*, short: int, ci: int, full: int) -> int:
    """The number for the length asked for."""
    return {"short": short, "ci": ci, "full": full}[LENGTH]


class Reaper:
    """The reaper in a process of its own, every second."""

    def __enter__(self):
        self.process = start_python(REAPER, **FAST)
        assert self.process.stdout.readline() == "reaping\n", self.process.communicate()
        return self

    def __exit__(self, *failure):
        self.process.kill()
        self.process.communicate()


class Victim(Worker):
    """A worker that things are done to."""

    @property
    def children(self) -> list[int]:
        """The processes of its pool."""
        return children_of(self.process.pid)

    def kill_child(self):
        """kill -9 of the pool's process; the worker starts another by itself."""
        for child in self.children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def freeze(self):
        """SIGSTOP of the worker and its pool."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        """SIGCONT of the same."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def start_again(self, **extra):
        """Kill it, then start it with another environment; without any, with the usual one."""
        self.kill()
        self.extra = FAST | extra
        self.start()

    def has_been_struck(self, child):
        """Whether the failpoint ended (or froze) this process of the pool."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] in "TZ"
        return True

    def __exit__(self, *failure):
        with contextlib.suppress(ProcessLookupError):
            self.thaw()
        self.kill()


def children_of(pid: int) -> list[int]:
    """The processes that this one has started, zombies too."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
    return found


class Recoveries:
    """How long it took until the work went on, and the figure a test prints."""

    def __init__(self, what: str):
        self.what, self.seconds = what, []

    @contextlib.contextmanager
    def timed(self):
        """One recovery."""
        began = time.monotonic()
        yield
        self.seconds.append(time.monotonic() - began)

    def report(self):
        """Print the figures."""
        slowest, mean = max(self.seconds, default=0), sum(self.seconds) / max(1, len(self.seconds))
        print(f"{len(self.seconds)} × {self.what}: back at work after {mean:.1f} s, at most {slowest:.1f} s")


class OwnServers:
    """A PostgreSQL and a Valkey that tests may kill: migrated, and apart from everybody else's.

    PostgreSQL is durable, Valkey keeps nothing: what a kill takes is really gone.
    """

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="pressroom-faults-", dir="/tmp"))
        self.pair = Pair(str(self.folder), grace=0, throwaway=True, durable=True)
        self.postgres, self.valkey = self.pair.postgres, replace(self.pair.valkey, durable=False)

    def __enter__(self):
        with self.pair.mutex():
            self.pair.hold()  # a killed test leaves nothing running
            put_migrated_cluster(self.postgres.data)
            self.postgres.ensure()
            self.valkey.ensure()
        return self

    def __exit__(self, *failure):
        with self.pair.mutex():
            self.pair.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def used(self):
        """Within the block the connection of this process and all its children lead here."""
        connection.close()
        place, redis = dict(connection.settings_dict), os.environ["REDIS_URL"]
        connection.settings_dict |= {
            "HOST": str(self.pair.sockets), "PORT": "", "USER": "postgres", "PASSWORD": "", "NAME": "pressroom"
        }  # fmt: skip
        os.environ["REDIS_URL"] = self.pair.redis_url
        try:
            yield self
        finally:
            connection.close()
            connection.settings_dict |= place
            os.environ["REDIS_URL"] = redis

    def restart_postgres(self):
        """Stop at once, as `pg_ctl stop -m immediate`, and start again: it recovers from its WAL."""
        pidfile = self.postgres.data / "postmaster.pid"
        os.kill(int(pidfile.read_text().split("\n")[0]), signal.SIGQUIT)
        wait_until(lambda: not pidfile.exists(), what="PostgreSQL to be gone")
        self.postgres.ensure()
        connection.close()

    def kill_valkey(self):
        """kill -9; messages and cache are lost."""
        pid = int((self.pair.sockets / "valkey.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="Valkey to be gone")

    def start_valkey(self):
        """Start it empty."""
        self.valkey.ensure()


def flush_broker():
    """FLUSHDB on the broker of this process."""
    with app.connection_for_write() as broker:
        broker.default_channel.client.flushdb()


def eventually(question, *, timeout=120, what="the condition"):
    """Like wait_until(), over lost connections."""

    def asked():
        try:
            return question()
        except (DatabaseError, InterfaceError):
            connection.close()
            return None

    return wait_until(asked, timeout=timeout, what=what)


WRONG_CLOCK = {"PYTHONPATH": str(ROOT / "tests" / "wrong_clock")}
SABOTAGED = {"PYTHONPATH": str(ROOT / "tests")}
