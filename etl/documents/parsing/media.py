"""What a file is, asked where it comes in and again where it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from etl.documents.choices import DocumentError
from etl.documents.parsed import Unreadable
from etl.documents.parsing.gate.kinds import Kind, kind_of
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.refused import Refused

MEDIA_TYPES = {
    Kind.PDF: "application/pdf",
    Kind.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    Kind.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Kind.PPTX: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    Kind.HTML: "text/html",
    Kind.CSV: "text/csv",
    Kind.TSV: "text/tab-separated-values",
    Kind.TXT: "text/plain",
    Kind.MARKDOWN: "text/markdown",
}


@dataclass(frozen=True)
class Media:
    """A file that may be read."""

    kind: str
    media_type: str


def recognise(path: Path, filename: str) -> Media:
    """What the file at `path`, called `filename`, is; by name and content, which must agree.

    Quick and with little memory for any file: it unpacks, counts and throws away, and parses nothing. Raises
    Unreadable for what is not on the list, not what it says, or not harmless.
    """
    try:
        kind = kind_of(path, filename, limits_of_this_house())
    except Refused as refused:
        raise Unreadable(DocumentError(refused.why.value), refused.text) from refused
    except FileNotFoundError as error:
        raise Unreadable(DocumentError.FILE_LOST) from error
    return Media(kind.value, MEDIA_TYPES[kind])


def limits_of_this_house() -> Limits:
    """The limits as the settings have them."""
    return Limits(
        file_bytes=settings.ETL_MAX_BYTES,
        pages=settings.ETL_MAX_PAGES,
        rows=settings.ETL_MAX_ROWS,
        entries=settings.ETL_MAX_ENTRIES,
        ratio=settings.ETL_MAX_RATIO,
        memory_bytes=settings.ETL_PARSER_MEMORY_BYTES,
        cpu_seconds=int(settings.ETL_PARSER_CPU_SECONDS),
        seconds=int(settings.ETL_TASK_TIMEOUT),
    )
