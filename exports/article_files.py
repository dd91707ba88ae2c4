"""Files of articles, read as a stream: JSONL (an object per line) or CSV (a heading, then a row per article)."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from access.services import Actor
from api.codec import decode
from exports.ingest import Ingested, ingest_articles
from exports.rows import NAMES, Fault, names_unknown

FORMATS = ("jsonl", "csv")
FORMAT_OF = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv"}
ROWS_AT_ONCE = 1_000
CHARACTERS_AT_ONCE = 8_000_000  # of rows that wait for their transaction
LINE_AT_MOST = 4_000_000  # characters; a longer one is no article
UNKNOWN_AT_MOST = 50  # names of fields nobody knows
_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Line:
    """One article of a file: where it begins, what it says, and how much memory that takes."""

    number: int  # from one
    row: Any
    size: int
    fault: Fault | None = None  # it could not even be read


@dataclass
class Imported(Ingested):
    """What became of a file so far; `faults` are counted, not kept: a file may have millions."""

    rows: int = 0
    rejected: int = 0
    unknown_columns: list[str] = field(default_factory=list)

    def add(self, chunk: Ingested) -> None:
        """Count what became of some rows."""
        self.created += chunk.created
        self.updated += chunk.updated
        self.unchanged += chunk.unchanged
        self.doubled += chunk.doubled


OnReject = Callable[[Line, list[Fault]], None]  # the row as it came, and all that is wrong with it
OnChunk = Callable[[Imported], None]


def import_articles(
    file: BinaryIO,
    file_format: str,
    *,
    actor: Actor,
    replace_all: bool = False,
    on_reject: OnReject = lambda line, faults: None,
    on_chunk: OnChunk = lambda imported: None,
    rows_at_most: int | None = None,
) -> Imported:
    """Take a file's articles in, a thousand in a transaction; of two with one id the later one counts.

    Memory stays flat but for 8 bytes and a little more per id, by which repeated ones are counted. Fields
    nobody knows are passed over and named. ValidationError for a file that cannot be read as its format, or
    with more rows than `rows_at_most`; what lies before that point in it is in.
    """
    imported = Imported()
    seen: set[int] = set()
    lines = read_lines(file, file_format, imported.unknown_columns)
    if rows_at_most is not None:
        first = list(itertools.islice(lines, rows_at_most + 1))
        if len(first) > rows_at_most:
            message = _("The file has more than %(most)s articles.")
            raise ValidationError(message, code="too-many", params={"most": rows_at_most})
        lines = iter(first)
    for chunk in _chunks(lines):
        imported.rows += len(chunk)
        readable = [line for line in chunk if line.fault is None]
        done = ingest_articles(
            [line.row for line in readable], actor=actor, replace=replace_all, same_id="last", strict=False
        )
        imported.add(done)
        hashes = {hash(article_id) for article_id in done.ids}
        imported.doubled += len(hashes & seen)
        seen |= hashes
        imported.rejected += _tell(chunk, readable, done.faults, on_reject)
        on_chunk(imported)
    return imported


def read_lines(file: BinaryIO, file_format: str, unknown_columns: list[str]) -> Iterator[Line]:
    """The articles of a file one by one; names nobody knows are added to `unknown_columns`."""
    return _csv_lines(file, unknown_columns) if file_format == "csv" else _json_lines(file, unknown_columns)


def _chunks(lines: Iterator[Line]) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += line.size
        if len(chunk) >= ROWS_AT_ONCE or size >= CHARACTERS_AT_ONCE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _tell(chunk: list[Line], readable: list[Line], faults: list[Fault], on_reject: OnReject) -> int:
    """Hand over each bad row with its faults, which then say the line; how many there are."""
    of_line: dict[int, list[Fault]] = {line.number: [line.fault] for line in chunk if line.fault is not None}
    for fault in faults:
        line = readable[fault.row]
        of_line.setdefault(line.number, []).append(replace(fault, row=line.number))
    for line in chunk:
        if line.number in of_line:
            on_reject(line, of_line[line.number])
    return len(of_line)


def _json_lines(file: BinaryIO, unknown_columns: list[str]) -> Iterator[Line]:
    unknown = set(unknown_columns)
    for number in itertools.count(1):
        line = file.readline(LINE_AT_MOST + 1)
        if not line:
            return
        if len(line) > LINE_AT_MOST:
            yield _unread(number, line, "too-long", _("The line is too long for an article."))
            while line and not line.endswith(b"\n"):
                line = file.readline(LINE_AT_MOST)
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            row = decode(line)
        except (ValueError, RecursionError):
            yield _unread(number, line, "not-json", _("The line is not valid JSON."))
            continue
        if isinstance(row, dict):
            for name in sorted(row.keys() - unknown - NAMES.keys())[: UNKNOWN_AT_MOST - len(unknown)]:
                unknown.add(name)
                unknown_columns.append(name)
        yield Line(number, row, len(line))


def _csv_lines(file: BinaryIO, unknown_columns: list[str]) -> Iterator[Line]:
    # what is no UTF-8 comes through as lone surrogates, which the row's own check refuses
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    csv.field_size_limit(LINE_AT_MOST)
    try:
        yield from _csv_rows(text, unknown_columns)
    except csv.Error as error:
        message = _("The file cannot be read as CSV: %(error)s")
        raise ValidationError(message, code="not-csv", params={"error": error}) from error
    finally:
        text.detach()  # the file is the caller's to close


def _csv_rows(text: io.TextIOWrapper, unknown_columns: list[str]) -> Iterator[Line]:
    heading = text.readline(LINE_AT_MOST)
    delimiter = max(_DELIMITERS, key=heading.count)
    names = [name.strip() for name in next(csv.reader([heading], delimiter=delimiter), [])]
    if not {"article_id", "title"} <= {NAMES[name][0] for name in names if name in NAMES}:
        raise ValidationError(
            _("The first line must name the columns, article_id and title among them."), code="no-heading"
        )
    if len(set(names)) < len(names):
        raise ValidationError(_("The first line names a column twice."), code="repeated-column")
    unknown_columns.extend(names_unknown(iter(names))[:UNKNOWN_AT_MOST])
    reader = csv.reader(text, delimiter=delimiter)
    before = 1
    for cells in reader:
        number, before = before + 1, reader.line_num + 1
        if not cells:
            continue
        size = sum(map(len, cells))
        if len(cells) != len(names):
            message = _("The row has %(cells)s cells, the first line %(columns)s.")
            said = message % {"cells": len(cells), "columns": len(names)}
            yield Line(number, cells, size, Fault(number, "", "wrong-width", said))
        else:
            yield Line(number, dict(zip(names, cells, strict=True)), size)


def _unread(number: int, line: bytes, code: str, detail: Any) -> Line:
    shown = line[:1000].decode("utf-8", "replace").rstrip("\n")
    return Line(number, shown, len(shown), Fault(number, "", code, str(detail)))
