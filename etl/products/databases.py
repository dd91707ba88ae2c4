"""Another database as a place to read a source from: what ForeignSource asks of PostgreSQL and MySQL alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.staging import Staging, TableName
from etl.products.choices import SyncError
from etl.products.source import SourceUnusable
from etl.products.wallclock import Wall
from runs.errors import Outage

Params = dict[str, Any]


class SourceUnreachable(SourceUnusable, Outage):
    """The source's database is away or does not answer; a later try may succeed."""

    slug = SyncError.SOURCE_UNREACHABLE
    title = gettext_lazy("The source cannot be reached")
    retry_after = 30

    def __init__(self, reason: object, *, hung: bool = False) -> None:
        told = " ".join(str(reason).split("\n")[0].split())
        super().__init__(_("The source database cannot be reached: %(reason)s") % {"reason": told})
        self.hung = hung


class Column(NamedTuple):
    """A column of the source."""

    name: str
    kind: str  # the database's word for its type
    nullable: bool


class Index(NamedTuple):
    """Whole columns in the order of an index; neither expressions nor part of the rows."""

    columns: tuple[str, ...]
    unique: bool
    primary: bool


@dataclass(frozen=True)
class TableFacts:
    """What the database says of the table. `columns` goes by lower-case name."""

    columns: dict[str, Column]
    indexes: list[Index]
    # whether every index ends in the primary key, as InnoDB's do
    key_in_every_index: bool = False


class Layout(NamedTuple):
    """Which columns are read."""

    cells: dict[str, Column]
    id: Column
    time: Column


class Selection(NamedTuple):
    """Which rows of a table are read, and in which order. The table and its columns are called `s`."""

    layout: Layout
    cells: list[Column]
    table: str
    where: str
    by_id: bool  # instead of the order of the cursor; then no row has a time that counts


class ForeignDatabase(ABC):
    """One session with another database, opened when something is first asked and unable to write."""

    whole_numbers: frozenset[str]
    times: frozenset[str]
    times_with_zone: frozenset[str]

    def __init__(self, place: Staging) -> None:
        self.place = place
        self.connection: Any = None

    def fetch(self, query: str, params: Params | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query.

        A session that the server closed meanwhile is opened again once: everything asked is a read, so asking
        twice does no harm. Raises SourceUnreachable when the database is away, SourceUnusable when it refuses.
        """
        was_open = self.connection is not None
        try:
            return self._fetch(query, params or {})
        except SourceUnreachable as error:
            self.close()
            if not was_open or error.hung:
                raise
            return self._fetch(query, params or {})

    @abstractmethod
    def _fetch(self, query: str, params: Params) -> list[tuple[Any, ...]]:
        """Open if need be and ask; the driver's errors become SourceUnreachable or SourceUnusable."""

    @abstractmethod
    def close(self) -> None:
        """End the session, whatever state it is in."""

    @abstractmethod
    def facts(self, table: TableName) -> TableFacts:
        """What the table looks like; without columns when there is none."""

    @abstractmethod
    def quote(self, name: str) -> str:
        """An identifier for a query with parameters."""

    def quoted(self, table: TableName) -> str:
        """A table's name likewise."""
        return ".".join(self.quote(part) for part in table if part)

    # --- how this database says it -------------------------------------------------------------------

    clock: str  # a query for its wall clock, told in UTC

    @abstractmethod
    def as_text(self, column: Column) -> str:
        """An expression for a cell as text."""

    @abstractmethod
    def is_usable(self, time: Column) -> str:
        """A condition: the time is one that a calendar has, from %(earliest)s on."""

    @abstractmethod
    def is_unusable(self, time: Column, table: str) -> str:
        """The opposite, null included, in the form that an index serves best."""

    @abstractmethod
    def beyond(self, time: str, row_id: str) -> str:
        """A condition: (time, id) > (%(at)s, %(after_id)s), so that an index serves it."""

    @abstractmethod
    def page(self, asked: Selection, params: Params, most_bytes: int | None) -> list[tuple[Any, ...]]:
        """(id, *cells, time, bytes) of the rows in order, %(limit)s at most.

        Up to the row that makes `most_bytes` of them. Cells of a row beyond %(row_limit)s bytes come cut to
        %(kept)s characters, so that one huge cell costs no memory; its bytes are told in full.
        """

    @abstractmethod
    def earliest(self, time: Column) -> Wall:
        """The earliest time of this column that counts as one."""

    @abstractmethod
    def moment(self, wall: Wall, time: Column) -> Any:
        """A time as a parameter that compares with the column in the column's own type."""

    @abstractmethod
    def wall(self, value: Any) -> Wall | None:
        """A cell of the time column as the wall clock of its zone."""

    @abstractmethod
    def index_advice(self, table: str, time: Column, row_id: Column) -> str:
        """The statement that creates the missing index without locking the table for long."""
