"""How the part without Django says that a document cannot be read."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """The words of `etl.documents.choices.DocumentError` that files earn; a test holds the two together."""

    TOO_LARGE = "file-too-large"
    EMPTY_FILE = "empty-file"
    UNKNOWN_TYPE = "unknown-file-type"
    WRONG_EXTENSION = "wrong-extension"
    HAS_MACROS = "has-macros"
    ENCRYPTED = "encrypted"
    DAMAGED = "damaged-file"
    UNSAFE_ARCHIVE = "unsafe-archive"
    UNSAFE_XML = "unsafe-xml"
    TOO_MANY_PAGES = "too-many-pages"
    TOO_MANY_ROWS = "too-many-rows"
    NEEDS_OCR = "needs_ocr"
    NO_TEXT = "no-text"
    TEXT_TOO_LONG = "text-too-long"


class Refused(Exception):
    """No repeat makes this document readable; `text` has the facts of the case."""

    def __init__(self, why: Why, text: str = "") -> None:
        super().__init__(text or why.value)
        self.why, self.text = why, text
