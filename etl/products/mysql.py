"""A foreign staging table in MySQL or MariaDB, over a plain PyMySQL connection."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

import pymysql
from pymysql import converters

from config.staging import TableName, mysql_arguments
from etl.products.databases import (
    Column,
    ForeignDatabase,
    Index,
    Params,
    Selection,
    SourceUnreachable,
    TableFacts,
)
from etl.products.source import SourceUnusable
from etl.products.wallclock import Wall

EARLIEST = datetime(1, 1, 3)  # noqa: DTZ001 - a wall clock; a day's room for every zone
EARLIEST_TIMESTAMP = datetime(1970, 1, 1, 0, 0, 1)  # noqa: DTZ001 - UTC; the type knows nothing before

LOST = 2013
# too many connections, shutting down, network errors, killed, interrupted, gone, lost, idle for too long
PASSING = {1040, 1053, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1317, 1927, 2002, 2003, 2006, LOST, 2055, 4031}

# parameters are written as the driver does; of answers it converts nothing, not even to text, because one
# column of bytes that are no UTF-8, or of a date that no calendar has, must not stop a page
ENCODERS = {kind: encoder for kind, encoder in converters.conversions.items() if not isinstance(kind, int)}

BINARY = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
TEXT = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json"}

COLUMNS = """
    SELECT column_name, concat(data_type, IF(column_type LIKE '%%unsigned%%', ' unsigned', '')), is_nullable = 'YES'
      FROM information_schema.columns
     WHERE table_schema = coalesce(%(schema)s, database()) AND table_name = %(name)s
"""
INDEXES = """
    SELECT index_name, column_name, non_unique = 0, sub_part IS NULL
      FROM information_schema.statistics
     WHERE table_schema = coalesce(%(schema)s, database()) AND table_name = %(name)s
     ORDER BY index_name, seq_in_index
"""
ENGINE = """
    SELECT engine FROM information_schema.tables
     WHERE table_schema = coalesce(%(schema)s, database()) AND table_name = %(name)s
"""
SIZES = "SELECT {size} FROM {table} s WHERE {where} ORDER BY {order} LIMIT %(limit)s"
PAGE = "SELECT {id}, {cells}, {time}, {size} FROM {table} s WHERE {where} ORDER BY {order} LIMIT %(limit)s"
# false for 0000-00-00, 2026-00-00, 2026-03-00 and 2026-02-31, all of which a column may hold
IN_CALENDAR = "(dayofmonth({time}) BETWEEN 1 AND dayofmonth(last_day({time}))) IS TRUE"


class MySQLDatabase(ForeignDatabase):
    """MySQL or MariaDB as a source."""

    _sizes = ("tinyint", "smallint", "mediumint", "int", "bigint")
    whole_numbers = frozenset(_sizes) | frozenset(f"{size} unsigned" for size in _sizes)
    times = frozenset({"datetime", "timestamp", "date"})
    times_with_zone = frozenset({"timestamp"})  # in the zone of the session, which is UTC here
    clock = "SELECT utc_timestamp(6)"

    _has_wrong_dates: bool | None = None

    def _fetch(self, query: str, params: Params) -> list[tuple[Any, ...]]:
        try:
            with self._session().cursor() as cursor:
                cursor.execute(query, params)
                return [tuple(map(as_text, row)) for row in cursor.fetchall()]
        except (pymysql.Error, OSError, RuntimeError) as error:
            self.close()
            raise self._as_source_error(error) from error

    def _as_source_error(self, error: Exception) -> SourceUnusable:
        """What the driver's error means for us."""
        if isinstance(error, RuntimeError):  # a way to sign in that takes encryption, or a package we lack
            return SourceUnusable(str(error))
        code, text = error.args if len(error.args) == 2 else (None, str(error))
        if code == LOST and "timed out" in str(text):
            return SourceUnreachable(f"no answer within {self.place.seconds:g} s", hung=True)
        if isinstance(error, (OSError, pymysql.InterfaceError)) or code in PASSING:
            return SourceUnreachable(text or type(error).__name__)
        return SourceUnusable(str(text).splitlines()[0])

    def _session(self) -> Any:
        if self.connection is None:
            try:
                opened = pymysql.connect(
                    **mysql_arguments(self.place.url),
                    charset="utf8mb4",
                    use_unicode=False,
                    conv=ENCODERS,
                    autocommit=True,
                    # known quoting, and dates are compared as they are, whatever the server's mode
                    sql_mode="",
                    init_command="SET SESSION TRANSACTION READ ONLY",
                    connect_timeout=self.place.connect_seconds,
                    read_timeout=self.place.seconds,
                    write_timeout=self.place.seconds,
                    program_name="pressroom source",
                )
                with opened.cursor() as cursor:
                    cursor.execute("SET time_zone = '+00:00'")
            except pymysql.Error as error:
                # whatever keeps one from signing in may be mended while we wait
                raise SourceUnreachable(error.args[-1] if error.args else type(error).__name__) from error
            self.connection = opened
        return self.connection

    def close(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(pymysql.Error, OSError):
                self.connection.close()
            self.connection = None

    def facts(self, table: TableName) -> TableFacts:
        names = {"schema": table.schema, "name": table.name}
        columns = {
            name.lower(): Column(name, kind.lower(), nullable == "1")
            for name, kind, nullable in self.fetch(COLUMNS, names)
        }
        engine = self.fetch(ENGINE, names)
        is_innodb = bool(engine) and engine[0][0] == "InnoDB"
        return TableFacts(columns, indexes_of(self.fetch(INDEXES, names)), key_in_every_index=is_innodb)

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``").replace("%", "%%") + "`"

    def as_text(self, column: Column) -> str:
        name, kind = f"s.{self.quote(column.name)}", column.kind.removesuffix(" unsigned")
        if kind in TEXT or kind in BINARY:
            return name  # the server itself sends text as UTF-8; a cast of a long one may come back as null
        return f"CAST({name} + 0 AS CHAR)" if kind == "bit" else f"CAST({name} AS CHAR)"

    def is_usable(self, time: Column) -> str:
        name = f"s.{self.quote(time.name)}"
        return f"{name} >= %(earliest)s AND {IN_CALENDAR.format(time=name)}"

    def is_unusable(self, time: Column, table: str) -> str:
        name = f"s.{self.quote(time.name)}"
        null_or_zero = f"{name} IS NULL OR {name} < %(earliest)s"
        wrong = f"NOT ({IN_CALENDAR.format(time=name)})"
        if self._has_wrong_dates is None:
            # asked of the index alone and once: such dates are rare, and reading every row for them is dear
            query = f"SELECT 1 FROM {table} s WHERE {name} >= %(earliest)s AND {wrong} LIMIT 1"
            self._has_wrong_dates = bool(self.fetch(query, {"earliest": self.moment(self.earliest(time), time)}))
        return f"{null_or_zero} OR {wrong}" if self._has_wrong_dates else null_or_zero

    def beyond(self, time: str, row_id: str) -> str:
        # MySQL takes no index for (time, id) > (…), but walks one for this, inside a tie as well
        return f"{time} >= %(at)s AND ({time} > %(at)s OR ({time} = %(at)s AND {row_id} > %(after_id)s))"

    def page(self, asked: Selection, params: Params, most_bytes: int | None) -> list[tuple[Any, ...]]:
        cells = [self.as_text(cell) for cell in asked.cells]
        time, row_id = (f"s.{self.quote(column.name)}" for column in (asked.layout.time, asked.layout.id))
        size = " + ".join(f"coalesce(octet_length({cell}), 0)" for cell in cells)
        parts = {
            "time": time, "id": row_id, "size": size, "table": asked.table, "where": asked.where,
            "order": row_id if asked.by_id else f"{time}, {row_id}",
        }  # fmt: skip
        if most_bytes is not None:
            # older servers know no window, and the driver takes an answer whole: so first how much fits
            sizes = [int(row[0]) for row in self.fetch(SIZES.format(**parts), params)]
            params = params | {"limit": count_that_fit(sizes, most_bytes)}
        shown = (f"CASE WHEN {size} > %(row_limit)s THEN left({cell}, %(kept)s) ELSE {cell} END" for cell in cells)
        return self.fetch(PAGE.format(cells=", ".join(shown), **parts), params)

    def earliest(self, time: Column) -> Wall:
        return EARLIEST_TIMESTAMP if time.kind == "timestamp" else EARLIEST

    def moment(self, wall: Wall, time: Column) -> str:
        return wall.isoformat(" ", "microseconds")

    def wall(self, value: Any) -> Wall | None:
        try:
            return None if value is None else datetime.fromisoformat(value)
        except ValueError:  # 0000-00-00 and its like
            return None

    def index_advice(self, table: str, time: Column, row_id: Column) -> str:
        columns = f"{self.quote(time.name)}, {self.quote(row_id.name)}"
        return f"ALTER TABLE {table} ADD INDEX `staging_cursor` ({columns}), ALGORITHM=INPLACE, LOCK=NONE;"


def as_text(cell: Any) -> Any:
    """Bytes as text; those that are no UTF-8 become lone surrogates, which the normaliser rejects with a reason."""
    return cell.decode("utf-8", "surrogateescape") if isinstance(cell, bytes) else cell


def count_that_fit(sizes: list[int], most_bytes: int) -> int:
    """How many of the first rows make up `most_bytes`, with the one that reaches it."""
    total = 0
    for count, size in enumerate(sizes, 1):
        if (total := total + size) >= most_bytes:
            return count
    return len(sizes)


def indexes_of(rows: list[tuple[Any, ...]]) -> list[Index]:
    """Indexes from their columns in order; one with a prefix or an expression in it is left out."""
    named: dict[str, list[tuple[Any, ...]]] = {}
    for name, *column in rows:
        named.setdefault(name, []).append(tuple(column))
    return [
        Index(tuple(column for column, *_rest in columns), columns[0][1] == "1", name == "PRIMARY")
        for name, columns in named.items()
        if all(column is not None and whole == "1" for column, _unique, whole in columns)
    ]
