"""data_version: one fingerprint over every business field of a product.

Product sync specification, "data_version": `v1:` + SHA-256 of JSON `[[field, value], …]` in one fixed
order; NFC text, price as '199.00', null for absent, other numbers as exact decimal text without exponent
or trailing zeros, object keys by code point. Hashing never changes what is stored.

The bytes come from msgspec's encoder: a release that escapes text differently changes every version. The
golden tests would go red; PREFIX must then move with it.
"""

from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Any, Protocol

import msgspec

PREFIX = "v1:"

FIELDS = (
    "brand_code",
    "sku",
    "name",
    "price",
    "on_sale",
    "colors",
    "tags",
    "attributes",
    "description",
    "image_url",
)

# msgspec sorts keys by their UTF-8 bytes, which is the order of code points
_encode = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


class Versioned(Protocol):
    """What has a version: a normalised row, or a stored product."""

    @property
    def brand_code(self) -> str: ...
    @property
    def sku(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def price(self) -> str | Decimal: ...
    @property
    def on_sale(self) -> bool: ...
    @property
    def colors(self) -> list[str]: ...
    @property
    def tags(self) -> list[str]: ...
    @property
    def attributes(self) -> dict[str, Any]: ...
    @property
    def description(self) -> str | None: ...
    @property
    def image_url(self) -> str | None: ...


def data_version(product: Versioned) -> str:
    """The version of a product whose fields are in normalised form."""
    return version_of(canonical_bytes(product))


def version_of(canonical: bytes) -> str:
    return PREFIX + sha256(canonical).hexdigest()


def canonical_bytes(product: Versioned) -> bytes:
    """The exact bytes the version is a hash of. Expects normalised form; does not normalise text again."""
    values = {field: getattr(product, field) for field in FIELDS}
    values["price"] = f"{Decimal(product.price):.2f}"
    values["attributes"] = _with_exact_numbers(product.attributes)
    return framed(values.values())


def framed(values: Iterable[Any]) -> bytes:
    """Canonical bytes of the values in the order of FIELDS; the price is already text.

    JSON parts may come encoded, as msgspec.Raw. Raises UnicodeEncodeError for a lone surrogate.
    """
    return _encode(list(zip(FIELDS, values, strict=True)))


def sorted_json(value: Any) -> bytes:
    """Compact JSON with keys by code point; numbers keep the digits they were written with."""
    return _encode(value)


def exact_text(number: Decimal) -> str:
    """Every digit of a finite number, without exponent or trailing zeros; -0 is 0."""
    text = str(number)
    if "E" in text:
        text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if number else "0"


def _with_exact_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: item if type(item) is str else _with_exact_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [item if type(item) is str else _with_exact_numbers(item) for item in value]
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        # the encoder itself would write a small Decimal as 1E-7
        return msgspec.Raw(exact_text(value).encode())
    return value
