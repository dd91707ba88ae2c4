"""What to do with each row of a page: decided in memory, before anything is written."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from django.conf import settings

from etl.products.normalise import NormalisedProduct, RawProduct, RowRejected, normalise
from etl.products.pages import REJECTS_PER_PAGE, Page
from etl.products.positions import Position
from etl.products.source import SameRow, Source, SourceRow, Stored

Key = tuple[str, str]


@dataclass
class Counts:
    """What became of the rows read; `read` is always the sum of the others."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    superseded: int = 0
    rejected: int = 0

    def add(self, other: Counts) -> None:
        """Count another page in."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def as_dict(self) -> dict[str, int]:
        """By name, in the order of declaration."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


class Accepted(NamedTuple):
    """A good row: its product, where it stands in the source, what we have under its key."""

    raw: RawProduct
    product: NormalisedProduct
    position: Position
    stored: Stored | None
    fingerprint: int | None = None

    @property
    def key(self) -> Key:
        """What makes it one product."""
        return self.product.brand_code, self.product.sku

    @property
    def is_respelled(self) -> bool:
        """Whether the source writes the key differently, so that `stored` is still to be found."""
        return self.product.brand_code != self.raw.brand or self.product.sku != self.raw.sku


class Refused(NamedTuple):
    """A bad row and why."""

    raw: RawProduct
    why: RowRejected


@dataclass
class Decision:
    """The outcome for one page: only `writes`, `refused` and `respelled` cause any write."""

    counts: Counts = field(default_factory=Counts)
    writes: list[Accepted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    good_ids: list[int] = field(default_factory=list)
    respelled: list[Accepted] = field(default_factory=list)  # unchanged, from a text not seen before

    def take_back(self, accepted: Accepted) -> None:
        """Uncount a write that will not happen."""
        if accepted.stored is None:
            self.counts.created -= 1
        else:
            self.counts.updated -= 1


def settle(page: Page, source: Source, *, overlay: dict[Key, Stored] | None = None) -> Decision:
    """Decide a page as read from this source; see decide()."""
    with collector_paused():
        sifted = sift(page.rows)
        return settle_sifted(page, sifted, source, overlay=overlay)


def settle_sifted(page: Page, sifted: Sifted, source: Source, *, overlay: dict[Key, Stored] | None = None) -> Decision:
    """Decide a page whose rows are normalised already."""
    decision = judge(sifted, look_up=source.stored, overlay=overlay)
    if not page.in_order and decision.writes:
        outdated = with_newer_good_row(decision.writes, source)
        supersede(decision, lambda accepted: accepted.key in outdated)
    return decision


@contextmanager
def collector_paused() -> Iterator[None]:
    """Garbage is found by reference counts only.

    A page is ten thousands of JSON containers and not one cycle; going over them and everything else in
    memory again and again takes the collector a fifth of a page's time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Sifted(NamedTuple):
    """A page's rows normalised: of each product the newest. What we have of them is yet to be looked at."""

    decision: Decision  # so far: what was read, superseded within the page, refused, and known to be the same
    accepted: list[Accepted]
    same: frozenset[Key]  # recognised in the database by their text


def decide(
    rows: Iterable[SourceRow | SameRow],
    *,
    look_up: Callable[[Iterable[Key]], dict[Key, Stored]],
    overlay: dict[Key, Stored] | None = None,
) -> Decision:
    """Sort a page's rows, given in cursor order, into what to write, to refuse and to leave alone.

    `look_up` finds stored products by normalised key, for rows whose key is written differently in the
    source. `overlay` goes before what is stored: a dry run remembers there what it would have written.
    """
    return judge(sift(rows), look_up=look_up, overlay=overlay)


def sift(rows: Iterable[SourceRow | SameRow]) -> Sifted:
    """Normalise rows, given in cursor order; the long part of deciding, and a function of the rows alone."""
    decision = Decision()
    counts = decision.counts
    newest: dict[Key, Accepted | None] = {}  # None: the product is as this row says
    for row in rows:
        counts.read += 1
        if isinstance(row, SameRow):
            accepted, key = None, (row.brand, row.sku)
            decision.good_ids.append(row.position.id)
        else:
            accepted = _accepted(row, decision)
            if accepted is None:
                continue
            key = accepted.key
        # the newest of several rows of one key wins; a page is in cursor order, so that is the last
        counts.superseded += key in newest
        newest[key] = accepted
    read = [accepted for accepted in newest.values() if accepted is not None]
    counts.unchanged += len(newest) - len(read)
    return Sifted(decision, read, frozenset(key for key, accepted in newest.items() if accepted is None))


def judge(
    sifted: Sifted,
    *,
    look_up: Callable[[Iterable[Key]], dict[Key, Stored]],
    overlay: dict[Key, Stored] | None = None,
) -> Decision:
    """Compare with what is stored; see decide(). To be called once for what was sifted."""
    for accepted in _with_stored(sifted.accepted, look_up, overlay or {}):
        _judge(accepted, sifted.decision)
    return sifted.decision


def supersede(decision: Decision, is_outdated: Callable[[Accepted], bool]) -> None:
    """Take back writes of rows that were read out of order and are older than another good row."""
    kept = []
    for accepted in decision.writes:
        if not is_outdated(accepted):
            kept.append(accepted)
            continue
        decision.counts.superseded += 1
        decision.take_back(accepted)
    decision.writes = kept


def with_newer_good_row(writes: list[Accepted], source: Source) -> set[Key]:
    """The products of which the source has a later row that normalises.

    One scan of the source finds the later rows of all of them (Source.newer_rows). These are then
    read, the newest of each product first, until a good one is found.
    """
    newer = source.newer_rows({each.key: each.position for each in writes})
    outdated: set[Key] = set()
    while candidates := {ids.pop(0): key for key, ids in newer.items() if ids and key not in outdated}:
        ids = list(candidates)
        for start in range(0, len(ids), REJECTS_PER_PAGE):
            for row in source.rows(ids[start : start + REJECTS_PER_PAGE]):
                if _is_good(row.raw):
                    outdated.add(candidates[row.raw.src_id])
    return outdated


def _is_good(raw: RawProduct) -> bool:
    try:
        normalise(raw, settings.ETL_MAX_ROW_BYTES)
    except RowRejected:
        return False
    return True


def _accepted(row: SourceRow, decision: Decision) -> Accepted | None:
    """The row normalised; None when it is refused, which is noted."""
    raw, stored, fingerprint = row
    try:
        product = normalise(raw, settings.ETL_MAX_ROW_BYTES)
    except RowRejected as why:
        decision.refused.append(Refused(raw, why))
        decision.counts.rejected += 1
        return None
    decision.good_ids.append(raw.src_id)
    assert raw.src_updated_at is not None, "a row without a timestamp does not normalise"
    accepted = Accepted(raw, product, Position(raw.src_updated_at, raw.src_id), stored, fingerprint)
    # what was found under the key as written is another product's
    return accepted._replace(stored=None) if accepted.is_respelled else accepted


def _with_stored(
    accepted: list[Accepted], look_up: Callable[[Iterable[Key]], dict[Key, Stored]], overlay: dict[Key, Stored]
) -> list[Accepted]:
    """The same rows with what is stored under their normalised key."""
    # under a key as written in the source the page's own join has looked already
    unknown = [each.key for each in accepted if each.is_respelled and each.key not in overlay]
    found = (look_up(unknown) if unknown else {}) | overlay
    if not found:
        return accepted
    return [each._replace(stored=found.get(each.key, each.stored)) for each in accepted]


def _judge(accepted: Accepted, decision: Decision) -> None:
    """Compare one row with what is stored and count it."""
    stored = accepted.stored
    if stored is None:
        decision.counts.created += 1
        decision.writes.append(accepted)
    elif stored.is_newer_than(accepted.position):
        decision.counts.superseded += 1
    elif stored.data_version == accepted.product.data_version and not stored.is_deleted:
        decision.counts.unchanged += 1
        if accepted.fingerprint not in (None, stored.fingerprint):
            decision.respelled.append(accepted)
    else:
        decision.counts.updated += 1
        decision.writes.append(accepted)
