"""A staging table in another database: found out about, read in the order of the cursor, never written.

What PostgreSQL and MySQL say differently is in their own modules (postgres, mysql); what a row means is the same
for both, so that the same rows give the same products. Every cell arrives as text or None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Self
from zlib import crc32

import structlog
from django.conf import settings
from django.utils.translation import gettext as _

from config.staging import Staging
from etl.products.databases import Column, ForeignDatabase, Index, Layout, Params, Selection, TableFacts
from etl.products.local import LocalSource
from etl.products.normalise import RawProduct, readable_key
from etl.products.positions import BEFORE_EVERY_ID, Position
from etl.products.source import (
    CELL_KEPT_OF_OVERSIZED_ROW,
    COLUMNS,
    PAGE_MAX_BYTES,
    PAYLOAD,
    OthersRow,
    SameRow,
    SourceKey,
    SourceRow,
    SourceUnusable,
    Stored,
)
from etl.products.wallclock import Span, Wall, WallClock

logger = structlog.get_logger(__name__)

# the first that is a whole number, unique and never null; then a primary key of any name
ID_COLUMNS = ("id", "staging_id", "row_id", "product_id")
# the first that is a time
TIME_COLUMNS = ("src_updated_at", "updated_at", "update_time", "modified_at", "gmt_modified")
ID_SETTING = "STAGING_ID_COLUMN"
GREATEST_ID = 2**63 - 1
NAME_LENGTH = 64
KEYS_PER_PAGE = 5_000

Key = tuple[str, str]


class ForeignSource:
    """Like LocalSource, for a table that the page cannot be joined with: what is stored is looked up after it."""

    def __init__(self, place: Staging, database: ForeignDatabase) -> None:
        self.place, self.database = place, database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.database.close()

    @property
    def table(self) -> str:
        """The source's name here: another than that of any other source with a table of this name."""
        name = f"{self.place.engine}:{self.place.database}.{self.place.table}"
        if len(name) <= NAME_LENGTH:
            return name
        return f"{name[: NAME_LENGTH - 9]}~{sha256(name.encode()).hexdigest()[:8]}"

    # --- what the table looks like -------------------------------------------------------------------

    def check(self) -> None:
        """Raise SourceUnusable unless the table has all it takes; what only slows it down goes to the log."""
        for warning in self.warnings():
            logger.warning("source.slow", source=self.table, advice=warning)

    def warnings(self) -> list[str]:
        """What makes reading slower than it need be, with the remedy."""
        time, row_id = self.layout.time, self.layout.id
        if any(self._serves_cursor(index) for index in self.facts.indexes):
            return []
        message = _(
            "The source table %(table)s has no index on (%(time)s, %(id)s), so every page reads all of it: %(ddl)s"
        )
        ddl = self.database.index_advice(self._table, time, row_id)
        facts = {"table": self.place.table, "time": time.name, "id": row_id.name, "ddl": ddl.replace("%%", "%")}
        return [message % facts]

    def _serves_cursor(self, index: Index) -> bool:
        time, row_id = self.layout.time.name, self.layout.id.name
        if index.columns[:2] == (time, row_id):
            return True
        is_primary = Index((row_id,), True, True) in self.facts.indexes
        return index.columns == (time,) and is_primary and self.facts.key_in_every_index

    @cached_property
    def facts(self) -> TableFacts:
        """Of the source table. Raises SourceUnusable when there is none."""
        facts = self.database.facts(self.place.table)
        if not facts.columns:
            message = _("The source table %(table)s does not exist in %(database)s, or may not be read.")
            raise SourceUnusable(message % {"table": self.place.table, "database": self.place.database})
        return facts

    @cached_property
    def layout(self) -> Layout:
        """Which columns are read. Raises SourceUnusable naming what is missing."""
        columns = self.facts.columns
        chosen = {
            cell: next((columns[name] for name in names if name in columns), None) for cell, names in COLUMNS.items()
        }
        time = next((columns[name] for name in TIME_COLUMNS if self._is_time(columns.get(name))), None)
        missing = [COLUMNS[cell][0] for cell, column in chosen.items() if column is None]
        missing += [] if time else [TIME_COLUMNS[0]]
        if missing or time is None:
            message = _("The source table %(table)s lacks: %(columns)s.")
            raise SourceUnusable(message % {"table": self.place.table, "columns": ", ".join(missing)})
        return Layout({cell: column for cell, column in chosen.items() if column}, self._id_column(), time)

    def _is_time(self, column: Column | None) -> bool:
        return column is not None and column.kind in self.database.times

    def _id_column(self) -> Column:
        columns, wanted = self.facts.columns, self.place.id_column
        if wanted:
            column = columns.get(wanted.lower())
            if column is not None and self._identifies(column):
                return column
            message = _("%(setting)s names %(column)s, which is no unique whole number of the source table %(table)s.")
            raise SourceUnusable(message % {"setting": ID_SETTING, "column": wanted, "table": self.place.table})
        primary = [
            index.columns[0].lower() for index in self.facts.indexes if index.primary and index.columns[1:] == ()
        ]
        for name in (*ID_COLUMNS, *primary):
            column = columns.get(name)
            if column is not None and self._identifies(column):
                return column
        message = _(
            "The source table %(table)s has no column that identifies its rows: it takes a whole number, not null, "
            "with a unique index of its own. %(setting)s names one."
        )
        raise SourceUnusable(message % {"table": self.place.table, "setting": ID_SETTING})

    def _identifies(self, column: Column) -> bool:
        is_unique = any(index.unique and index.columns == (column.name,) for index in self.facts.indexes)
        return is_unique and not column.nullable and column.kind in self.database.whole_numbers

    # --- reading -------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The source database's clock: rows stamped later than this wait."""
        shown = self.database.wall(self.database.fetch(self.database.clock)[0][0])
        assert shown is not None, "a clock shows a time"
        return shown.replace(tzinfo=UTC)

    def widened(self, start: Position | None) -> Position | None:
        """Where to begin so that rows of an hour that came twice are not passed over."""
        if start is None or start.id != BEFORE_EVERY_ID:
            return start
        return Position(self._clock.widened(start.at), start.id)

    def count_between(self, after: Position | None, until: datetime) -> int:
        """How many rows a run from `after` up to `until` will read."""
        where, params = self._range(after, until)
        return self._count(where, params)

    def count_waiting(self, until: datetime) -> int:
        """How many rows are stamped later than `until`."""
        time = self.layout.time
        return self._count(f"{self._time} > %(until)s", {"until": self._moment(self._clock.latest(until), time)})

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

        Rows come whole whatever `skip_same` says, since the source does not know what is stored; so do the
        pages of a shard, which keeps the rows of its own keys.
        """
        where, params = self._range(after, until)
        rows = self._read(where, params, limit)
        if shard is None:
            return list(rows)
        own: list[SourceRow | SameRow | OthersRow] = [row for row in rows if is_in_shard(row.raw, *shard)]
        if rows and (not own or own[-1] is not rows[-1]):
            last = rows[-1].raw
            assert last.src_updated_at is not None, "a page in cursor order holds rows with a time"
            own.append(OthersRow(Position(last.src_updated_at, last.src_id)))
        return own

    def untimed(self, after_id: int, limit: int) -> list[SourceRow]:
        """The next rows without a usable timestamp, in order of id."""
        spans, params = self._within(self._clock.skipped(None, self._clock.latest(self.now())))
        unusable = self.database.is_unusable(self.layout.time, self._table)
        where = f"({' OR '.join([unusable, *spans])}) AND {self._id} > %(after_id)s"
        return self._read(where, params | {"after_id": after_id}, limit, by_id=True)

    def rows(self, ids: Sequence[int]) -> list[SourceRow]:
        """The rows of these ids that still exist, in cursor order."""
        if not ids:
            return []
        params = {f"id{number}": row_id for number, row_id in enumerate(ids)}
        chosen = ", ".join(f"%({name})s" for name in params)
        return self._read(f"{self._id} IN ({chosen})", params, len(ids), bounded=False)

    def keys(self, after_id: int, limit: int) -> list[SourceKey]:
        """The key cells of the next rows in order of id; see LocalSource.keys()."""
        brand, sku = (self.database.as_text(self.layout.cells[cell]) for cell in ("brand", "sku"))
        query = (
            f"SELECT {self._id}, {brand}, {sku} FROM {self._table} s"
            f" WHERE {self._id} > %(after_id)s ORDER BY {self._id} LIMIT %(limit)s"
        )
        rows = self.database.fetch(query, {"after_id": after_id, "limit": limit})
        return [SourceKey(int(row_id), brand, sku) for row_id, brand, sku in rows]

    def newer_rows(self, places: Mapping[Key, Position]) -> dict[Key, list[int]]:
        """For each normalised key the ids of its rows beyond the place given that are due, newest first.

        One pass over the keys of the whole source: only the normaliser knows which spellings are one key.
        """
        now, newer = self.now(), dict[Key, list[Position]]()
        after_id = BEFORE_EVERY_ID
        while page := self.keys(after_id, KEYS_PER_PAGE):
            after_id = page[-1].src_id
            named = ((row.src_id, readable_key(row.brand, row.sku)) for row in page)
            wanted = {row_id: key for row_id, key in named if key is not None and key in places}
            for row in self.rows(list(wanted)):
                at, row_id = row.raw.src_updated_at, row.raw.src_id
                if at is not None and at <= now and Position(at, row_id) > places[wanted[row_id]]:
                    newer.setdefault(wanted[row_id], []).append(Position(at, row_id))
        return {key: [place.id for place in sorted(found, reverse=True)] for key, found in newer.items()}

    def stored(self, keys: Iterable[Key]) -> dict[Key, Stored]:
        """What we have under these normalised keys."""
        return LocalSource().stored(keys)

    def _read(
        self, where: str, params: Params, limit: int, *, by_id: bool = False, bounded: bool = True
    ) -> list[SourceRow]:
        """The rows a condition finds, at most `limit` and, if bounded, about PAGE_MAX_BYTES of them."""
        asked = Selection(self.layout, [self.layout.cells[cell] for cell in PAYLOAD], self._table, where, by_id)
        params = params | {
            "limit": limit,
            "row_limit": settings.ETL_MAX_ROW_BYTES,
            "kept": CELL_KEPT_OF_OVERSIZED_ROW,
            "earliest": self._earliest,
        }
        rows = self.database.page(asked, params, PAGE_MAX_BYTES if bounded else None)
        return self._with_stored([self._raw(row) for row in rows])

    def _with_stored(self, raw: list[RawProduct]) -> list[SourceRow]:
        """The rows with what is stored under their keys as written: None must be sure knowledge."""
        keys = {(row.brand, row.sku) for row in raw if is_storable(row.brand) and is_storable(row.sku)}
        found = self.stored(keys) if keys else {}
        return [SourceRow(row, found.get((row.brand, row.sku))) for row in raw]

    def _raw(self, row: tuple[Any, ...]) -> RawProduct:
        row_id, *cells, time, row_bytes = row
        if int(row_id) > GREATEST_ID:
            raise SourceUnusable(_("The source has a row id beyond 2^63: %(id)s.") % {"id": int(row_id)})
        wall = self.database.wall(time)
        at = None if wall is None or wall < self.database.earliest(self.layout.time) else self._clock.instant(wall)
        return RawProduct._make((int(row_id), *cells, at, int(row_bytes)))

    def _range(self, after: Position | None, until: datetime) -> tuple[str, Params]:
        """The rows of a stretch of the cursor's order. Compared as the column is, so that its index serves."""
        time, clock = self.layout.time, self._clock
        last = clock.latest(until)
        first = clock.latest(after.at) if after else None
        params = {"until": self._moment(last, time), "earliest": self._earliest}
        conditions = [self.database.is_usable(time), f"{self._time} <= %(until)s"]
        if after and first and first >= self.database.earliest(time):
            conditions.append(self.database.beyond(self._time, self._id))
            params |= {"at": self._moment(first, time), "after_id": after.id}
        spans, more = self._within(clock.skipped(first, last))
        conditions += [f"NOT {span}" for span in spans]
        return " AND ".join(conditions), params | more

    def _within(self, spans: list[Span]) -> tuple[list[str], Params]:
        """A condition for each span of time, with its parameters."""
        conditions, params = [], Params()
        for number, span in enumerate(spans):
            conditions.append(f"({self._time} >= %(from{number})s AND {self._time} < %(to{number})s)")
            params[f"from{number}"] = self._moment(span.start, self.layout.time)
            params[f"to{number}"] = self._moment(span.end, self.layout.time)
        return conditions, params

    def _count(self, where: str, params: Params) -> int:
        return int(self.database.fetch(f"SELECT count(*) FROM {self._table} s WHERE {where}", params)[0][0])

    @cached_property
    def _clock(self) -> WallClock:
        knows_its_zone = self.layout.time.kind in self.database.times_with_zone
        return WallClock("UTC" if knows_its_zone else self.place.time_zone)

    @property
    def _earliest(self) -> Any:
        return self._moment(self.database.earliest(self.layout.time), self.layout.time)

    def _moment(self, wall: Wall, time: Column) -> Any:
        return self.database.moment(wall, time)

    @property
    def _table(self) -> str:
        return self.database.quoted(self.place.table)

    @property
    def _id(self) -> str:
        return f"s.{self.database.quote(self.layout.id.name)}"

    @property
    def _time(self) -> str:
        return f"s.{self.database.quote(self.layout.time.name)}"


def is_in_shard(raw: RawProduct, number: int, of: int) -> bool:
    """Whether a row's key belongs to this of so many shards."""
    key = f"{(raw.brand or '').strip()}\x1f{(raw.sku or '').strip()}"
    return crc32(key.encode("utf-8", "surrogatepass")) % of == number - 1


def is_storable(cell: str | None) -> bool:
    """Whether a text can be in our database at all: MySQL keeps NUL, and bytes that are no text."""
    if cell is None or "\0" in cell:
        return False
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True
