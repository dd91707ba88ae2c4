"""What every text that people give must be like. Pure: no database."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


def refuse_unstorable(field: str, text: str) -> None:
    """NUL and lone surrogates are characters to Python and none to PostgreSQL. Raises ValidationError."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise refused(field, _("The text holds characters that cannot be stored."), "unstorable")


def refused(field: str, message: Any, code: str, **params: Any) -> ValidationError:
    """What is wrong with one field."""
    return ValidationError({field: ValidationError(message, code=code, params=params)})
