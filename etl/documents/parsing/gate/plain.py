"""Files that are text: no bytes that no text has, and no other format under the name of a text."""

from __future__ import annotations

import re
from pathlib import Path

from etl.documents.parsing.refused import Refused, Why

CHUNK_BYTES = 1_048_576
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")  # UTF-16 with its byte order mark, in which NULs are ordinary
BINARY_STARTS = (
    b"%PDF-", b"PK\x03\x04", b"PK\x05\x06", b"GIF8", b"\x89PNG", b"\xff\xd8\xff", b"BM\x00", b"II*\x00", b"MM\x00*",
    b"RIFF", b"\x7fELF", b"MZ\x90", b"{\\rtf", b"\x1f\x8b", b"BZh9", b"7z\xbc\xaf", b"Rar!", b"%!PS", b"OggS",
    b"\x00\x00\x00", b"\xca\xfe\xba\xbe", b"SQLite format 3",
)  # fmt: skip
# what no text has: control characters but tab, line ends, form feed, escape (of Japanese mail) and Windows' end of file
CONTROLS = bytes(set(range(32)) - {*b"\t\n\r\x0b\x0c\x1a\x1b"})
MOST_CONTROLS = 0.001  # a stray one in a real text is cleaned later
_LEADING = re.compile(rb"\A(?:\s|<\?xml[^>]*>|<!--.*?-->|<!doctype[^>\[]*(?:\[.*?\]\s*)?>)*", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(rb"\A\s*(?:<!doctype\s+html|<html[\s>]|<\?xml\s)", re.IGNORECASE)
_ELEMENT = re.compile(rb"<(?:!doctype\s+html|/?(?:html|head|body|title|meta|div|p|span|table|tr|td|h[1-6]|ul|ol|li|a|b|"
                      rb"br|section|article|main|header|pre|strong|em|i|img|font|center|blockquote|dl))[\s>/]",
                      re.IGNORECASE)  # fmt: skip


def is_known_binary(head: bytes) -> bool:
    """Whether the file begins as some other format does."""
    return head.startswith(BINARY_STARTS)


def check(path: Path, head: bytes, *, is_html: bool) -> None:
    """Raise Refused unless the file is text throughout, and HTML exactly when it is called so."""
    is_wide = head.startswith(WIDE_MARKS)
    visible = head.replace(b"\x00", b"") if is_wide else head
    visible = visible.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    root = visible[_end_of(_LEADING.match(visible)) :][:5].lower()
    if root.startswith(b"<svg"):
        raise Refused(Why.UNKNOWN_TYPE, "a drawing (SVG)")
    if is_html and not _ELEMENT.search(visible):
        raise Refused(Why.WRONG_EXTENSION, "no element of HTML in it")
    if not is_html and _PAGE.match(visible):
        raise Refused(Why.WRONG_EXTENSION, "a page of HTML or XML")
    if not is_wide:
        _refuse_binary(path)


def _end_of(match: re.Match[bytes] | None) -> int:
    return match.end() if match else 0


def _refuse_binary(path: Path) -> None:
    controls = size = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            size += len(chunk)
            controls += len(chunk) - len(chunk.translate(None, CONTROLS))
    # a stray NUL is damage that can be cleaned; many mean that this is no text
    if controls > max(3, size * MOST_CONTROLS):
        raise Refused(Why.WRONG_EXTENSION, "not a text")
