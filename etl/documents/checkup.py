"""The doctor looks at documents: their folder, what waits, and whether a reader is held to its limits."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from etl.documents import storage
from etl.documents.models import ETLTask
from etl.documents.parsed import Unreadable
from etl.documents.parsing import fence
from etl.documents.parsing.media import limits_of_this_house
from watch.findings import Finding, Up, fine, in_one_line, problem

CHECK = "documents"
ROOM_FOR_FILES = 10  # of the largest size, below which it is time to make room
MUCH_WAITS = 0.8  # of ETL_MAX_PENDING
LOCAL = "local"
TOO_LITTLE_BYTES = 1_000_000  # of memory beyond what a process has at its start: none can read with it


def examine(up: Up) -> Iterator[Finding]:
    """Nothing is read, and nothing is left behind."""
    yield from _folder()
    if up.database:
        yield from _orphans()
        yield from _queue()
    if settings.ETL_PARSER == LOCAL:
        yield from _fence()


def _folder() -> Iterator[Finding]:
    """Whether files can be kept there, and how many more."""
    folder = Path(settings.DOCUMENTS_DIR)
    facts: dict[str, Any] = {"folder": folder}
    mend = _("Let DOCUMENTS_DIR name a folder that web and worker processes share and may write.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        text = _("Documents cannot be kept in %(folder)s: %(reason)s")
        yield problem(CHECK, text % (facts | {"reason": in_one_line(error)}), mend)
        return
    facts["free"] = f"{free / 1e9:.1f}"
    if free < ROOM_FOR_FILES * settings.ETL_MAX_BYTES:
        text = _("Only %(free)s GB are free for documents in %(folder)s.")
        yield problem(CHECK, text % facts, _("Make room, or lower ETL_MAX_BYTES."))
    else:
        yield fine(CHECK, _("documents are kept in %(folder)s, %(free)s GB free") % facts)


def _orphans() -> Iterator[Finding]:
    found = storage.orphans()
    if found:
        text = _("%(count)s files of documents have no task.") % {"count": len(found)}
        yield problem(CHECK, text, "manage.py prune --what uploads --older-than 7d --yes")


def _queue() -> Iterator[Finding]:
    facts = {"open": ETLTask.objects.open().count(), "most": settings.ETL_MAX_PENDING}
    if facts["open"] >= MUCH_WAITS * facts["most"]:
        text = _("%(open)s documents wait or are being read; from %(most)s on new ones are refused.")
        yield problem(CHECK, text % facts, _("Start more workers of the queue etl."))
    else:
        yield fine(CHECK, _("%(open)s documents wait or are being read, of at most %(most)s") % facts)


def _fence() -> Iterator[Finding]:
    """A reader that is given too little memory must fail; one with what the settings say must not."""
    if not _can_read(limits_of_this_house().memory_bytes):
        text = _("No process can read a document within ETL_PARSER_MEMORY_BYTES (%(bytes)s).")
        yield problem(CHECK, text % {"bytes": settings.ETL_PARSER_MEMORY_BYTES}, _("Raise ETL_PARSER_MEMORY_BYTES."))
    elif _can_read(TOO_LITTLE_BYTES):
        text = _("The memory limit of the process that reads documents does not work here.")
        yield problem(CHECK, text, _("Let the workers run where setrlimit(RLIMIT_AS) is in force."))
    else:
        yield fine(CHECK, _("documents are read within limits of memory and time"))


def _can_read(memory_bytes: int) -> bool:
    limits = dataclasses.replace(limits_of_this_house(), memory_bytes=memory_bytes)
    handle, name = tempfile.mkstemp(suffix=".txt")
    try:
        with os.fdopen(handle, "w") as file:
            file.write("Can this be read?\n")
        return bool(fence.read(Path(name), filename="doctor.txt", limits=limits, report=_nobody_listens).markdown)
    except (fence.ParserDied, Unreadable):
        return False
    finally:
        Path(name).unlink(missing_ok=True)


def _nobody_listens(_pages: int, _of: int | None) -> None:
    pass
