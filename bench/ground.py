"""Where benches run: servers of their own in a throwaway folder, and a fresh database for every child.

The servers in the environment and the folder var/ are never touched. Unlike the servers of the tests
these are durable (fsync and synchronous_commit on), because what a commit costs is part of the figures.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from bench.measure import LeftOut, Sample
from config import embedded

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE, DATABASE = "pressroom", "bench"
# A default of 1 GB would start checkpoints in the middle of a pass, and of some passes only
MAX_WAL_SIZE = "4GB"
SHOWN_SETTINGS = (
    "fsync", "synchronous_commit", "full_page_writes", "data_checksums", "shared_buffers", "max_wal_size", "autovacuum",
)  # fmt: skip


class Machine(NamedTuple):
    """Where figures were taken."""

    hardware: str
    python: str
    postgresql: str
    settings: dict[str, str]

    def __str__(self) -> str:
        return f"{self.hardware}, Python {self.python}, PostgreSQL {self.postgresql}"


class Ground:
    """Running servers with an empty, migrated database to copy; they stop when this process has ended."""

    def __init__(self) -> None:
        for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
            os.environ[name] = ""
        folder = Path(tempfile.mkdtemp(prefix="pressroom-bench-", dir="/tmp"))
        embedded.provide(folder, grace=0, throwaway=True, durable=True)
        self._server = os.environ["DATABASE_URL"].removesuffix(TEMPLATE)
        with psycopg.connect(f"{self._server}postgres", autocommit=True) as postgres:
            postgres.execute(f"ALTER SYSTEM SET max_wal_size = '{MAX_WAL_SIZE}'")
            postgres.execute("SELECT pg_reload_conf()")
        self._python("manage.py", "migrate", "--verbosity", "0", database=TEMPLATE)

    def child(self, bench: str, design: str, rows: int) -> list[Sample]:
        """The samples of one design, taken by a new process on a new database. Raises LeftOut."""
        return [Sample(**each) for each in self.taken(bench, design, rows)]

    def taken(self, bench: str, design: str, rows: int) -> list[dict[str, Any]]:
        """The same for a bench with figures of its own kind: as it printed them."""
        with psycopg.connect(f"{self._server}postgres", autocommit=True) as postgres:
            postgres.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            postgres.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
        said = json.loads(self._python("-m", "bench.child", bench, design, str(rows), database=DATABASE))
        if "leftOut" in said:
            raise LeftOut(said["leftOut"])
        return said["samples"]

    def machine(self) -> Machine:
        """What the figures depend on."""
        with psycopg.connect(f"{self._server}postgres") as postgres:
            query = "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s) ORDER BY name"
            settings: dict[str, str] = dict(postgres.execute(query, [list(SHOWN_SETTINGS)]).fetchall())
            version = postgres.info.parameter_status("server_version")
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
        hardware = f"{_cpu()}, {os.cpu_count()} cores, {memory} GB, {platform.system()} {platform.machine()}"
        return Machine(hardware, platform.python_version(), version or "", settings)

    def _python(self, *arguments: str, database: str) -> str:
        """Run Python to its end on one of the databases; what it printed."""
        # DEBUG would keep every query in memory; an old connection's backend would take its CPU time with it
        environment = {"DATABASE_URL": f"{self._server}{database}", "DEBUG": "0", "LOG_LEVEL": "ERROR"}
        environment |= {"CONN_MAX_AGE": "86400", "DJANGO_SETTINGS_MODULE": "config.settings"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, text=True,
            check=True,
        )  # fmt: skip
        return done.stdout


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
