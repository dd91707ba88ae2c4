"""Texts with {fields}: taken apart once, filled many times; and what keeps a value in its place.

A value is never looked into for fields. What brackets and lines come to nothing is left out (exports/printing.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

_FIELD = re.compile(r"\{(\w+)\}")
_PAIRS = [tuple(map(re.escape, pair)) for pair in ("（）", "()", "【】", "[]", "<>")]
# brackets around at least one field and no brackets of their kind
_BRACKETED = re.compile("|".join(rf"{o}[^{o}{c}\n]*\{{\w+\}}[^{o}{c}\n]*{c}" for o, c in _PAIRS))
_LINE_BREAKS = re.compile("[ \t]*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029][\\s]*")
_OTHER_NEWLINES = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")


def fields_of(text: str) -> list[str]:
    """The names in braces, in order."""
    return _FIELD.findall(text)


class Text:
    """A text with fields, taken apart once and filled many times."""

    def __init__(self, text: str) -> None:
        self.lines = [_Line(line) for line in newlines_as_one(text).split("\n")]

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with its fields replaced; lines and brackets that came to nothing are left out."""
        filled = (line.filled(values) for line in self.lines)
        return "\n".join(line for line in filled if line is not None).strip("\n")


class _Line:
    def __init__(self, line: str) -> None:
        self.has_fields = _FIELD.search(line) is not None
        # literal, field, literal, field, … each; the odd ones are what stands in brackets
        self.parts: list[list[str]] = []
        end = 0
        for match in _BRACKETED.finditer(line):
            self.parts += [_FIELD.split(line[end : match.start()]), _FIELD.split(match[0])]
            end = match.end()
        self.parts.append(_FIELD.split(line[end:]))

    def filled(self, values: Mapping[str, str]) -> str | None:
        written: list[str] = []
        for place, pieces in enumerate(self.parts):
            if place % 2 and not any(values.get(name) for name in pieces[1::2]):
                written[-1:] = [each.rstrip() for each in written[-1:]]
                continue
            written += [values.get(piece, "") if odd % 2 else piece for odd, piece in enumerate(pieces)]
        line = "".join(written)
        return None if self.has_fields and not line.strip() else line


def newlines_as_one(text: str) -> str:
    """Every kind of line break as \\n."""
    return _OTHER_NEWLINES.sub("\n", text)


def one_line(text: str) -> str:
    """The text with its line breaks folded into spaces."""
    return _LINE_BREAKS.sub(" ", text).strip()


_MEANS_SOMETHING = re.compile(r"([\\`*_\[\]<>~|&])")
_AT_LINE_START = re.compile(r"^([#+=:-]|\d{1,9}(?=[.)]))")
_NOT_IN_ADDRESS = re.compile(r"[\s<>\"\\^`{|}()\[\]]")


def escaped(line: str) -> str:
    """One line as text to Markdown, whatever it holds."""
    line = _MEANS_SOMETHING.sub(r"\\\1", line)
    return _AT_LINE_START.sub(lambda match: _escaped_start(match[0]), line)


def _escaped_start(start: str) -> str:
    # digits cannot be escaped; of what would begin a list the point after them can
    return f"\\{start}" if not start[0].isdigit() else f"{start}\\"


def web_address(address: str) -> str:
    """An http(s) address that cannot leave its brackets in Markdown; "" for any other."""
    try:
        is_web = urlsplit(address).scheme.lower() in ("http", "https")
    except ValueError:
        is_web = False
    if not is_web:
        return ""
    return _NOT_IN_ADDRESS.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), address)
