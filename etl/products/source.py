"""Where product rows come from: pages of the staging table, read in the order of the cursor.

Everything here only reads. All payload cells are cast to text, so that a column may be text, jsonb,
numeric or boolean in the source without the normaliser noticing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, Protocol, Self

from django.conf import settings
from django.db import ProgrammingError, connections
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from psycopg import sql

from etl.products.normalise import RawProduct
from etl.products.positions import FIRST_MOMENT, Position

PAGE_MAX_BYTES = 16_000_000
CELL_KEPT_OF_OVERSIZED_ROW = 200

# which source column feeds which cell; the first that exists is taken
COLUMNS: dict[str, tuple[str, ...]] = {
    "brand": ("style_brand_no", "brand_code", "brand"),
    "sku": ("style_no", "sku"),
    "name": ("name", "commodity_name", "product_name", "style_name"),
    "price": ("price", "sale_price", "retail_price"),
    "colors": ("colors_concat", "colors"),
    "tags": ("tags_json", "tags"),
    "attrs": ("attrs_json", "attributes"),
    "description": ("description",),
    "image_url": ("image_url",),
    "on_sale": ("on_sale", "onsale", "is_on_sale", "is_sale"),
}
ID_COLUMN, TIME_COLUMN = "id", "src_updated_at"
# -infinity and dates before Christ have no Python datetime; such rows count as untimed
EARLIEST = sql.Literal(FIRST_MOMENT)
PAYLOAD = tuple(COLUMNS)


# One statement: a page in order, bounded in bytes, joined with the stored versions. Cells of a row over the
# limit come cut short, so that one huge cell costs no memory; `row_bytes` has its true size.
PAGE = """
    WITH page AS (
        SELECT s.{id} AS id, CASE WHEN s.{time} >= {earliest} THEN s.{time} END AS at,
               {size} AS row_bytes, {cells}
          FROM {table} s WHERE {where}
         ORDER BY {order} LIMIT %(limit)s
    ), bounded AS (
        SELECT page.*, sum(row_bytes) OVER (ORDER BY at, id) - row_bytes AS bytes_before FROM page
    )
    SELECT b.id, {shown}, b.at, b.row_bytes,
           p.id, p.data_version, p.src_updated_at, p.src_id, p.is_deleted
      FROM bounded b
      LEFT JOIN products p ON p.brand_code = b.brand AND p.sku = b.sku
     WHERE b.bytes_before < %(page_bytes)s OR %(page_bytes)s IS NULL
     ORDER BY b.at, b.id
"""
CELL_SIZE = "coalesce(octet_length(s.{column}::text), 0)"
CELL_SHOWN = "CASE WHEN b.row_bytes > %(row_limit)s THEN left(b.{cell}, %(kept)s) ELSE b.{cell} END"
RAW_WIDTH = len(RawProduct._fields)  # columns of PAGE before those of what is stored


class SourceUnusable(Exception):
    """The source cannot be read as it is; the message says what to mend."""

    slug = "source-unusable"
    title = gettext_lazy("The source cannot be read")

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.extra: dict[str, Any] = {}


class Stored(NamedTuple):
    """What we already have of a row's product."""

    product_id: int
    data_version: str
    src_updated_at: datetime | None
    src_id: int | None
    is_deleted: bool

    def is_newer_than(self, position: Position) -> bool:
        """Whether it came from a later place in the source; of unknown origin means older than all."""
        if self.src_updated_at is None or self.src_id is None:
            return False
        return (self.src_updated_at, self.src_id) > position


class SourceRow(NamedTuple):
    """A row as read, with what is stored under its key as written in the source; None is sure knowledge."""

    raw: RawProduct
    stored: Stored | None


def as_source_row(row: tuple[Any, ...]) -> SourceRow:
    """A row of PAGE."""
    stored = Stored(*row[RAW_WIDTH:]) if row[RAW_WIDTH] is not None else None
    return SourceRow(RawProduct(*row[:RAW_WIDTH]), stored)


class Source(Protocol):
    """What a run reads from. As a context manager it lets go of its connection in the end."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *failure: object) -> None: ...

    @property
    def table(self) -> str:
        """Its name in runs, rejected rows and the watermark."""

    def check(self) -> None:
        """Raise SourceUnusable unless it can be read."""

    def warnings(self) -> list[str]:
        """What makes reading slower than it need be, with the remedy."""

    def now(self) -> datetime:
        """Its own clock: rows stamped later than this wait."""

    def widened(self, start: Position | None) -> Position | None:
        """Where a run that looks back should begin; earlier where the source's order of time is in doubt."""

    def count_between(self, after: Position | None, until: datetime) -> int: ...
    def count_waiting(self, until: datetime) -> int: ...
    def page(self, after: Position | None, until: datetime, limit: int) -> list[SourceRow]: ...
    def untimed(self, after_id: int, limit: int) -> list[SourceRow]: ...
    def rows(self, ids: Sequence[int]) -> list[SourceRow]: ...
    def newer_rows(self, brand: str, sku: str, than: Position) -> list[int]: ...
    def stored(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stored]: ...


@dataclass(frozen=True)
class LocalSource:
    """A staging table in our own database, so that a page can be joined with the stored versions."""

    table: str = "products_staging"
    using: str = "default"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        """The connection is Django's."""

    def warnings(self) -> list[str]:
        """None: our migration made the index."""
        return []

    def widened(self, start: Position | None) -> Position | None:
        """As it is: times with a zone are in one order only."""
        return start

    def check(self) -> None:
        """Raise SourceUnusable unless every cell has a column to come from."""
        self.columns  # noqa: B018 - reading it is the check

    @cached_property
    def columns(self) -> dict[str, str]:
        """The source column of every cell. Raises SourceUnusable naming what is missing."""
        present = self._columns()
        if not present:
            message = _("The source table %(table)s does not exist. Run manage.py migrate first.")
            raise SourceUnusable(message % {"table": self.table})
        chosen = {cell: next((name for name in names if name in present), None) for cell, names in COLUMNS.items()}
        missing = [COLUMNS[cell][0] for cell, name in chosen.items() if name is None]
        missing += [name for name in (ID_COLUMN, TIME_COLUMN) if name not in present]
        if missing:
            raise SourceUnusable(
                _("The source table %(table)s lacks: %(columns)s.")
                % {"table": self.table, "columns": ", ".join(missing)}
            )
        return {cell: name for cell, name in chosen.items() if name is not None}

    def now(self) -> datetime:
        """The source database's clock: rows stamped later than this wait."""
        return self._value("SELECT clock_timestamp()")

    def count_between(self, after: Position | None, until: datetime) -> int:
        """How many rows a run from `after` up to `until` will read."""
        where, params = self._range(after, until)
        query = sql.SQL("SELECT count(*) FROM {table} s WHERE {where}").format(**self._names(), where=where)
        return self._value(query, params)

    def count_waiting(self, until: datetime) -> int:
        """How many rows are stamped later than `until`."""
        query = sql.SQL("SELECT count(*) FROM {table} s WHERE s.{time} > %(until)s").format(**self._names())
        return self._value(query, {"until": until})

    def page(self, after: Position | None, until: datetime, limit: int) -> list[SourceRow]:
        """The next rows beyond `after` in cursor order: at most `limit`, at most PAGE_MAX_BYTES of payload.

        Strictly the ordered pair (time, id), so rows that share a timestamp are neither lost nor read twice.
        """
        where, params = self._range(after, until)
        return self._read(where, params, limit)

    def untimed(self, after_id: int, limit: int) -> list[SourceRow]:
        """The next rows without a usable timestamp, in order of id."""
        where = sql.SQL("(s.{time} IS NULL OR s.{time} < {earliest}) AND s.{id} > %(after_id)s")
        return self._read(where.format(**self._names()), {"after_id": after_id}, limit, by_id=True)

    def rows(self, ids: Sequence[int]) -> list[SourceRow]:
        """The rows of these ids that still exist, in cursor order."""
        where = sql.SQL("s.{id} = ANY(%(ids)s)").format(**self._names())
        return self._read(where, {"ids": list(ids)}, len(ids), bounded=False)

    def newer_rows(self, brand: str, sku: str, than: Position) -> list[int]:
        """Ids of rows of this key that stand later in the source and are due. Reads the whole table."""
        query = sql.SQL(
            """
            SELECT s.{id} FROM {table} s
             WHERE btrim(s.{brand}::text) = %(brand)s AND btrim(s.{sku}::text) = %(sku)s
               AND (s.{time}, s.{id}) > (%(at)s, %(row_id)s) AND s.{time} <= clock_timestamp()
            """
        ).format(**self._names(), brand=sql.Identifier(self.columns["brand"]), sku=sql.Identifier(self.columns["sku"]))
        with connections[self.using].cursor() as cursor:
            cursor.execute(query, {"brand": brand, "sku": sku, "at": than.at, "row_id": than.id})
            return [row[0] for row in cursor.fetchall()]

    def stored(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """What we have under these normalised keys."""
        brands, skus = zip(*keys, strict=True)
        with connections["default"].cursor() as cursor:
            cursor.execute(
                """
                SELECT p.brand_code, p.sku, p.id, p.data_version, p.src_updated_at, p.src_id, p.is_deleted
                  FROM unnest(%s::text[], %s::text[]) AS k (brand_code, sku)
                  JOIN products p ON p.brand_code = k.brand_code AND p.sku = k.sku
                """,
                [list(brands), list(skus)],
            )
            return {(row[0], row[1]): Stored(*row[2:]) for row in cursor.fetchall()}

    def _read(
        self, where: sql.Composable, params: dict[str, Any], limit: int, *, by_id: bool = False, bounded: bool = True
    ) -> list[SourceRow]:
        """The rows that PAGE finds, at most `limit` and, if bounded, about PAGE_MAX_BYTES of them."""
        params = params | {
            "limit": limit,
            "row_limit": settings.ETL_MAX_ROW_BYTES,
            "kept": CELL_KEPT_OF_OVERSIZED_ROW,
            "page_bytes": PAGE_MAX_BYTES if bounded else None,
        }
        with connections[self.using].cursor() as cursor:
            try:
                cursor.execute(self._page_query(where, by_id=by_id), params)
            except ProgrammingError as error:  # a column or the table went away since the check
                raise SourceUnusable(str(error).splitlines()[0]) from error
            return [as_source_row(row) for row in cursor.fetchall()]

    def _page_query(self, where: sql.Composable, *, by_id: bool) -> sql.Composable:
        """PAGE for the columns of this source."""
        cells = [{"column": sql.Identifier(self.columns[cell]), "cell": sql.Identifier(cell)} for cell in PAYLOAD]
        return sql.SQL(PAGE).format(
            **self._names(),
            where=where,
            order=sql.SQL("s.{id}" if by_id else "s.{time}, s.{id}").format(**self._names()),
            size=sql.SQL(" + ").join(sql.SQL(CELL_SIZE).format(**each) for each in cells),
            cells=sql.SQL(", ").join(sql.SQL("s.{column}::text AS {cell}").format(**each) for each in cells),
            shown=sql.SQL(", ").join(sql.SQL(CELL_SHOWN).format(**each) for each in cells),
        )

    def _range(self, after: Position | None, until: datetime) -> tuple[sql.Composable, dict[str, Any]]:
        # row values, because the OR form of a keyset scans the whole index up to the cursor
        where = sql.SQL("s.{time} >= {earliest} AND s.{time} <= %(until)s").format(**self._names())
        if after is None:
            return where, {"until": until}
        keyset = sql.SQL(" AND (s.{time}, s.{id}) > (%(at)s, %(after_id)s)").format(**self._names())
        return where + keyset, {"until": until, "at": after.at, "after_id": after.id}

    def _names(self) -> dict[str, sql.Composable]:
        return {
            "table": sql.Identifier(self.table),
            "id": sql.Identifier(ID_COLUMN),
            "time": sql.Identifier(TIME_COLUMN),
            "earliest": EARLIEST,
        }

    def _columns(self) -> set[str]:
        with connections[self.using].cursor() as cursor:
            cursor.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
                [self.table],
            )
            return {row[0] for row in cursor.fetchall()}

    def _value(self, query: Any, params: Any = None) -> Any:
        with connections[self.using].cursor() as cursor:
            cursor.execute(query, params)
            return cursor.fetchone()[0]
