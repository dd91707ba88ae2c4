"""Has documents read by a MinerU server, and outlives the worker that asked for it.

The id of the task there is kept before the first look at it: whoever resumes looks at that task and hands nothing in
twice. A task that the server lost is handed in once more, with a new id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from django.conf import settings

from etl.documents.choices import DocumentError
from etl.documents.mineru.contract import Read, State
from etl.documents.mineru.detection import contract_anew, contract_with
from etl.documents.mineru.troubles import OtherContract, ServerAway, TaskLost, TimedOut, failed, unsupported
from etl.documents.mineru.wire import Document, Wire
from etl.documents.parsed import Parsed, Remote, Report, Unreadable
from llm.prompts import clean
from runs.errors import LeaseLost

logger = structlog.get_logger(__name__)

FIRST_PAUSE = 1 / 5  # of ETL_MINERU_POLL_SECONDS; doubled up to all of it
LOOKS_IN_VAIN = 3  # in a row, before the run waits elsewhere
LONGEST_WISH = 30.0  # seconds; who wants to be left alone for longer is left alone

PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)|<img\b[^>]*>", re.I)
MARKUP = re.compile(r"<!--.*?-->|<[^>]*>", re.S)
MADE_OF_PICTURES = {".pdf", ".png", ".jpg", ".jpeg", ".jp2", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


class MineruParser:
    """A Parser (etl/documents/parsed.py) for ETL_PARSER=mineru."""

    def parse(self, path: Path, *, filename: str, report: Report, remote: Remote) -> Parsed:
        """See Parser.parse(). Looks for at most ETL_TASK_TIMEOUT seconds."""
        progress = _Progress(report)
        document = Document.at(path, filename)
        with Wire(seconds=settings.ETL_TASK_TIMEOUT, watch=progress.again) as wire:
            read = _Errand(wire, document, progress, remote).run()
        return _parsed(read, document, progress)


class _Progress:
    """The last that was told; telling it again asks whether the task is still ours."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.pages: int = 0
        self.total: int | None = None

    def told(self, pages: int, total: int | None) -> None:
        self.pages, self.total = max(self.pages, pages), total or self.total
        self.again()

    def again(self) -> None:
        self._report(self.pages, self.total)


class _Errand:
    """One document on its way through one server."""

    def __init__(self, wire: Wire, document: Document, progress: _Progress, remote: Remote) -> None:
        self.wire, self.document, self.progress, self.remote = wire, document, progress, remote
        self.contract = contract_with(wire)

    def run(self) -> Read:
        """What was read, handed in at most once more when the server lost it."""
        task = self.remote.known or self._submit()
        try:
            try:
                return self._await(task)
            except TaskLost as lost:
                logger.warning("mineru.task_lost", task=task, reason=lost.text)
                return self._await(self._submit())
        except OtherContract as other:
            raise unsupported(other.text) from other
        except TaskLost as lost:
            self.remote.keep("")
            raise failed(lost.text) from lost
        except Unreadable as error:
            if error.slug == DocumentError.PARSER_FAILED:
                self.remote.keep("")  # tried again, it is handed in again
            raise

    def _submit(self) -> str:
        """Hand the document in and keep the id before anything else can happen."""
        try:
            task = self.contract.submit(self.document)
        except OtherContract as other:
            changed = contract_anew(self.wire, self.contract)
            if changed is None:
                raise unsupported(other.text) from other
            self.contract = changed
            task = changed.submit(self.document)
        logger.info("mineru.submitted", task=task, contract=type(self.contract).__name__)
        with self._cancelled_on_leaving(task):
            self.remote.keep(task)
        return task

    def _await(self, task: str) -> Read:
        """Look until it is done. Raises ServerAway when the server cannot be looked at for a while."""
        pauses, in_vain = _pauses(), 0
        with self._cancelled_on_leaving(task):
            while True:
                self.wire.watch()
                pause = next(pauses)
                try:
                    read = self._look(task)
                    in_vain = 0
                except ServerAway as away:
                    in_vain += 1
                    if in_vain >= LOOKS_IN_VAIN or away.asked_to_wait > LONGEST_WISH:
                        raise
                    read, pause = None, max(pause, away.asked_to_wait)
                if read is not None:
                    return read
                self.wire.sleep(pause)

    def _look(self, task: str) -> Read | None:
        seen = self.contract.look(task)
        self.progress.told(seen.pages, seen.total)
        if seen.state is State.FAILED:
            raise failed(seen.words)
        return self.contract.fetch(task, seen) if seen.state is State.DONE else None

    @contextmanager
    def _cancelled_on_leaving(self, task: str) -> Iterator[None]:
        """Nobody waits for a task that was cancelled here or took too long: the server need not go on with it."""
        try:
            yield
        except (LeaseLost, TimedOut):
            self.wire.for_a_last_word()
            try:
                self.contract.cancel(task)
            except (ServerAway, TaskLost, OtherContract, Unreadable) as error:
                logger.info("mineru.not_cancelled", task=task, reason=str(error))
            raise


def _pauses() -> Iterator[float]:
    """Short at first, since many documents are read in a second."""
    longest: float = settings.ETL_MINERU_POLL_SECONDS
    pause = FIRST_PAUSE * longest
    while True:
        yield pause
        pause = min(longest, 2 * pause)


def _parsed(read: Read, document: Document, progress: _Progress) -> Parsed:
    """The result, unless nothing can be read in it."""
    markdown = clean(read.markdown)
    pictures = len(PICTURE.findall(markdown))
    if not any(character.isalnum() for character in MARKUP.sub("", PICTURE.sub("", markdown))):
        raise Unreadable(DocumentError.NEEDS_OCR if document.suffix in MADE_OF_PICTURES else DocumentError.NO_TEXT)
    notes = list(read.notes)
    if pictures:
        notes.append({"what": "named-pictures", "count": pictures})
    return Parsed(markdown, parser=read.parser, pages=progress.total, notes=notes)
