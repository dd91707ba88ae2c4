"""Real processes to start, count and kill."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent.parent
HOLD = """
import json, os, sys
from pathlib import Path
from typing import Any
from config import embedded
embedded.provide(Path(sys.argv[1]), **json.loads(sys.argv[2]))
print(json.dumps(dict(os.environ)), flush=True)
sys.stdin.read()
"""


def bare_environment(**changes: str) -> dict[str, str]:
    """The environment of a fresh clone. Empty, not absent: a developer's .env must not fill them in."""
    named = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "SECRET_KEY"), "")
    not_ours = ("DEBUG", "MAKELEVEL", "PORT", "PRESSROOM_ROLE")  # a live server sets the last
    kept = {name: value for name, value in os.environ.items() if name not in not_ours}
    return kept | named | changes


def processes_of(folder: Path) -> dict[int, str]:
    """Living processes that work in the folder or name it, with their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            where = os.readlink(process / "cwd")
            if command and int(process.name) != os.getpid() and (str(folder) in command or str(folder) in where):
                found[int(process.name)] = command
    return found


def wait_until(question: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer; fails when none comes."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return answer


class User:
    """A process that uses the pair below a folder until it is ended."""

    def __init__(self, folder: Path, script: str = HOLD, environment: dict[str, str] | None = None, **options) -> None:
        options = {"grace": 0, "throwaway": True} | options
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, str(folder), json.dumps(options)],
            env=environment or bare_environment(), cwd=BASE_DIR, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Its environment once the pair is up."""
        said = self.process.stdout.readline()
        assert said, self.process.stderr.read()
        return json.loads(said)

    def end(self) -> None:
        self.process.communicate("", timeout=20)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
