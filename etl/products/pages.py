"""The order in which a run reads its source, one page at a time.

First the rows rejected earlier, then those without a timestamp, then the source in the order of the
cursor. A page is a pure function of the cursor, so a run can be resumed from the cursor alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from etl.products.choices import Phase
from etl.products.models import RejectedRow
from etl.products.positions import BEFORE_EVERY_ID, Cursor, Position
from etl.products.source import OthersRow, SameRow, Source, SourceRow

# read by id, so not bounded in bytes: few enough that even rows of the largest size fit
REJECTS_PER_PAGE = 100


@dataclass(frozen=True)
class Page:
    """What was read, and where the next page begins."""

    rows: Sequence[SourceRow | SameRow]
    cursor: Cursor
    gone: list[int] = field(default_factory=list)  # rejected rows that the source no longer has
    # whether this is part of reading the whole source in the cursor's order; of rows picked out of it, a
    # later one of the same product may never be read
    in_order: bool = False

    @property
    def watermark(self) -> Position | None:
        """How far the source is read once this page is dealt with; None outside the cursor's order."""
        if not self.in_order or self.cursor.at is None:
            return None
        return Position(self.cursor.at, self.cursor.id)


@dataclass(frozen=True)
class Reading:
    """One pass over a source: from `start` (None: the first row) up to `until`.

    `in_order` is False for a window of time, since later rows of its products are not read.
    """

    source: Source
    start: Position | None
    until: datetime
    batch_size: int
    in_order: bool = True
    skip_same: bool = True
    timed: bool = True  # whether the pages themselves are read, and not by shards
    shard: tuple[int, int] | None = None  # the rows of these keys only: number and of how many

    def expected_rows(self) -> int:
        """How many rows there are to read, those rejected earlier left out."""
        return self.source.count_between(self.start, self.until)

    def next_page(self, cursor: Cursor) -> Page | None:
        """The page beyond the cursor; None when everything is read."""
        if cursor.phase == Phase.REJECTS:
            return self._rejects(cursor.id) or self.next_page(Cursor(Phase.UNTIMED, None, BEFORE_EVERY_ID))
        if cursor.phase == Phase.UNTIMED:
            return self._untimed(cursor.id) or self._timed(self.start)
        return self._timed(Position(cursor.at, cursor.id) if cursor.at else self.start)

    def _rejects(self, after_id: int) -> Page | None:
        limit = min(self.batch_size, REJECTS_PER_PAGE)
        while ids := RejectedRow.objects.to_retry(self.source.table, after_id=after_id, limit=limit):
            found = self.source.rows(ids)
            rows = [row for row in found if self._only_here(row)]
            gone = sorted(set(ids) - {row.raw.src_id for row in found})
            if rows or gone:
                return Page(rows, Cursor(Phase.REJECTS, None, ids[-1]), gone)
            after_id = ids[-1]  # a later phase reads all of these
        return None

    def _only_here(self, row: SourceRow) -> bool:
        """Whether no later phase reads this row: each row is processed exactly once per run."""
        at = row.raw.src_updated_at
        return at is not None and self.start is not None and Position(at, row.raw.src_id) <= self.start

    def _untimed(self, after_id: int) -> Page | None:
        rows = self.source.untimed(after_id, self.batch_size)
        return Page(rows, Cursor(Phase.UNTIMED, None, rows[-1].raw.src_id)) if rows else None

    def _timed(self, after: Position | None) -> Page | None:
        if not self.timed:
            return None
        rows = self.source.page(after, self.until, self.batch_size, skip_same=self.skip_same, shard=self.shard)
        if not rows:
            return None
        cursor = Cursor(Phase.PAGES, *position_of(rows[-1]))
        own = [row for row in rows if not isinstance(row, OthersRow)]
        return Page(own, cursor, in_order=self.in_order)


def position_of(row: SourceRow | SameRow | OthersRow) -> tuple[datetime | None, int]:
    """Where a row stands in the source."""
    return (row.raw.src_updated_at, row.raw.src_id) if isinstance(row, SourceRow) else row.position


def start_position(watermark: Position | None, *, resume: bool, lookback: timedelta) -> Position | None:
    """Where a run begins: at the watermark less the look-back, or at the first row (None).

    The look-back catches rows that were committed late with an older timestamp; reading a row again
    costs nothing when nothing changed.
    """
    if watermark is None or not resume:
        return None
    if not lookback:
        return watermark
    try:
        return Position(watermark.at - lookback, BEFORE_EVERY_ID)
    except OverflowError:  # looking back beyond the first date there is
        return None
