"""Text as databases and readers can take it."""

from __future__ import annotations

import re
import unicodedata

# control characters but tab and line feed; halves of a pair, which no UTF-8 has; marks of no text
_UNUSABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")


def cleaned(text: str) -> str:
    """One kind of line end, no characters that PostgreSQL or JSON refuse, no more than one blank line in a row."""
    text = _UNUSABLE.sub("", _LINE_ENDS.sub("\n", text.replace("\x0c", "\n")))
    text = _BLANK_LINES.sub("\n\n", _TRAILING.sub("", text)).strip("\n")
    return text + "\n" if text else ""


def visible(text: str) -> int:
    """How many characters of it one can see and that are words: no blanks, no lines of tables."""
    return sum(1 for each in text if unicodedata.category(each)[0] in "LNS" and each not in "|`^~<>=+")
