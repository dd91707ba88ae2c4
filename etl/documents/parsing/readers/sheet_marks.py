"""What openpyxl does not tell when it reads row by row: merged cells, formulas without a value, its length."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import IO
from xml.parsers import expat

from etl.documents.parsing.refused import Refused, Why

CHUNK_BYTES = 262_144
FORMULA_CHARACTERS = 200
MOST_MERGED = 100_000
_PLACE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")


@dataclass(frozen=True)
class Merged:
    """A range of merged cells; only the first has a value."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass
class Marks:
    """The merged cells of a sheet, and its formulas without a stored value."""

    merged: dict[tuple[int, int], Merged] = field(default_factory=dict)
    formulas: dict[tuple[int, int], str] = field(default_factory=dict)

    def starting_at(self, row: int, column: int) -> Merged | None:
        """The merged cells whose value stands here."""
        return self.merged.get((row, column))

    def merged_within(self, first: int, last: int) -> list[Merged]:
        """Those that start in these rows."""
        return [each for each in self.merged.values() if first <= each.top <= last]

    def places(self) -> list[str]:
        """Where the formulas stand, as a person calls it."""
        return [f"{_letters(column)}{row}" for row, column in self.formulas]


def marks_of(part: IO[bytes], most_rows: int, title: str) -> Marks:
    """Read a sheet's XML once, keeping no cell. Raises Refused at more rows with something in them than allowed."""
    return _Reading(most_rows, title).of(part)


class _Reading:
    """The handlers of one pass."""

    def __init__(self, most_rows: int, title: str) -> None:
        self._marks = Marks()
        self._most_rows, self._title = most_rows, title
        self._rows = self._row = self._column = 0
        self._row_counted = False
        self._kind = ""
        self._formula: str | None = None
        self._value = ""
        self._into = ""  # the element whose text is being read

    def of(self, part: IO[bytes]) -> Marks:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            while chunk := part.read(CHUNK_BYTES):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise Refused(Why.DAMAGED, f"{self._title}: {expat.ErrorString(error.code)}") from error
        return self._marks

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(" ")[2]
        if name == "c":
            place = _place(attributes.get("r", ""))
            self._row, self._column = place or (self._row, self._column + 1)
            self._kind = attributes.get("t", "")
            self._formula, self._value = None, ""
        elif name == "row":
            self._row = int(attributes["r"]) if attributes.get("r", "").isdigit() else self._row + 1
            self._column = 0
            self._row_counted = False
        elif name == "f":
            self._formula, self._into = "", name
        elif name in ("v", "t"):
            self._into = name
        elif name == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def _text(self, text: str) -> None:
        if self._into == "f" and self._formula is not None:
            self._formula = (self._formula + text)[:FORMULA_CHARACTERS]
        elif self._into and not self._value:
            self._value = text[:1]

    def _end(self, name: str) -> None:
        name = name.rpartition(" ")[2]
        if name in ("f", "v", "t"):
            self._into = ""
        if name != "c":
            return
        if self._formula is not None and not self._value and self._kind != "str":
            self._marks.formulas[self._row, self._column] = self._formula
        if (self._value or self._formula is not None) and not self._row_counted:
            self._row_counted = True
            self._rows += 1
            if self._rows > self._most_rows + 1:  # and one for the head
                raise Refused(Why.TOO_MANY_ROWS, f"{self._title}: at most {self._most_rows}")

    def _merge(self, reference: str) -> None:
        first, _colon, last = reference.partition(":")
        start, end = _place(first), _place(last)
        if start and end and len(self._marks.merged) < MOST_MERGED:
            self._marks.merged[start] = Merged(start[0], start[1], end[0], end[1])


def _place(reference: str) -> tuple[int, int] | None:
    match = _PLACE.fullmatch(reference)
    if match is None:
        return None
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return int(match[2]), column


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters or "?"
