"""A foreign staging table in PostgreSQL, over a plain psycopg connection."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import psycopg
from psycopg import errors

from config.staging import TableName, postgres_arguments
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

# psycopg has no Python for times before Christ and beyond the year 9999; a day's room for every zone
EARLIEST, LATEST = datetime(1, 1, 3), datetime(9999, 12, 30)  # noqa: DTZ001 - wall clocks

# connection exceptions, rollbacks (a standby ends reads that hold up its replay), no room, operator intervention
PASSING = ("08", "40", "53", "57")

# what nobody answers to is found out by the kernel, even when no timeout of ours is running
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

# one round trip; the transactions are also opened as READ ONLY, which holds behind a pooler as well
SESSION = "SET default_transaction_read_only = on; SET TimeZone = 'UTC'; SET client_encoding = 'UTF8'"

FACTS = """
    SELECT a.attname, t.typname, NOT a.attnotnull
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped
"""
INDEXES = """
    SELECT (SELECT array_agg(a.attname::text ORDER BY k.place)
              FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (number, place)
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number),
           i.indisunique AND i.indimmediate, i.indisprimary
      FROM pg_index i
     WHERE i.indrelid = to_regclass(%(table)s) AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
"""
PAGE = """
    WITH page AS MATERIALIZED (
        SELECT {id} AS id, {at} AS at, {size} AS row_bytes, {cells}
          FROM {table} s WHERE {where} ORDER BY {order} LIMIT %(limit)s
    ), bounded AS (
        SELECT page.*, sum(row_bytes) OVER (ORDER BY at, id) - row_bytes AS bytes_before FROM page
    )
    SELECT id, {shown}, at, row_bytes FROM bounded
     WHERE bytes_before < %(page_bytes)s::bigint OR %(page_bytes)s::bigint IS NULL
     ORDER BY at, id
"""


class Session(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits for its server only so long."""

    patience: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, timeout or self.patience)


class PostgresDatabase(ForeignDatabase):
    """PostgreSQL as a source."""

    whole_numbers = frozenset({"int2", "int4", "int8"})
    times = frozenset({"timestamp", "timestamptz", "date"})
    times_with_zone = frozenset({"timestamptz"})
    clock = "SELECT clock_timestamp()"

    connection: Session | None

    def _fetch(self, query: str, params: Params) -> list[tuple[Any, ...]]:
        try:
            return self._session().execute(query.encode(), params).fetchall()
        except errors._WaitTimeout as error:
            self.close()  # it is in the middle of an answer
            raise SourceUnreachable(f"no answer within {self.place.seconds:g} s", hung=True) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if error.sqlstate is None or error.sqlstate.startswith(PASSING):
                raise SourceUnreachable(error) from error
            raise SourceUnusable(str(error).splitlines()[0]) from error
        except psycopg.Error as error:  # a column or the table went away since the check
            raise SourceUnusable(str(error).splitlines()[0]) from error
        except UnicodeDecodeError as error:  # a database in SQL_ASCII holds any bytes
            raise SourceUnusable(str(error)) from error
        finally:
            self._end_transaction()

    def _session(self) -> Session:
        if self.connection is None:
            opened = Session.connect(
                **postgres_arguments(self.place.url)
                | KEEPALIVES
                | {"connect_timeout": self.place.connect_seconds, "application_name": "pressroom source"},
                prepare_threshold=None,  # a plan made for the first pages is a bad one for the others
            )
            try:
                opened.patience = self.place.seconds
                opened.execute(SESSION)
                opened.commit()
                opened.read_only = True
            except psycopg.Error:
                opened.close()
                raise
            self.connection = opened
        return self.connection

    def _end_transaction(self) -> None:
        """Never sit in a transaction between two pages: it would hold back the source's vacuum."""
        if self.connection is not None:
            try:
                self.connection.rollback()
            except psycopg.Error:
                self.close()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def facts(self, table: TableName) -> TableFacts:
        name = {"table": self.quoted(table).replace("%%", "%")}
        columns = {row[0].lower(): Column(*row) for row in self.fetch(FACTS, name)}
        indexes = [Index(tuple(names or ()), *kind) for names, *kind in self.fetch(INDEXES, name)]
        return TableFacts(columns, indexes)

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""').replace("%", "%%") + '"'

    def as_text(self, column: Column) -> str:
        return f"s.{self.quote(column.name)}::text"

    def is_usable(self, time: Column) -> str:
        return f"s.{self.quote(time.name)} >= %(earliest)s"

    def is_unusable(self, time: Column, table: str) -> str:
        name = f"s.{self.quote(time.name)}"
        return f"{name} IS NULL OR {name} < %(earliest)s"

    def beyond(self, time: str, row_id: str) -> str:
        return f"({time}, {row_id}) > (%(at)s, %(after_id)s::bigint)"

    def page(self, asked: Selection, params: Params, most_bytes: int | None) -> list[tuple[Any, ...]]:
        names = [f"c{number}" for number, _column in enumerate(asked.cells)]
        cells = [self.as_text(cell) for cell in asked.cells]
        time, row_id = (f"s.{self.quote(column.name)}" for column in (asked.layout.time, asked.layout.id))
        in_bounds = f"CASE WHEN {time} >= %(earliest)s AND {time} < '{LATEST}' THEN {time} END"
        shown = (f"CASE WHEN row_bytes > %(row_limit)s THEN left({name}, %(kept)s) ELSE {name} END" for name in names)
        query = PAGE.format(
            id=row_id,
            at="NULL::timestamp" if asked.by_id else in_bounds,
            size=" + ".join(f"coalesce(octet_length({cell}), 0)" for cell in cells),
            cells=", ".join(f"{cell} AS {name}" for cell, name in zip(cells, names, strict=True)),
            shown=", ".join(shown),
            table=asked.table,
            where=asked.where,
            order=row_id if asked.by_id else f"{time}, {row_id}",
        )
        return self.fetch(query, params | {"page_bytes": most_bytes})

    def earliest(self, time: Column) -> Wall:
        return EARLIEST

    def moment(self, wall: Wall, time: Column) -> datetime:
        return wall.replace(tzinfo=UTC) if time.kind == "timestamptz" else wall

    def wall(self, value: Any) -> Wall | None:
        if isinstance(value, datetime):
            return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return datetime.combine(value, time()) if isinstance(value, date) else None

    def index_advice(self, table: str, time: Column, row_id: Column) -> str:
        return f"CREATE INDEX CONCURRENTLY ON {table} ({self.quote(time.name)}, {self.quote(row_id.name)});"
