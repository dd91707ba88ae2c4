"""The staging table in our own database: pages read in the order of the cursor and joined with what we have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Self

import psycopg
from django.conf import settings
from django.db import ProgrammingError, connections
from django.utils.translation import gettext as _
from psycopg import sql

from etl.products.normalise import RawProduct
from etl.products.positions import FIRST_MOMENT, Position
from etl.products.source import (
    CELL_KEPT_OF_OVERSIZED_ROW,
    COLUMNS,
    ID_COLUMN,
    KEY,
    PAGE_MAX_BYTES,
    PAYLOAD,
    TIME_COLUMN,
    OthersRow,
    SameRow,
    SourceKey,
    SourceRow,
    SourceUnusable,
    Stored,
)
from etl.products.versioning import PREFIX

# -infinity and dates before Christ have no Python datetime; such rows count as untimed
EARLIEST = sql.Literal(FIRST_MOMENT)

# One statement: a page in order, bounded in bytes, joined with the stored versions. Cells of a row over the
# limit come cut short, so that one huge cell costs no memory; `row_bytes` has its true size. A row that is
# letter by letter the one its product was last written from is `same` and comes without its payload: reading
# it again could only find it unchanged. A shard gets the rows of its keys, and the last of the page whosever
# it is, for its cursor. The share is computed here and not in WHERE, where the planner would guess that it
# leaves few rows and leave the index.
PAGE = """
    WITH page AS (
        SELECT s.{id} AS id, CASE WHEN s.{time} >= {earliest} THEN s.{time} END AS at,
               {size} AS row_bytes, {mine} AS mine,
               CASE WHEN {mine} THEN hash_record_extended(ROW({texts}), 0) END AS fingerprint, {cells}
          FROM {table} s WHERE {where}
         ORDER BY {order} LIMIT %(limit)s
    ), bounded AS (
        SELECT page.*, sum(row_bytes) OVER in_order - row_bytes AS bytes_before,
               lead(id) OVER in_order IS NULL
               OR sum(row_bytes) OVER in_order >= %(page_bytes)s AS is_last
          FROM page WINDOW in_order AS (ORDER BY at, id)
    ), compared AS (
        SELECT b.*, p.id AS product_id, p.data_version, p.src_updated_at, p.src_id, p.is_deleted,
               p.source_fingerprint, %(skip_same)s AND coalesce(
                   p.source_fingerprint = b.fingerprint AND NOT p.is_deleted
                   AND p.data_version ^@ %(version_prefix)s, false
               ) AS same
          FROM bounded b
          LEFT JOIN products p ON b.mine AND p.brand_code = b.brand AND p.sku = b.sku
         WHERE b.bytes_before < %(page_bytes)s AND (b.mine OR b.is_last)
    )
    SELECT CASE WHEN mine THEN same END, id, {shown}, at, row_bytes,
           product_id, data_version, src_updated_at, src_id, is_deleted, source_fingerprint, fingerprint
      FROM compared
     ORDER BY at, id
"""
CELL_SIZE = "coalesce(octet_length(s.{column}::text), 0)"
# keys that differ only in what NFC makes equal may fall into two shards; they then meet as two runs would
MINE = """
    coalesce(
        (hashtextextended(btrim(s.{brand}::text) || chr(31) || btrim(s.{sku}::text), 0) & 9223372036854775807)
        %% %(of)s::bigint, 0
    ) = %(number)s::bigint - 1
"""
CELL_CUT = "WHEN row_bytes > %(row_limit)s THEN left({cell}, %(kept)s) ELSE {cell} END"
KEY_SHOWN, CELL_SHOWN = f"CASE {CELL_CUT}", f"CASE WHEN same THEN NULL {CELL_CUT}"
# columns of PAGE: whether same, the row, what is stored, the fingerprint
RAW = slice(1, 1 + len(RawProduct._fields))
STORED = slice(RAW.stop, RAW.stop + 6)
BRAND, SKU, ID, AT = 2, 3, 1, RAW.stop - 2
NO_LIMIT = 2**62

# what str.strip() removes
WHITE_SPACE = (
    "".join(
        map(chr, [*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029])
    )
    + "\u202f\u205f\u3000"
)
KEY_CELL_KEPT = 1_000  # NFC shortens a text at most to a third, and a key has 64 characters

KEYS = """
    SELECT s.{id}, left(ltrim(s.{brand}::text, %(space)s), %(kept)s), left(ltrim(s.{sku}::text, %(space)s), %(kept)s)
      FROM {table} s
     WHERE s.{id} > %(after_id)s
     ORDER BY s.{id} LIMIT %(limit)s
"""

# keys here are read as the normaliser reads them: NFC first, since it turns some spaces into others
NEWER = """
    SELECT k.number, s.{id}
      FROM {table} s
      JOIN unnest(%(brands)s::text[], %(skus)s::text[], %(ats)s::timestamptz[], %(ids)s::bigint[])
           WITH ORDINALITY AS k (brand, sku, at, id, number)
        ON k.sku = btrim(normalize(s.{sku}::text), %(space)s)
       AND k.brand = btrim(normalize(s.{brand}::text), %(space)s)
     WHERE s.{time} >= %(earliest_at)s AND s.{time} <= clock_timestamp()
       AND (s.{time}, s.{id}) > (k.at, k.id)
     ORDER BY s.{time} DESC, s.{id} DESC
"""


def as_row(row: tuple[Any, ...]) -> SourceRow | SameRow | OthersRow:
    """A row of PAGE."""
    if row[0] is None:
        return OthersRow(Position(row[AT], row[ID]))
    if row[0]:
        return SameRow(row[BRAND], row[SKU], Position(row[AT], row[ID]))
    stored = Stored(*row[STORED]) if row[STORED.start] is not None else None
    return SourceRow(RawProduct(*row[RAW]), stored, row[-1])


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

    def page(
        self,
        after: Position | None,
        until: datetime,
        limit: int,
        *,
        skip_same: bool = False,
        shard: tuple[int, int] | None = None,
    ) -> list[SourceRow | SameRow | OthersRow]:
        """The next rows beyond `after` in cursor order: at most `limit`, at most PAGE_MAX_BYTES of payload.

        Strictly the ordered pair (time, id), so rows that share a timestamp are neither lost nor read twice.
        With `skip_same` rows whose product is stored from the same text come as SameRow. With `shard`,
        which is a number and of how many, only the rows of its keys come, and the last of the page as
        OthersRow if it is none of them.
        """
        where, params = self._range(after, until)
        return self._read(where, params | {"skip_same": skip_same}, limit, shard=shard)

    def untimed(self, after_id: int, limit: int) -> list[SourceRow]:
        """The next rows without a usable timestamp, in order of id."""
        where = sql.SQL("(s.{time} IS NULL OR s.{time} < {earliest}) AND s.{id} > %(after_id)s")
        return source_rows(self._read(where.format(**self._names()), {"after_id": after_id}, limit, by_id=True))

    def rows(self, ids: Sequence[int]) -> list[SourceRow]:
        """The rows of these ids that still exist, in cursor order."""
        where = sql.SQL("s.{id} = ANY(%(ids)s)").format(**self._names())
        return source_rows(self._read(where, {"ids": list(ids)}, len(ids), bounded=False))

    def keys(self, after_id: int, limit: int) -> list[SourceKey]:
        """The key cells of the next rows in order of id: of every row, whatever its timestamp or other cells.

        What this returns decides what is deleted. A page is empty only at the end of the table. Cells are
        as written but may be cut once they are surely too long for a key: not before KEY_CELL_KEPT
        characters, leading white space not counted.
        """
        query = sql.SQL(KEYS).format(**self._names(), **self._key_cells())
        params = {"after_id": after_id, "limit": limit, "kept": KEY_CELL_KEPT, "space": WHITE_SPACE}
        return [SourceKey(*row) for row in self._rows_of(query, params)]

    def newer_rows(self, places: Mapping[tuple[str, str], Position]) -> dict[tuple[str, str], list[int]]:
        """For each normalised key the ids of its rows beyond the place given that are due, newest first.

        Keys without any are left out. One scan of the source for all keys together: nothing in a source is
        sorted by key, and an index for that is not ours to create there.
        """
        keys = list(places)
        params = {
            "brands": [brand for brand, _sku in keys],
            "skus": [sku for _brand, sku in keys],
            "ats": [places[key].at for key in keys],
            "ids": [places[key].id for key in keys],
            "earliest_at": min(place.at for place in places.values()),
            "space": WHITE_SPACE,
        }
        newer: dict[tuple[str, str], list[int]] = {}
        for number, src_id in self._rows_of(sql.SQL(NEWER).format(**self._names(), **self._key_cells()), params):
            newer.setdefault(keys[number - 1], []).append(src_id)
        return newer

    def stored(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """What we have under these normalised keys."""
        brands, skus = zip(*keys, strict=True)
        with connections["default"].cursor() as cursor:
            cursor.execute(
                """
                SELECT p.brand_code, p.sku, p.id, p.data_version, p.src_updated_at, p.src_id, p.is_deleted,
                       p.source_fingerprint
                  FROM unnest(%s::text[], %s::text[]) AS k (brand_code, sku)
                  JOIN products p ON p.brand_code = k.brand_code AND p.sku = k.sku
                """,
                [list(brands), list(skus)],
            )
            return {(row[0], row[1]): Stored(*row[2:]) for row in cursor.fetchall()}

    def _read(
        self,
        where: sql.Composable,
        params: dict[str, Any],
        limit: int,
        *,
        by_id: bool = False,
        bounded: bool = True,
        shard: tuple[int, int] | None = None,
    ) -> list[SourceRow | SameRow | OthersRow]:
        """The rows that PAGE finds, at most `limit` and, if bounded, about PAGE_MAX_BYTES of them."""
        params = {
            "skip_same": False,
            **params,
            "limit": limit,
            "row_limit": settings.ETL_MAX_ROW_BYTES,
            "kept": CELL_KEPT_OF_OVERSIZED_ROW,
            "page_bytes": PAGE_MAX_BYTES if bounded else NO_LIMIT,
            "version_prefix": PREFIX,
        }
        if shard is not None:
            params["number"], params["of"] = shard
        query = self._page_query(where, by_id=by_id, sharded=shard is not None)
        return [as_row(row) for row in self._rows_of(query, params)]

    def _page_query(self, where: sql.Composable, *, by_id: bool, sharded: bool) -> sql.Composed:
        """PAGE for the columns of this source."""
        cells = [{"column": sql.Identifier(self.columns[cell]), "cell": sql.Identifier(cell)} for cell in PAYLOAD]
        return sql.SQL(PAGE).format(
            **self._names(),
            where=where,
            mine=sql.SQL(MINE).format(**self._key_cells()) if sharded else sql.SQL("true"),
            order=sql.SQL("s.{id}" if by_id else "s.{time}, s.{id}").format(**self._names()),
            size=sql.SQL(" + ").join(sql.SQL(CELL_SIZE).format(**each) for each in cells),
            texts=sql.SQL(", ").join(sql.SQL("s.{column}::text").format(**each) for each in cells),
            cells=sql.SQL(", ").join(sql.SQL("s.{column}::text AS {cell}").format(**each) for each in cells),
            shown=sql.SQL(", ").join(
                sql.SQL(KEY_SHOWN if cell in KEY else CELL_SHOWN).format(**each)
                for cell, each in zip(PAYLOAD, cells, strict=True)
            ),
        )

    def _rows_of(self, query: sql.Composed, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        connection = connections[self.using]
        try:
            with connection.cursor() as cursor, connection.wrap_database_errors:
                # results in binary, which Django's cursors do not offer: reading two timestamps a row as text
                # took as long as all the rest of the row. Never prepared: a generic plan made while products
                # was small reads the whole of it for each page when it is large.
                binary = psycopg.Cursor(cursor.connection)
                binary.execute(query, params, binary=True, prepare=False)
                return binary.fetchall()
        except ProgrammingError as error:  # a column or the table went away since the check
            raise SourceUnusable(str(error).splitlines()[0]) from error

    def _key_cells(self) -> dict[str, sql.Composable]:
        return {cell: sql.Identifier(self.columns[cell]) for cell in ("brand", "sku")}

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


def source_rows(rows: Iterable[SourceRow | SameRow | OthersRow]) -> list[SourceRow]:
    """The same rows, when they were read in full."""
    return [row for row in rows if isinstance(row, SourceRow)]
