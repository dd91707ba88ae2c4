"""Clocks on a wall: what a time without a zone means, and in which order such times pass.

A column without a zone (MySQL's DATETIME, PostgreSQL's timestamp) is read in one zone. Its own order is the
order of the source, and the cursor goes by it; instants are only how it is stored here. Where clocks are
changed the two differ, so this is settled once:

* An hour that is skipped never was. Such a time is no timestamp, and its row counts as untimed: as an instant
  it would stand behind rows that the column has behind it, and a cursor there would pass them over.
* An hour that comes twice means its first coming. So instants rise with the column, without exception, and a
  place in the one is exactly one place in the other.
* Rows written while it comes the second time stand among those of the first and before the watermark.
  widened() lets a run that begins in or just after it begin at its beginning.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

FIRST_YEAR_OF_ZONES, LAST_YEAR_AT_ONCE = 1850, 2099
MOMENT = timedelta(microseconds=1)

Wall = datetime  # without a zone


class Span(NamedTuple):
    """Wall-clock times from `start` on, up to but without `end`."""

    start: Wall
    end: Wall


class Changes(NamedTuple):
    """Where the clocks of a zone are changed: spans that never were, and spans that come twice."""

    skipped: tuple[Span, ...]
    repeated: tuple[Span, ...]


class WallClock:
    """The clock of one zone."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)

    def instant(self, wall: Wall | None) -> datetime | None:
        """When the clock first showed this; None for what it never showed, or no calendar has."""
        if wall is None:
            return None
        try:
            instant = wall.replace(tzinfo=self.zone).astimezone(UTC)
            shown = instant.astimezone(self.zone).replace(tzinfo=None)
        except OverflowError:  # the first and the last day there is
            return None
        return instant if shown == wall else None

    def latest(self, instant: datetime) -> Wall:
        """The last time on the wall that passed no later than this."""
        shown = instant.astimezone(self.zone)
        wall = shown.replace(tzinfo=None, fold=0)
        span = self._repeated(wall) if shown.fold else None
        return span.end - MOMENT if span else wall  # what comes a second time has all passed once

    def widened(self, instant: datetime) -> datetime:
        """Where to begin so that nothing written later than this is left out."""
        span = self._repeated(instant.astimezone(self.zone).replace(tzinfo=None, fold=0))
        return (self.instant(span.start) if span else None) or instant

    def skipped(self, after: Wall | None, until: Wall) -> list[Span]:
        """What was skipped between two times."""
        spans = changes(self.zone.key, max(until.year, LAST_YEAR_AT_ONCE)).skipped
        return [span for span in spans if span.start <= until and (after is None or span.end > after)]

    def _repeated(self, wall: Wall) -> Span | None:
        spans = changes(self.zone.key, max(wall.year, LAST_YEAR_AT_ONCE)).repeated
        return next((span for span in spans if span.start <= wall < span.end), None)


@lru_cache(maxsize=16)
def changes(zone: str, year: int) -> Changes:
    """The changes of a zone's clocks up to the end of a year.

    zoneinfo does not tell them, so each day is asked for its offset; a day with two changes is not known.
    """
    clock, day, end = ZoneInfo(zone), datetime(FIRST_YEAR_OF_ZONES, 1, 1, tzinfo=UTC), date(min(year + 1, 9999), 1, 2)
    skipped, repeated = [], []
    before = clock.utcoffset(day.astimezone(clock))
    while day.date() < end:
        following = day + timedelta(days=1)
        after = following.astimezone(clock).utcoffset()
        if before is not None and after is not None and before != after:
            at = _moment_of_change(clock, day, following).replace(tzinfo=None)
            if after > before:
                skipped.append(Span(at + before, at + after))
            else:
                repeated.append(Span(at + after, at + before))
        day, before = following, after
    return Changes(tuple(skipped), tuple(repeated))


def _moment_of_change(clock: ZoneInfo, earlier: datetime, later: datetime) -> datetime:
    """The first second between two instants whose offset is that of the later."""
    offset = later.astimezone(clock).utcoffset()
    while later - earlier > timedelta(seconds=1):
        middle = earlier + timedelta(seconds=int((later - earlier).total_seconds()) // 2)
        if middle.astimezone(clock).utcoffset() == offset:
            later = middle
        else:
            earlier = middle
    return later
