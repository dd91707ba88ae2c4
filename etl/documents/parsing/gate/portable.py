"""PDF files: whole, not encrypted, and nothing else at the same time."""

from __future__ import annotations

import re
from pathlib import Path

from etl.documents.parsing.refused import Refused, Why

MAGIC = b"%PDF-"
END_BYTES = 8_192  # programs append a little behind the end
ZIP_TAIL_BYTES = 65_557
CHUNK_BYTES = 1_048_576
OVERLAP_BYTES = 128
# of a trailer or of the dictionary of a cross-reference stream; both stand in clear text
ENCRYPTED = re.compile(rb"/Encrypt\s*(?:\d+\s+\d+\s+R\b|<<)")


def starts_like_pdf(head: bytes) -> bool:
    """Whether a reader would take it for a PDF; blanks and a byte order mark before it are common."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\x00\t\n\x0c\r ").startswith(MAGIC)


def check(path: Path) -> None:
    """Raise Refused for a PDF that is cut off, encrypted, or an archive as well."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - ZIP_TAIL_BYTES))
        tail = file.read()
    if _is_archive_too(tail):
        raise Refused(Why.WRONG_EXTENSION, "a PDF and an archive at the same time")
    if b"%%EOF" not in tail[-END_BYTES:] or b"startxref" not in tail[-END_BYTES:]:
        raise Refused(Why.DAMAGED, "the end of the file is missing")
    if _is_encrypted(path):
        raise Refused(Why.ENCRYPTED)


def _is_archive_too(tail: bytes) -> bool:
    """Whether the end of a zip's directory ends the file, as `zipfile` looks for it."""
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return False
    return at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") <= len(tail) and b"PK\x01\x02" in tail


def _is_encrypted(path: Path) -> bool:
    with path.open("rb") as file:
        kept = b""
        while chunk := file.read(CHUNK_BYTES):
            if ENCRYPTED.search(kept + chunk):
                return True
            kept = chunk[-OVERLAP_BYTES:]
    return False
