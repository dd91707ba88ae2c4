"""pytest plugin (-p in pyproject.toml): the servers of the test run, started before settings are read.

By default a private pair in a fresh folder below /tmp, deleted at the end; DATABASE_URL, REDIS_URL, STAGING_… and
LLM_… of the developer's shell or .env are ignored. TEST_DATABASE_URL and TEST_REDIS_URL name other servers.
A conftest would be too late: pytest-django reads the settings before any.
"""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

from config import embedded


def start() -> None:
    """Name the servers in the environment. An xdist worker finds its controller's named there already."""
    os.environ["DEBUG"] = "1"
    os.environ["SECRET_KEY"] = "for tests only"
    os.environ["METRICS_FLUSH_SECONDS"] = "0"  # nothing writes behind the back of a test
    elsewhere = ["STAGING_DATABASE_URL", "STAGING_TABLE", "STAGING_ID_COLUMN", "STAGING_TIME_ZONE"]
    model = [f"LLM_{name}" for name in ("PROVIDER", "BASE_URL", "API_KEY", "MODEL", "DAILY_BUDGET", "TOTAL_SECONDS")]
    for name in elsewhere + model:
        os.environ[name] = ""  # set, so that .env does not set it
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        for name in ("DATABASE_URL", "REDIS_URL"):
            os.environ[name] = os.environ.get(f"TEST_{name}", "")
        folder = Path(tempfile.mkdtemp(prefix="pressroom-test-", dir="/tmp"))
        os.environ["PRESSROOM_VAR"] = str(folder / "var")
        if os.environ["DATABASE_URL"] and os.environ["REDIS_URL"]:
            atexit.register(shutil.rmtree, folder)  # else the keeper deletes it, after the servers
        embedded.provide(folder, grace=0, throwaway=True)
    # pytest-django gives each xdist worker a database; Redis they would share
    number = 0 if worker is None else int(worker.removeprefix("gw")) + 1
    os.environ["REDIS_URL"] = _with_database(os.environ["REDIS_URL"], number)


def _with_database(redis_url: str, number: int) -> str:
    if redis_url.startswith("unix://"):
        return f"{redis_url.partition('?')[0]}?db={number}"
    return re.sub(r"(?<=[^/])/\d*$|(?<=[^/])$", f"/{number}", redis_url, count=1)


start()
