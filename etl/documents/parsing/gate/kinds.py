"""What a file is, by its name and by its content; both have to agree."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from etl.documents.parsing.gate import archives, office, plain, portable
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.refused import Refused, Why

HEAD_BYTES = 65_536


class Kind(StrEnum):
    """The kinds of documents that can be read."""

    PDF = "pdf"
    DOCX = "docx"
    XLSX = "xlsx"
    PPTX = "pptx"
    HTML = "html"
    CSV = "csv"
    TSV = "tsv"
    TXT = "txt"
    MARKDOWN = "md"


BY_EXTENSION = {kind.value: kind for kind in Kind} | {"htm": Kind.HTML, "markdown": Kind.MARKDOWN}
OFFICE = (Kind.DOCX, Kind.XLSX, Kind.PPTX)
WITH_MACROS = ("docm", "dotm", "xlsm", "xltm", "xlam", "pptm", "potm", "ppsm", "ppam", "sldm")


def kind_of(path: Path, filename: str, limits: Limits) -> Kind:
    """The kind of the file at `path` that is called `filename`. Raises Refused; memory stays flat, whatever it is."""
    extension = Path(filename).suffix.lower().removeprefix(".")
    kind = BY_EXTENSION.get(extension)
    if kind is None:
        if extension in WITH_MACROS:
            raise Refused(Why.HAS_MACROS, f".{extension}")
        raise Refused(Why.UNKNOWN_TYPE, f".{extension}" if extension else "no extension")
    size = path.stat().st_size
    if size == 0:
        raise Refused(Why.EMPTY_FILE)
    if size > limits.file_bytes:
        raise Refused(Why.TOO_LARGE, f"{size} bytes, at most {limits.file_bytes}")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(office.COMPOUND_MAGIC):
        raise office.refusal_of_compound(path, extension)
    _fits(kind, head, extension)
    if kind is Kind.PDF:
        portable.check(path)
    elif kind in OFFICE:
        with archives.opened(path, limits) as archive:
            office.check(archive, kind.value)
    else:
        plain.check(path, head, is_html=kind is Kind.HTML)
    return kind


def _fits(kind: Kind, head: bytes, extension: str) -> None:
    """Raise Refused where the first bytes are those of something else."""
    if kind is Kind.PDF:
        fits = portable.starts_like_pdf(head)
    elif kind in OFFICE:
        fits = head.startswith(archives.MAGIC)
        if not fits and head.startswith(archives.OTHER_MAGIC):
            raise Refused(Why.DAMAGED, "an archive without entries, or one in parts")
    else:
        fits = not plain.is_known_binary(head)
    if not fits:
        raise Refused(Why.WRONG_EXTENSION, f"the content is not that of a .{extension}")
