"""One staging row becomes one product, or is rejected with a reason. Pure: no database, no clock.

Product sync specification, "Rules: Normalise", "data_version" and "Limits". Where the rules are silent:

* The first fault found is the reason, in this order: row size, timestamp, key, name, price, on_sale,
  colors, tags, attributes, description, image_url; a NUL is looked for last.
* Blank description or image_url is null; missing name is ''; blank tags and attributes are missing.
* Text means trimmed of Unicode white space and NFC, also inside JSON and in its keys; a number in a text
  column becomes its digits. Lengths count characters after that.
* Colours and `||` parts: blank ones are dropped. Empty markers are dropped only from attributes and
  from the parts of a split attribute, not from colours or tags.
* Tags may be numbers (2024 becomes '2024'); null and blank tags are dropped; other types are wrong-shape.
* Two JSON keys that become equal by trimming or NFC reject the row. A key written twice letter by letter
  counts once, the last, as in jsonb.
* A jsonb string that holds JSON text is read once more.
* Numbers in JSON may be 400 characters long written out in full.

Feeding the result back gives the same result.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from api.codec import decode, encode
from etl.products import cells
from etl.products.attributes import read_attributes, split
from etl.products.cells import RowRejected, rejected
from etl.products.choices import RejectReason
from etl.products.versioning import FIELDS, framed, sorted_json, version_of

__all__ = ["NormalisedProduct", "RawProduct", "RowRejected", "normalise"]

MAX_ROW_BYTES = 1_000_000
MAX_KEY_LENGTH = 64
MAX_NAME_LENGTH = 255
MAX_URL_LENGTH = 512

_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000").search


class RawProduct(NamedTuple):
    """A staging row as read. Cells hold text, None, or the driver's own Decimal, int, float, list, dict."""

    src_id: Any
    brand: Any
    sku: Any
    name: Any
    price: Any
    colors: Any
    tags: Any
    attrs: Any
    description: Any
    image_url: Any
    on_sale: Any
    src_updated_at: datetime | None
    row_bytes: int


class NormalisedProduct(NamedTuple):
    """A product ready to store: values for comparing and showing, JSON text for COPY, and the version."""

    brand_code: str
    sku: str
    name: str
    price: str
    on_sale: bool
    colors: list[str]
    tags: list[str]
    description: str | None
    image_url: str | None
    colors_json: bytes
    tags_json: bytes
    attributes_json: bytes
    data_version: str

    @property
    def attributes(self) -> dict[str, Any]:
        """Parsed anew each time: few ask for the value, and a page of kept trees costs more than its JSON."""
        return decode(self.attributes_json)


def normalise(raw: RawProduct, max_row_bytes: int = MAX_ROW_BYTES) -> NormalisedProduct:
    """The product of a row. Raises RowRejected and nothing else, whatever the cells hold."""
    if raw.row_bytes > max_row_bytes:
        raise RowRejected(
            RejectReason.ROW_TOO_LARGE, "row", f"row has {raw.row_bytes} bytes, the limit is {max_row_bytes}"
        )
    if raw.src_updated_at is None:
        raise rejected(RejectReason.MISSING_TIMESTAMP, "src_updated_at", "is missing")
    brand_code = _key("brand_code", raw.brand)
    sku = _key("sku", raw.sku)
    name = _limited("name", cells.read_text("name", raw.name), MAX_NAME_LENGTH)
    price = cells.read_price(raw.price)
    on_sale = cells.read_flag("on_sale", raw.on_sale)
    colors = _colors(raw.colors)
    tags = _tags(raw.tags)
    colors_json, tags_json = _json("colors", colors), _json("tags", tags)
    attributes_json, exact_attributes = read_attributes(raw.attrs)
    description = cells.read_text("description", raw.description) or None
    image_url = _limited("image_url", cells.read_text("image_url", raw.image_url), MAX_URL_LENGTH) or None
    canonical = _canonical(
        brand_code,
        sku,
        name,
        price,
        on_sale,
        msgspec.Raw(colors_json),
        msgspec.Raw(tags_json),
        msgspec.Raw(exact_attributes),
        description,
        image_url,
    )
    return NormalisedProduct(
        brand_code,
        sku,
        name,
        price,
        on_sale,
        colors,
        tags,
        description,
        image_url,
        colors_json,
        tags_json,
        attributes_json,
        version_of(canonical),
    )


def readable_key(brand: Any, sku: Any) -> tuple[str, str] | None:
    """The product a row is about, whatever else is wrong with the row; None when its key names none."""
    try:
        key = _key("brand_code", brand), _key("sku", sku)
    except RowRejected:
        return None
    text = "".join(key)
    if text.isprintable():  # neither a NUL nor half a surrogate pair is
        return key
    # no product is stored under such a key
    return None if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text) else key


def _key(field: str, cell: Any) -> str:
    text = cells.read_text(field, cell)
    if not text:
        raise rejected(RejectReason.MISSING_KEY, field, "is missing")
    return _limited(field, text, MAX_KEY_LENGTH)


def _limited(field: str, text: str, length: int) -> str:
    if len(text) > length:
        fault = f"has {len(text)} characters, the limit is {length}"
        raise rejected(RejectReason.TOO_LONG, field, fault, text)
    return text


def _colors(cell: Any) -> list[str]:
    if not isinstance(cell, list):
        return split(cells.read_text("colors", cell))
    if not all(isinstance(color, str) for color in cell):
        raise rejected(RejectReason.WRONG_SHAPE, "colors", "is not a list of texts", cell)
    return sorted({part for color in cell for part in split(cells.read_text("colors", color))})


def _tags(cell: Any) -> list[str]:
    tags = None if cell is None else cells.read_json("tags", cell)
    if tags is None:
        return []
    if type(tags) is not list:
        raise rejected(RejectReason.WRONG_SHAPE, "tags", "is not a JSON list", cell)
    return sorted({tag for item in tags if (tag := _tag(item))})


def _tag(item: Any) -> str:
    if type(item) is str:
        return cells.composed("tags", item).strip()
    if item is None:
        return ""
    if type(item) is int:
        return str(cells.json_integer("tags", item))
    if type(item) is Decimal:
        return cells.json_number("tags", item)
    raise rejected(RejectReason.WRONG_SHAPE, "tags", "holds a tag that is not text", item)


def _json(field: str, value: list[str]) -> bytes:
    try:
        return sorted_json(value)
    except UnicodeEncodeError:
        raise cells.lone_surrogate(field, value) from None


def _canonical(*values: Any) -> bytes:
    """The canonical bytes, searched once as a whole for what no text column can store."""
    try:
        canonical = framed(values)
    except UnicodeEncodeError:
        raise _surrogate_among(values) from None
    if b"\\u0000" in canonical and _NUL_ESCAPE(canonical):
        raise _nul_among(values)
    return canonical


def _nul_among(values: tuple[Any, ...]) -> RowRejected:
    field, value = next(pair for pair in zip(FIELDS, values, strict=True) if _NUL_ESCAPE(encode(pair[1])))
    return cells.nul_character(field, encode(value).decode())


def _surrogate_among(values: tuple[Any, ...]) -> RowRejected:
    for field, value in zip(FIELDS, values, strict=True):
        try:
            encode(value)
        except UnicodeEncodeError:
            return cells.lone_surrogate(field, value)
    raise AssertionError("no field holds half a surrogate pair")
