"""Product sync spread over Celery workers: shards = cores, on the bench's database and broker."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.db import connection

from bench.measure import Meter, Sample
from bench.product_sync.checks import check
from bench.scenarios import ProductSource
from config.celery import app
from etl.models import ProductSyncRun
from etl.products import services

SHARDS = os.cpu_count() or 1
ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60


def sync(design: str, kind: str, source: ProductSource) -> Sample:
    """A run in as many shards as there are cores, from the request to the end of the run.

    The worker is up before the clock starts. CPU and memory are those of its processes and of this one,
    which only waits.
    """
    with worker() as processes, Meter(others=lambda: processes) as meter:
        run = services.request_sync(services.SyncOptions(shards=SHARDS), actor="bench")
        while ProductSyncRun.objects.open().filter(pk=run.pk).exists():
            time.sleep(0.02)
    run.refresh_from_db()
    assert run.status == ProductSyncRun.STATUSES.completed, f"{run.status}: {run.error} {run.error_text}"
    check(design, kind, source, created=run.created, updated=run.updated)
    return meter.sample(design, kind, source.rows)


@contextmanager
def worker() -> Iterator[list[int]]:
    """A Celery worker with a process per core: the numbers of all its processes."""
    name = f"bench-{os.getpid()}@local"
    with tempfile.TemporaryFile() as log:
        parent = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-Q", ProductSyncRun.QUEUE,
             "-c", str(SHARDS), "-n", name, "-l", "ERROR", "--without-mingle", "--without-gossip"],
            cwd=ROOT, stdout=log, stderr=log, env=os.environ | {"DATABASE_URL": database_url()},
        )  # fmt: skip
        try:
            deadline = time.monotonic() + START_SECONDS
            while not app.control.ping(destination=[name], timeout=0.5):
                if parent.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"the worker did not start: {log.read().decode()[-2000:]}")
            yield [parent.pid, *_children(parent.pid)]
        finally:
            parent.terminate()
            parent.wait()


def database_url() -> str:
    """The database of this process's connection, which need not be the one it was started with."""
    place = connection.settings_dict
    address = quote(place["HOST"], safe="") + (f":{place['PORT']}" if place["PORT"] else "")
    user = quote(place["USER"]) + (f":{quote(place['PASSWORD'])}" if place["PASSWORD"] else "")
    return f"postgresql://{user}@{address}/{place['NAME']}"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
