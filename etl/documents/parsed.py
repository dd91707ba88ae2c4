"""What every parser gives, and how it says that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from etl.documents.choices import DocumentError
from etl.documents.notes import Note
from runs.errors import RunFailed

Report = Callable[[int, int | None], None]  # (pages read, pages in all if known); cheap, called as often as one likes


@dataclass(frozen=True)
class Parsed:
    """A document as Markdown: headings, paragraphs, and tables as Markdown tables."""

    markdown: str
    parser: str  # name and version, as the result shows it
    pages: int | None = None  # pages, slides or sheets; None where the format has none
    notes: list[Note] = field(default_factory=list)  # what a reader must know, such as formulas without a value


class Unreadable(RunFailed):
    """A document that no repeat makes readable. `slug` is a DocumentError, `text` the facts of this case."""

    def __init__(self, slug: DocumentError, text: str = "") -> None:
        super().__init__(slug.value, text)


@dataclass(frozen=True)
class Remote:
    """Work on a server elsewhere that outlives this process: its id there, kept with the task before it is polled."""

    known: str  # the id of an earlier attempt; '' when nothing was submitted yet
    keep: Callable[[str], None]  # commits the id; raises LeaseLost when the task is no longer ours


class Parser(Protocol):
    """Turns a file into Markdown. Holds no transaction and no lock; may take minutes."""

    def parse(self, path: Path, *, filename: str, report: Report, remote: Remote) -> Parsed:
        """Read the file at `path`, which was uploaded as `filename`.

        `report` may raise LeaseLost (cancelled, taken over): then give up at once. A parser that works in this house
        ignores `remote`. Raises Unreadable for the document's own faults, runs.errors.Outage when what it needs is
        away.
        """
