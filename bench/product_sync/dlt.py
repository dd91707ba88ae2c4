"""dlt loading the same rows, in a virtual environment that the bench makes.

It does less than ours: nothing is normalised or compared, every row is written anew, no change is logged,
no bad row set aside. Its tables are its own (schema `bench_dlt`), merged by the same key.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from functools import cache
from pathlib import Path
from typing import Any

from django.db import connection

from bench.measure import LeftOut, Meter, Sample
from bench.scenarios import ProductSource

ROOT = Path(__file__).resolve().parent.parent.parent
PIPELINE = Path(__file__).with_name("dlt_pipeline.py")
# connectorx is the fastest of dlt's backends, pyarrow the next; all versions are pinned, so figures compare
REQUIREMENTS = (
    "dlt==1.31.0", "connectorx==0.4.6", "pyarrow==26.0.1", "sqlalchemy==2.1.9", "psycopg2-binary==2.9.13",
)  # fmt: skip
INSTALL_SECONDS = 600

_pipelines = tempfile.TemporaryDirectory(prefix="pressroom-bench-dlt-")


def sync(design: str, kind: str, source: ProductSource) -> Sample:
    """One pipeline run; it begins behind dlt's imports, whose time is noted as `startSeconds`."""
    python = installed()
    began = time.perf_counter()
    process = subprocess.Popen(
        [python, "-P", PIPELINE, _database_url(), _pipelines.name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment(), cwd=_pipelines.name,
    )  # fmt: skip
    try:
        _expect(process, "ready")
        start_seconds = time.perf_counter() - began
        with Meter(others=lambda: [process.pid], with_ended=True) as meter:
            _tell(process, "go")
            _expect(process, "done")
        _tell(process, "end")  # it waited, so that /proc could be asked
        process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()
    _check(source)
    return meter.sample(design, kind, source.rows, notes={"startSeconds": start_seconds})


def _check(source: ProductSource) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM bench_dlt.products")
        (found,) = cursor.fetchone()
    if found != source.keys:
        raise AssertionError(f"dlt: expected {source.keys} products, found {found}")


def _tell(process: Any, word: str) -> None:
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def _expect(process: Any, word: str) -> None:
    line = process.stdout.readline().strip()
    if line != word:
        raise AssertionError(f"dlt said {line or 'nothing'!r} instead of {word!r}")


def _database_url() -> str:
    place = connection.settings_dict
    return json.dumps({name: place[name] for name in ("HOST", "PORT", "USER", "PASSWORD", "NAME")})


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DJANGO", "DLT"))}
    return kept | {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}


@cache
def installed() -> str:
    """The Python of an environment with dlt; made below var/ at the first call. Raises LeftOut."""
    folder = ROOT / "var" / "bench" / "dlt"
    python, mark = folder / "bin" / "python", folder / "installed"
    wanted = "\n".join(REQUIREMENTS)
    if mark.exists() and mark.read_text() == wanted:
        return str(python)
    print(f"making {folder.relative_to(ROOT)} with dlt …", file=sys.stderr)
    try:
        venv.create(folder, clear=True, with_pip=True)
        pip: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
        ]
        done = subprocess.run(
            [*pip, *REQUIREMENTS], capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise LeftOut(f"dlt cannot be installed: {error}") from error
    if done.returncode:
        raise LeftOut(f"dlt cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    mark.write_text(wanted)
    return str(python)
