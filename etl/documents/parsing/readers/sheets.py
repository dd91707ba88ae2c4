"""XLSX by openpyxl, row by row: a heading per sheet, a table per block of rows, values as a person reads them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from etl.documents.parsing.gate.kinds import Kind
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.readers.found import Found, Report, listed
from etl.documents.parsing.readers.sheet_marks import Marks, marks_of
from etl.documents.parsing.readers.tables import cell, table, with_one_head
from etl.documents.parsing.readers.values import as_read
from etl.documents.parsing.refused import Refused, Why

NOT_CALCULATED = "[not calculated]"
REPORT_EVERY_ROWS = 1000

Cells = dict[int, "_Value"]  # by column, only those with a value
Rows = dict[int, Cells]  # by row


def read(path: Path, limits: Limits, report: Report, kind: Kind) -> Found:
    """All sheets, hidden ones too. Raises Refused when one has too many rows."""
    # the gate has refused document types in every part, so this need not be done again, three times as slowly
    os.environ["OPENPYXL_DEFUSEDXML"] = "False"
    import openpyxl

    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        # as a file: a path is judged by its extension, and ours has none
        workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        return _found(workbook, archive, limits, report)


def _found(workbook: Any, archive: zipfile.ZipFile, limits: Limits, report: Report) -> Found:
    parts: list[str] = []
    hidden: list[str] = []
    unknown: list[str] = []
    sheets = workbook.worksheets
    if not sheets:
        raise Refused(Why.DAMAGED, "no sheets")
    if len(sheets) > limits.pages:
        raise Refused(Why.TOO_MANY_PAGES, f"{len(sheets)} sheets, at most {limits.pages}")
    for number, sheet in enumerate(sheets, start=1):
        # nothing public says which part of the archive a sheet is
        with archive.open(sheet._worksheet_path.lstrip("/")) as part:
            marks = marks_of(part, limits.rows, sheet.title)
        rows = _rows(sheet, marks)
        unknown += [f"{sheet.title}!{place}" for place in marks.places()]
        if sheet.sheet_state != "visible":
            hidden.append(sheet.title)
        if rows:
            parts += [f"## {cell(sheet.title)}", *_blocks(rows, marks)]
        report(number, len(sheets))
    notes: list[dict[str, Any]] = []
    if unknown:
        notes.append({"what": "formulas", "where": listed(unknown)})
    if hidden:
        notes.append({"what": "hidden", "where": listed(hidden)})
    text = "\n\n".join(parts)
    return Found(text, f"openpyxl {version('openpyxl')}", pages=len(sheets), notes=notes)


def _rows(sheet: Any, marks: Marks) -> Rows:
    """The cells that have a value, or a formula without one."""
    sheet.reset_dimensions()  # what the file says about its size may be anything
    rows: Rows = {}
    for number, row in enumerate(sheet.iter_rows(), start=1):
        found = {each.column: each for each in row if each.value is not None and each.value != ""}
        if found:
            rows[number] = {column: _Value(as_read(each), each.data_type == "s") for column, each in found.items()}
    for (number, column), formula in marks.formulas.items():
        rows.setdefault(number, {})[column] = _Value(f"={formula} {NOT_CALCULATED}", False)
    return dict(sorted(rows.items()))


class _Value(str):
    """A value as it is read, and whether it is a text in the sheet."""

    is_text: bool

    def __new__(cls, text: str, is_text: bool) -> _Value:
        value = super().__new__(cls, text)
        value.is_text = is_text
        return value


def _blocks(rows: Rows, marks: Marks) -> Iterator[str]:
    """Tables, with the lines that stand alone above them as text."""
    for block in _separated(rows):
        width = max(max(cells) for cells in block.values())
        first = min(min(cells) for cells in block.values())
        numbers = list(block)
        if first == width and all(cells[first].is_text for cells in block.values()):
            yield "\n\n".join(cells[first] for cells in block.values())
            continue
        while len(numbers) > 1 and first < width and _is_title(block, numbers[0], marks, first, width):
            yield next(iter(block[numbers.pop(0)].values()))
        if len(numbers) == 1 and len(block[numbers[0]]) == 1:
            yield next(iter(block[numbers[0]].values()))
            continue
        merged_below = _merged_below(block, numbers, marks)
        _expand(block, numbers, marks, width)
        lines = [[str(block[number].get(column, "")) for column in range(first, width + 1)] for number in numbers]
        yield table(with_one_head(lines, merged_below))


def _separated(rows: Rows) -> Iterator[Rows]:
    """Runs of rows without an empty one between them."""
    block: Rows = {}
    last = 0
    for number, cells in rows.items():
        if block and number > last + 1:
            yield block
            block = {}
        block[number] = cells
        last = number
    if block:
        yield block


def _is_title(block: Rows, number: int, marks: Marks, first: int, width: int) -> bool:
    """Whether a row has one value, which belongs to no column of those below: merged across all, or not at all."""
    if len(block[number]) != 1:
        return False
    column = next(iter(block[number]))
    merged = marks.starting_at(number, column)
    return merged is None or merged.right == merged.left or (merged.left <= first and merged.right >= width)


def _merged_below(block: Rows, numbers: list[int], marks: Marks) -> int:
    """How many rows below the first belong to its head: those a head reaches into, those it divides into columns."""
    top = numbers[0]
    merged = [each for column in block[top] if (each := marks.starting_at(top, column)) is not None]
    most = max((min(each.bottom, numbers[-1]) - top for each in merged), default=0)
    if any(each.right > each.left for each in merged) and len(numbers) > 2:
        below = block.get(numbers[1], {})
        if below and all(value.is_text for value in below.values()):
            most = max(most, 1)
    return most if most < len(numbers) - 1 else 0


def _expand(block: Rows, numbers: list[int], marks: Marks, width: int) -> None:
    """Write the value of merged cells into each place they cover."""
    for merged in marks.merged_within(numbers[0], numbers[-1]):
        value = block.get(merged.top, {}).get(merged.left)
        if value is None:
            continue
        for number in range(merged.top, min(merged.bottom, numbers[-1]) + 1):
            for column in range(merged.left, min(merged.right, width) + 1):
                if number in block:
                    block[number].setdefault(column, value)
