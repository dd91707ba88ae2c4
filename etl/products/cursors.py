"""The change feed's cursor: two snapshots of the log and the last id between them, as one opaque text."""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

import msgspec
from django.utils.translation import gettext_lazy as _

BEGIN, END = "begin", "now"
_MARK = b"\x01"  # the form of the cursor; a later form gets the next number
_CHECKSUM_BYTES = 6
_LONGEST_TRANSACTION = timedelta(hours=1)

Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]  # seconds since 1970, to the year 9999


class InvalidCursor(Exception):
    """The text is no cursor of the change feed."""

    slug = "invalid-cursor"
    title = _("Not a cursor of this feed")
    message = _("Use the nextCursor of an answer, begin, or now.")


class Pruned(NamedTuple):
    """Up to where old changes have been deleted."""

    up_to_id: int
    up_to_at: datetime


class Snapshot(msgspec.Struct, array_like=True, frozen=True):
    """Which changes could be seen at one moment: those with a xid below `end` that is not in `late`.

    `end` is one past the highest xid among the changes seen, not the database's next one: a number that was
    given out but left no trace on disk is given out again after a crash. Every number below `end` has left one.
    """

    end: Number
    late: tuple[Number, ...]  # transactions below `end` that were still in progress
    newest: Number  # the highest id seen
    latest: Number  # a change with the highest xid seen
    seal: Number  # of these two rows, so that a restored database is recognised
    taken_at: Moment

    def lost_to(self, pruned: Pruned) -> bool:
        """Whether changes that this snapshot had not seen may have been pruned.

        What was in progress then may have a lower id than the newest seen, but is hardly older.
        """
        begun = datetime.fromtimestamp(self.taken_at, UTC) - _LONGEST_TRANSACTION
        return pruned.up_to_id > self.newest or pruned.up_to_at >= begun


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """Everything `seen` has been handed out; while `upto` is set, also its changes up to `last_id`."""

    system: Number  # the database cluster whose transaction numbers these are
    seen: Snapshot | None = None  # None: nothing yet
    upto: Snapshot | None = None
    last_id: Number = 0

    def snapshots(self) -> list[Snapshot]:
        """Those that the cursor holds."""
        return [each for each in (self.seen, self.upto) if each is not None]

    def lost_to(self, pruned: Pruned) -> bool:
        """Whether changes that this cursor has yet to hand out may have been pruned."""
        if self.upto is not None:
            return pruned.up_to_id > self.last_id
        return self.seen is not None and self.seen.lost_to(pruned)

    def as_text(self) -> str:
        """The cursor as clients keep it: base64url with a checksum."""
        payload = _MARK + msgspec.msgpack.encode(self)
        return base64.urlsafe_b64encode(payload + _checksum(payload)).rstrip(b"=").decode()


def parse(text: str) -> Cursor:
    """The cursor that as_text() wrote. Raises InvalidCursor for any other text."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    payload, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    if payload[:1] != _MARK or checksum != _checksum(payload):
        raise InvalidCursor
    try:
        cursor = msgspec.msgpack.decode(payload[1:], type=Cursor)
    except msgspec.MsgspecError as error:
        raise InvalidCursor from error
    if cursor.as_text() != text:  # the last letter has bits that stand for nothing
        raise InvalidCursor
    return cursor


def seal_of(rows: Iterable[tuple[int, int, datetime]]) -> int:
    """A number that stands for these changes (id, xid, time); other rows give another one."""
    told = repr([(pk, xid, at.astimezone(UTC).isoformat()) for pk, xid, at in sorted(rows)])
    return int.from_bytes(hashlib.blake2b(told.encode(), digest_size=7).digest())


def _checksum(payload: bytes) -> bytes:
    # against slips and foreign texts; a reader may read everything, so there is nothing to forge
    return hashlib.blake2b(payload, digest_size=_CHECKSUM_BYTES, person=b"product-changes").digest()
