"""A migrated PostgreSQL cluster, made once per test run and copied for tests that need servers of their own.

initdb and all migrations take several seconds of CPU, a copy takes a fraction of one. Tests about the first
start make their clusters themselves.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from config.servers import Postgres
from processes import manage


def put_migrated_cluster(data: Path) -> None:
    """Put a stopped cluster with all our tables there, as config.servers would have left it."""
    seed = _seed()
    data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(seed), str(data)], check=True)
    data.parent.chmod(seed.parent.stat().st_mode & 0o777)  # where root is refused, somebody else must reach it


def _seed() -> Path:
    folder = Path(os.environ["PRESSROOM_VAR"]).parent / "seed"  # goes with the servers of the run
    folder.mkdir(mode=0o700, exist_ok=True)
    with _locked(folder / "lock"):
        if not (folder / "postgres").exists():
            _make(folder)
    return folder / "postgres"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(folder: Path) -> None:
    shutil.rmtree(folder / "unfinished", ignore_errors=True)
    server = Postgres(folder / "unfinished", folder / "s", durable=False)
    try:
        server.ensure()
        url = f"postgresql://postgres@{quote(str(server.sockets), safe='')}/pressroom"
        migrated = manage("migrate", "--verbosity=0", timeout=300, DATABASE_URL=url)
        assert migrated.returncode == 0, migrated.stderr
    finally:
        server.stop()
    server.data.rename(folder / "postgres")
