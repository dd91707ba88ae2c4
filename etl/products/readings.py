"""What a run reads, by its mode: the whole source, a window of time, or the rows of some products."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from etl.products.choices import Mode, Phase
from etl.products.models import ProductSyncRun
from etl.products.normalise import readable_key
from etl.products.pages import REJECTS_PER_PAGE, Page, Reading, start_position
from etl.products.positions import BEFORE_EVERY_ID, Cursor, Position
from etl.products.shards import ProductSyncShard
from etl.products.source import Source, SourceKey, SourceRow

Key = tuple[str, str]

KEYS_PER_PAGE = 5_000


def reading_of(run: ProductSyncRun, source: Source) -> Reading | NamedRows:
    """What a run reads, once begin() has fixed it."""
    assert run.read_until is not None, "begin() comes first"
    if run.keys:
        keys = frozenset((brand, sku) for brand, sku in run.keys)
        is_windowed = run.since is not None or run.until is not None
        return NamedRows(source, keys, run.since, run.read_until, is_windowed, run.batch_size)
    if in_order := run.mode != Mode.REPLAY:
        start = source.widened(start_position(run.started_from, resume=run.resume, lookback=run.lookback))
    else:
        start = None if run.since is None else Position(run.since, BEFORE_EVERY_ID)
    # a dry run has to compare with what it would have written itself, which the database does not know
    return Reading(
        source, start, run.read_until, run.batch_size, in_order, skip_same=not run.dry_run, timed=run.shards == 1
    )


def shard_reading_of(shard: ProductSyncShard, source: Source) -> Reading:
    """What a shard reads: the pages of its run, and of them the rows of its own keys."""
    whole = reading_of(shard.run, source)
    assert isinstance(whole, Reading), "only what is read in order is read in shards"
    # as many rows of its own in a page as there are in a page of an undivided run
    return replace(whole, timed=True, shard=(shard.number, shard.of), batch_size=whole.batch_size * shard.of)


@dataclass(frozen=True)
class NamedRows:
    """The rows of some products, found by one pass over the keys of the whole source.

    They are read in the order of their ids, since nothing in a source is sorted by key. Which they are is
    looked up once per object; a run that is resumed looks again and goes on beyond its cursor.
    """

    source: Source
    keys: frozenset[Key]
    since: datetime | None
    until: datetime
    is_windowed: bool
    batch_size: int

    def next_page(self, cursor: Cursor) -> Page | None:
        """The page beyond the cursor; None when everything is read."""
        limit = min(self.batch_size, REJECTS_PER_PAGE)
        ids = self._found.ids
        for start in range(bisect_right(ids, cursor.id), len(ids), limit):
            chosen = ids[start : start + limit]
            if rows := [row for row in self.source.rows(chosen) if self._is_wanted(row)]:
                return Page(rows, Cursor(Phase.KEYS, None, chosen[-1]))
        return None

    def expected_rows(self) -> int:
        """How many rows there are to read, and perhaps a few outside the window."""
        return len(self._found.ids)

    def not_found(self) -> list[Key]:
        """The keys that no row of the source has, sorted."""
        return sorted(self.keys - self._found.keys)

    def _is_wanted(self, row: SourceRow) -> bool:
        """Whether the row is due and in the window; one without a timestamp is in none."""
        at = row.raw.src_updated_at
        if at is None:
            return not self.is_windowed
        return at <= self.until and (self.since is None or at >= self.since)

    @cached_property
    def _found(self) -> Found:
        found = Found()
        for page in key_pages(self.source):
            for row, key in read_keys(page):
                if key in self.keys:
                    found.ids.append(row.src_id)
                    found.keys.add(key)
        return found


@dataclass
class Found:
    """Rows of the products asked for, in order of id, and the products that have any."""

    ids: list[int] = field(default_factory=list)
    keys: set[Key] = field(default_factory=set)


def key_pages(source: Source, after_id: int = BEFORE_EVERY_ID) -> Iterator[list[SourceKey]]:
    """The keys of every source row beyond `after_id`, page by page; no page is empty."""
    while page := source.keys(after_id, KEYS_PER_PAGE):
        yield page
        after_id = page[-1].src_id


def read_keys(page: Iterable[SourceKey]) -> Iterator[tuple[SourceKey, Key]]:
    """Each row with the product it is about, as the normaliser reads it; rows without a key are left out."""
    for row in page:
        if (key := readable_key(row.brand, row.sku)) is not None:
            yield row, key
