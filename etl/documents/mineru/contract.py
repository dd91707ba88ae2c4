"""What every contract with a MinerU server comes down to: hand in, look, fetch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _

from etl.documents.mineru.troubles import ServerAway
from etl.documents.mineru.wire import Document, Wire
from etl.documents.notes import Note

MOST_BYTES_OF_TEXT = 64_000_000
LONGEST_ID = 200


class State(Enum):
    """Where a task on the server stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Look:
    """What one look at a task told."""

    state: State
    pages: int = 0
    total: int | None = None
    words: str = ""  # why it failed
    place: str = ""  # where the result is, if not with the server


@dataclass(frozen=True)
class Read:
    """What the server read."""

    markdown: str
    parser: str
    notes: list[Note] = field(default_factory=list)


class Contract(ABC):
    """One generation of servers. All raise ServerAway, TaskLost, OtherContract, TimedOut and Unreadable."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    @abstractmethod
    def submit(self, document: Document) -> str:
        """Hand the document in; the id of the task there."""

    @abstractmethod
    def look(self, task_id: str) -> Look:
        """How far it is."""

    @abstractmethod
    def fetch(self, task_id: str, seen: Look) -> Read | None:
        """What came of a task that is done; None while it is not there yet."""

    @abstractmethod
    def version(self) -> str:
        """Who answers; asked only by the doctor, so that it also shows that the key is right."""

    def cancel(self, task_id: str) -> None:
        """Let the server stop, where it can."""
        return


def in_path(task_id: str) -> str:
    """An id as part of an address."""
    return quote(task_id, safe="")


def named(value: Any) -> str:
    """The id a server gave. Raises ServerAway for what can be none."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isascii() and value.isprintable():
        return value
    raise ServerAway(_("The MinerU server took the document and named no task."))


def count(value: Any) -> int | None:
    """A number of pages; None for what can be none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def member(value: Any, *names: str) -> dict[str, Any]:
    """The object at this path of names; empty when there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
