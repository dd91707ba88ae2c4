"""Places in a source."""

from datetime import UTC, datetime
from typing import NamedTuple

BEFORE_EVERY_ID = -(2**63)
# Python knows no date before Christ, and the first local midnight east of Greenwich is one
FIRST_MOMENT = datetime(1, 1, 2, tzinfo=UTC)


class Position(NamedTuple):
    """A row's place: ordered by time and then by id, which breaks ties."""

    at: datetime
    id: int


class Cursor(NamedTuple):
    """How far a run has read: its phase, and the last row of that phase."""

    phase: str
    at: datetime | None
    id: int
