"""CSV and TSV: the dialect found by trying, the rows as one table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from etl.documents.parsing.gate.kinds import Kind
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.readers.cleaning import cleaned
from etl.documents.parsing.readers.found import Found, Report
from etl.documents.parsing.readers.tables import table
from etl.documents.parsing.readers.texts import decoded, noted
from etl.documents.parsing.refused import Refused, Why

SEPARATORS = ",\t;|"
SAMPLE_ROWS = 100
CELL_CHARACTERS = 1_000_000


def read(path: Path, limits: Limits, report: Report, kind: Kind) -> Found:
    """The rows as a table; a title above them, in a line of its own, stays a line."""
    csv.field_size_limit(CELL_CHARACTERS)
    text, encoding = decoded(path.read_bytes())
    text = cleaned(text)
    separator, text = _separator(text, is_tabs=kind is Kind.TSV)
    rows: list[list[str]] = []
    for row in _rows(text, separator):
        if any(value.strip() for value in row):
            rows.append(row)
        if len(rows) > limits.rows + 1:
            raise Refused(Why.TOO_MANY_ROWS, f"at most {limits.rows}")
    titles = []
    while len(rows) > 1 and _is_alone(rows[0]) and not _is_alone(rows[1]):
        titles.append("".join(rows.pop(0)).strip())
    return Found("\n\n".join([*titles, table(rows)]), "csv", notes=noted(encoding))


def _separator(text: str, *, is_tabs: bool) -> tuple[str, str]:
    """The separator, and the text without the line in which Excel names it."""
    first, _end, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first) == 5:
        return first[4], rest
    if is_tabs:
        return "\t", text
    return max(SEPARATORS, key=lambda each: _fitness(text, each)), text


def _fitness(text: str, separator: str) -> tuple[float, int]:
    """How well rows agree on a number of columns, one column being no agreement; then how many columns there are."""
    widths: Counter[int] = Counter()
    for row, _number in zip(_rows(text, separator), range(SAMPLE_ROWS), strict=False):
        if row:
            widths[len(row)] += 1
    most = max(widths.items(), key=lambda each: (each[1], each[0]), default=(1, 0))
    return (0.0 if most[0] == 1 else round(most[1] / widths.total(), 1), most[0])


def _rows(text: str, separator: str) -> Iterable[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    except csv.Error as error:
        raise Refused(Why.DAMAGED, str(error)) from error


def _is_alone(row: list[str]) -> bool:
    return sum(1 for value in row if value.strip()) == 1
