"""What was read of a document, found again: its text, who read it, and what there is to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from etl.documents import storage
from etl.documents.choices import Stage
from etl.documents.mineru import credit_of
from etl.documents.models import ETLTask
from etl.documents.notes import Note, notes_in_words


@dataclass(frozen=True)
class Text:
    """A document as Markdown, in a file of its own."""

    key: str
    size: int
    parser: str
    pages: int | None
    notes: list[Note]

    @property
    def in_words(self) -> list[str]:
        """The notes, in the language of now."""
        return notes_in_words(self.notes)

    @property
    def credit(self) -> str:
        """What has to be said beside the text of whoever read it; empty for most."""
        return credit_of(self.parser)

    def content(self) -> bytes:
        """The Markdown, UTF-8. Raises Unreadable ("file-lost")."""
        return storage.read(self.key)

    def beginning(self, most: int) -> bytes:
        """So many bytes of it. Raises Unreadable ("file-lost")."""
        return storage.read(self.key, most)


def text_of(task: ETLTask) -> Text | None:
    """What was last read of it; None while nothing was, or when it is being read anew."""
    record = task.steps.filter(step=Stage.PARSE).usable().in_order().last()
    if record is None:
        return None
    made = record.output
    return Text(made["file"], made["size"], made["parser"], made["pages"], made["notes"])
