"""Any filtered list as a file: CSV of any length, XLSX up to XLSX_ROWS rows.

Which rows a file holds is decided at once, by reading their keys (8 bytes each) in one statement; their
values are then read a few hundred at a time, in the order of the key. So nothing is missed or doubled
however long a download takes, no transaction stays open behind a slow reader, and memory stays flat. A row
deleted meanwhile is left out, and the last line tells how many there are.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

from django.db import models, transaction
from django.db.models import JSONField, TextField
from django.db.models.functions import Cast
from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

FORMATS = ("csv", "xlsx")
XLSX_ROWS = 50_000
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS_AT_ONCE = 500
KEYS_AT_ONCE = 20_000

# what a spreadsheet takes for the beginning of a formula, full-width forms included
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_NO_XLSX_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_XLSX_CELL = 32_767  # characters
_EXACT_IN_XLSX = 10**15  # a spreadsheet keeps 15 digits of a number


class TooManyRows(Exception):
    """More rows than a spreadsheet may have; CSV has no such limit."""

    slug = "too-many-rows"
    title = _("Too many rows for a spreadsheet")

    def __init__(self, rows: int) -> None:
        message = _("A spreadsheet may have %(most)s rows, and these are %(rows)s. Take the CSV, or filter further.")
        numbers = {"most": XLSX_ROWS, "rows": rows}
        self.message = message % {name: number_format(each, force_grouping=True) for name, each in numbers.items()}
        super().__init__(self.message)


@dataclass(frozen=True)
class Table:
    """What a file will hold: these rows, these columns (field or lookup → heading), and what was asked for."""

    name: str
    rows: models.QuerySet
    columns: Mapping[str, str]
    filter_text: str = ""
    keys: array[int] | list[Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", _keys(self.rows))

    def values(self) -> Iterator[list[tuple[Any, ...]]]:
        """The rows a few hundred at a time; each piece is a short query of its own."""
        model = self.rows.model
        casts = {
            f"text_of_{name}": Cast(name, TextField())  # the database's own text keeps every digit
            for name in self.columns
            if isinstance(_model_field(model, name), JSONField)
        }
        wanted = [f"text_of_{name}" if f"text_of_{name}" in casts else name for name in self.columns]
        manager = model._base_manager.annotate(**casts).order_by("pk")
        for start in range(0, len(self.keys), ROWS_AT_ONCE):
            yield list(manager.filter(pk__in=list(self.keys[start : start + ROWS_AT_ONCE])).values_list(*wanted))


def download(table: Table, file_format: str) -> HttpResponseBase:
    """The file as an answer. Raises TooManyRows for what does not fit into a spreadsheet."""
    filename = f"{table.name}-{timezone.localtime():%Y-%m-%d-%H%M}.{file_format}"
    answer: HttpResponseBase
    if file_format == "xlsx":
        if len(table.keys) > XLSX_ROWS:
            raise TooManyRows(len(table.keys))
        answer = FileResponse(xlsx_file(table), as_attachment=True, filename=filename, content_type=XLSX_TYPE)
    else:
        answer = StreamingHttpResponse(csv_pieces(table), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = content_disposition_header(True, filename) or ""
    answer["X-Row-Count"] = str(len(table.keys))
    answer["Cache-Control"] = "no-store"
    return answer


def csv_pieces(table: Table) -> Iterator[bytes]:
    """UTF-8 with a byte order mark, a heading, the rows, and a last line that says the file is whole."""
    yield b"\xef\xbb\xbf" + _csv_lines([list(table.columns.values())], csv_text)
    written = 0
    for piece in table.values():
        written += len(piece)
        yield _csv_lines(piece, csv_text)
    yield _csv_lines([[f"# {closing_words(table, written)}"]], csv_text)


def closing_words(table: Table, written: int) -> str:
    """How many rows there are, and of what."""
    said = _("%(rows)s rows") % {"rows": written}
    if gone := len(table.keys) - written:
        said += _("; %(gone)s deleted meanwhile") % {"gone": gone}
    return said + "; " + (_("filter: %(filter)s") % {"filter": table.filter_text or _("none")})


def csv_text(value: Any) -> str:
    """One cell. Text that a spreadsheet would run as a formula begins with an apostrophe; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value) if isinstance(value, int) else format(value, "f")
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat()
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def xlsx_file(table: Table) -> IO[bytes]:
    """A spreadsheet without a single formula, with a second sheet that says what the first one is."""
    from openpyxl import Workbook  # not above: every command would load it, which takes a fifth of its start

    book = Workbook(write_only=True)
    sheet = book.create_sheet(table.name[:31])
    sheet.freeze_panes = "A2"
    cell = _cell_maker(sheet)
    sheet.append([cell(heading) for heading in table.columns.values()])
    written = 0
    for piece in table.values():
        written += len(piece)
        for row in piece:
            sheet.append([cell(value) for value in row])
    about = book.create_sheet(_("About"))
    about.append([_cell_maker(about)(closing_words(table, written))])
    file = tempfile.TemporaryFile()  # noqa: SIM115 - FileResponse closes it
    book.save(file)
    file.seek(0)
    return file


def _cell_maker(sheet: Any) -> Callable[[Any], Any]:
    from openpyxl.cell import WriteOnlyCell

    def make(value: Any) -> Any:
        shown = xlsx_value(value)
        cell = WriteOnlyCell(sheet, value=shown)
        if isinstance(shown, str):
            cell.data_type = "s"  # openpyxl takes text after "=" for a formula, and "#N/A" for an error
        return cell

    return make


def xlsx_value(value: Any) -> Any:
    """One cell's value: local time, no control characters, no digit lost."""
    if isinstance(value, datetime):
        return timezone.localtime(value).replace(tzinfo=None)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT_IN_XLSX:
        return str(value)
    if isinstance(value, bool | int | float | Decimal) or value is None:
        return value
    text = _NO_XLSX_CHARACTER.sub("", str(value))
    return text if len(text) <= _XLSX_CELL else f"{text[: _XLSX_CELL - 1]}…"


def _csv_lines(rows: list[Any], text: Callable[[Any], str]) -> bytes:
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerows([text(value) for value in row] for row in rows)
    return lines.getvalue().encode()


def _keys(rows: models.QuerySet) -> array[int] | list[Any]:
    """All keys in order, as one statement saw them; numbers take the least room."""
    is_number = isinstance(rows.model._meta.pk, models.IntegerField)
    keys: Any = array("q") if is_number else []
    with transaction.atomic():  # a cursor of the server lives in a transaction; this one ends before we answer
        keys.extend(rows.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=KEYS_AT_ONCE))
    return keys


def _model_field(model: type[models.Model], name: str) -> models.Field | None:
    return None if "__" in name else model._meta.get_field(name)  # type: ignore[return-value]
