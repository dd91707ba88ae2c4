"""What a run reads from: the words for a staging table, wherever it stands.

Whatever implements Source only reads. All payload cells come as text, so that a column may be text, jsonb,
numeric or boolean in the source without the normaliser noticing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, Self

from django.utils.translation import gettext_lazy

from etl.products.normalise import RawProduct
from etl.products.positions import Position

PAGE_MAX_BYTES = 16_000_000
CELL_KEPT_OF_OVERSIZED_ROW = 200

# which source column feeds which cell; the first that exists is taken
COLUMNS: dict[str, tuple[str, ...]] = {
    "brand": ("style_brand_no", "brand_code", "brand"),
    "sku": ("style_no", "sku"),
    "name": ("name", "commodity_name", "product_name", "style_name"),
    "price": ("price", "sale_price", "retail_price"),
    "colors": ("colors_concat", "colors"),
    "tags": ("tags_json", "tags"),
    "attrs": ("attrs_json", "attributes"),
    "description": ("description",),
    "image_url": ("image_url",),
    "on_sale": ("on_sale", "onsale", "is_on_sale", "is_sale"),
}
ID_COLUMN, TIME_COLUMN = "id", "src_updated_at"
PAYLOAD = tuple(COLUMNS)
KEY = ("brand", "sku")


class SourceUnusable(Exception):
    """The source cannot be read as it is; the message says what to mend."""

    slug = "source-unusable"
    title = gettext_lazy("The source cannot be read")

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.extra: dict[str, Any] = {}


class Stored(NamedTuple):
    """What we already have of a row's product."""

    product_id: int
    data_version: str
    src_updated_at: datetime | None
    src_id: int | None
    is_deleted: bool
    fingerprint: int | None = None  # of the source row it was last written from

    def is_newer_than(self, position: Position) -> bool:
        """Whether it came from a later place in the source; of unknown origin means older than all.

        So is what was deleted: the place it came from is gone, and any row that the source has brings it back.
        """
        if self.src_updated_at is None or self.src_id is None or self.is_deleted:
            return False
        return (self.src_updated_at, self.src_id) > position


class SourceRow(NamedTuple):
    """A row as read, with what is stored under its key as written in the source; None is sure knowledge.

    `fingerprint` tells this text of the row from any other; None when the source cannot compute it.
    """

    raw: RawProduct
    stored: Stored | None
    fingerprint: int | None = None


class SameRow(NamedTuple):
    """A row that is letter by letter the one its product was last written from; its payload was not read."""

    brand: str
    sku: str
    position: Position


class OthersRow(NamedTuple):
    """The last row of a page when it belongs to another shard: only where it stands is of interest."""

    position: Position


class SourceKey(NamedTuple):
    """The key cells of a source row as written there, for normalise.readable_key()."""

    src_id: int
    brand: Any
    sku: Any


class Source(Protocol):
    """What a run reads from. As a context manager it lets go of its connection in the end."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *failure: object) -> None: ...

    @property
    def table(self) -> str:
        """Its name in runs, rejected rows and the watermark."""

    def check(self) -> None:
        """Raise SourceUnusable unless it can be read."""

    def warnings(self) -> list[str]:
        """What makes reading slower than it need be, with the remedy."""

    def now(self) -> datetime:
        """Its own clock: rows stamped later than this wait."""

    def widened(self, start: Position | None) -> Position | None:
        """Where a run that looks back should begin; earlier where the source's order of time is in doubt."""

    def count_between(self, after: Position | None, until: datetime) -> int: ...
    def count_waiting(self, until: datetime) -> int: ...
    def page(
        self,
        after: Position | None,
        until: datetime,
        limit: int,
        *,
        skip_same: bool = False,
        shard: tuple[int, int] | None = None,
    ) -> Sequence[SourceRow | SameRow | OthersRow]: ...
    def untimed(self, after_id: int, limit: int) -> list[SourceRow]: ...
    def rows(self, ids: Sequence[int]) -> list[SourceRow]: ...
    def keys(self, after_id: int, limit: int) -> list[SourceKey]: ...
    def newer_rows(self, places: Mapping[tuple[str, str], Position]) -> dict[tuple[str, str], list[int]]: ...
    def stored(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stored]: ...
