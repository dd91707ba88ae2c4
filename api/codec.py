"""The one JSON codec: decimals come in exact, go out as numbers, and no key is ever renamed.

A float cannot carry 1.10 or 0.1 + 0.2, and product data must come out as it went in
(docs/architecture.md, "User JSON round-trips").
"""

from decimal import Decimal
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.functional import Promise
from psycopg.types.json import Jsonb


def _as_text(value: Any) -> str:
    # msgspec refuses what only behaves like text: lazy translations, SafeString, DRF's ErrorDetail
    if isinstance(value, str | Promise):
        return str.__str__(value) if isinstance(value, str) else str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_as_text)
_sorted_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_as_text, order="sorted")


def decode(text: str | bytes) -> Any:
    """Parse JSON; numbers with a point or exponent become Decimal.

    Raises msgspec.DecodeError for what is not JSON: NaN, lone surrogates and trailing text included.
    """
    return _decoder.decode(text)


def encode(value: Any) -> bytes:
    """Write compact UTF-8 JSON; Decimal becomes a number with its digits kept."""
    return _encoder.encode(value)


def encode_text(value: Any) -> str:
    """Like encode(), as str for drivers that want text."""
    return encode(value).decode()


def canonical(value: Any) -> bytes:
    """Like encode(), with the keys of every object in order: equal values give equal bytes."""
    return _sorted_encoder.encode(value)


class ExactJSONField(models.JSONField):
    """A jsonb column whose numbers survive Python: read as Decimal, written digit for digit."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return decode(value) if isinstance(value, str) else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return Jsonb(value, dumps=encode)

    def validate(self, value: Any, model_instance: Any) -> None:
        models.Field.validate(self, value, model_instance)
        try:
            encode(value)
        except (TypeError, ValueError) as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from error
