"""Reads one document in a process that may die, and tells its death from the document's own faults.

The process has the limits of `guard`, an environment without anything of ours in it, a process group of its own, a
time limit on the clock, and ends with whoever waits for it: when `report` raises, when the waiting process is killed.
It is started by `subprocess` and not by `multiprocessing`, whose children Celery's pool processes may not have, and
because liteparse hangs in a fork of a process that has used it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings

from etl.documents.choices import DocumentError
from etl.documents.parsed import Report, Unreadable
from etl.documents.parsing.limits import Limits
from runs.errors import Outage

logger = structlog.get_logger(__name__)

CHILD = ("-m", "etl.documents.parsing.child")
ASK_EVERY_SECONDS = 0.5  # whether to go on, also while the child says nothing
CHUNK_BYTES = 65_536
LINE_BYTES = 65_536
LOGGED_BYTES = 4_096


class ParserDied(Outage):
    """The process died: of too much memory or time, of a signal, of a crash. That counts as an attempt."""

    slug = DocumentError.PARSER_DIED.value


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the process has read."""

    facts: dict[str, Any]
    markdown: str


def read(path: Path, *, filename: str, limits: Limits, report: Report, program: tuple[str, ...] = CHILD) -> Answer:
    """Read the document in a child process.

    Raises Unreadable for the document's own faults, ParserDied when the process died, and whatever `report` raises.
    No process is left behind, however this ends.
    """
    started = time.monotonic()
    process = _start(program)
    hearing = _Hearing(process, limits, report)
    try:
        _ask(process, path, filename, limits)
        hearing.listen(until=started + limits.seconds)
    finally:
        _end(process)
    facts = {"seconds": round(time.monotonic() - started, 3), "ended": process.returncode, "said": hearing.said()}
    if hearing.refused is not None:
        logger.info("document.refused", **hearing.refused, **facts)
        raise Unreadable(DocumentError(hearing.refused["refused"]), str(hearing.refused.get("text", "")))
    if hearing.answer is None:
        logger.warning("document.parser_died", **facts)
        raise ParserDied(_how(process.returncode))
    logger.info("document.read", **facts)
    return hearing.answer


def _start(program: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Without our environment: it has the secrets of this installation, and a reader needs none of it."""
    return subprocess.Popen(  # noqa: S603 - our own program, and no part of the command is anybody's input
        [sys.executable, "-E", "-s", "-B", "-X", "utf8", *program],
        cwd=settings.BASE_DIR,
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        process_group=0,
    )  # fmt: skip


def _ask(process: subprocess.Popen[bytes], path: Path, filename: str, limits: Limits) -> None:
    assert process.stdin is not None
    request = {
        "path": str(path.resolve()), "filename": filename, "parent": os.getpid(),
        "limits": dataclasses.asdict(limits),
    }  # fmt: skip
    try:
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
    except BrokenPipeError:
        return  # it died at once, which the listener will find


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and its group, and leave no zombie."""
    # nobody has waited for it yet, so its number, which is that of the group, cannot be somebody else's
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _how(code: int) -> str:
    """How a process ended, in words for a log and a task."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


class _Hearing:
    """Listens to a child until it has answered, died or taken too long."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits, report: Report) -> None:
        self.answer: Answer | None = None
        self.refused: dict[str, Any] | None = None
        self._process, self._limits, self._report = process, limits, report
        self._progress: tuple[int, int | None] = (0, None)
        self._facts: dict[str, Any] | None = None
        self._heard = bytearray()
        self._errors = bytearray()

    def said(self) -> str:
        """The end of what the child wrote to stderr."""
        return self._errors.decode(errors="replace")

    def listen(self, *, until: float) -> None:
        """Hear the child out. Raises Unreadable when time is up, ParserDied when it says too much."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ, self._hear)  # type: ignore[arg-type]
            selector.register(self._process.stderr, selectors.EVENT_READ, self._overhear)  # type: ignore[arg-type]
            asked = 0.0
            while selector.get_map() and not self._is_done():
                now = time.monotonic()
                if now >= until:
                    raise Unreadable(DocumentError.TIMED_OUT, f"{self._limits.seconds} s")
                if now - asked >= ASK_EVERY_SECONDS:
                    asked = now
                    self._report(*self._progress)
                for key, _events in selector.select(min(ASK_EVERY_SECONDS, until - now)):
                    chunk = os.read(key.fd, CHUNK_BYTES)
                    if chunk:
                        key.data(chunk)
                    else:
                        selector.unregister(key.fileobj)
        self._report(*self._progress)

    def _is_done(self) -> bool:
        return self.answer is not None or self.refused is not None

    def _overhear(self, chunk: bytes) -> None:
        self._errors += chunk
        del self._errors[:-LOGGED_BYTES]

    def _hear(self, chunk: bytes) -> None:
        self._heard += chunk
        while self._facts is None and b"\n" in self._heard and not self._is_done():
            line, _newline, rest = self._heard.partition(b"\n")
            self._heard = rest
            self._understand(line)
        if self._facts is None:
            if len(self._heard) > LINE_BYTES:
                raise ParserDied("it said what is no answer")
        elif len(self._heard) >= self._facts["bytes"]:
            del self._heard[self._facts["bytes"] :]
            text = self._heard.decode(errors="replace")
            self._heard = bytearray()
            self.answer = Answer(self._facts, text)

    def _understand(self, line: bytearray) -> None:
        try:
            message = json.loads(line)
            if "refused" in message:
                DocumentError(message["refused"])
                self.refused = message
            elif "bytes" in message:
                if not 0 <= int(message["bytes"]) <= self._limits.text_bytes:
                    raise ParserDied("it said more than it may")
                self._facts = message
            else:
                self._progress = (int(message["read"]), message["of"])
        except (ValueError, KeyError, TypeError) as error:
            raise ParserDied("it said what is no answer") from error
