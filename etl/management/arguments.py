"""What may stand on the command lines of this room."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from config.shell import whole
from etl.products.services import as_many_shards_as_cores

KEYS_FILE_MOST_BYTES = 10_000_000


def positive(text: str) -> int:
    """A whole number from 1 on that fits the database."""
    return whole(text, least=1)


def not_negative(text: str) -> int:
    """A whole number from 0 on that fits the database."""
    return whole(text, least=0)


def percent(text: str) -> int:
    """A share of 0 to 100."""
    return whole(text.removesuffix("%"), least=0, most=100)


UNITS: dict[str, Callable[[int], timedelta]] = {
    "": lambda n: timedelta(seconds=n),
    "s": lambda n: timedelta(seconds=n),
    "m": lambda n: timedelta(minutes=n),
    "h": lambda n: timedelta(hours=n),
    "d": lambda n: timedelta(days=n),
}


def duration(text: str) -> timedelta:
    """A length of time: seconds, or a number with s, m, h or d."""
    match = re.fullmatch(r"(\d{1,6})([smhd]?)", text, re.ASCII)
    if match is None:
        message = _("%(text)r is not a length of time such as 300, 90s, 5m, 2h or 1d")
        raise ArgumentTypeError(message % {"text": text})
    return UNITS[match[2]](int(match[1]))


def moment(text: str) -> datetime:
    """An ISO 8601 date or time; without an offset it is local time (TIME_ZONE)."""
    try:
        day, parsed = parse_date(text), parse_datetime(text)
        if parsed is None and day is not None:
            parsed = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made aware below
        if parsed is None:
            raise ArgumentTypeError(_("%(text)r is not an ISO 8601 date or time") % {"text": text})
        return parsed if timezone.is_aware(parsed) else timezone.make_aware(parsed)
    except (ValueError, OverflowError) as error:
        message = _("%(text)r is not a date or time: %(why)s") % {"text": text, "why": error}
        raise ArgumentTypeError(message) from error


def shard_count(text: str) -> int:
    """A number of shards; auto is one for each core."""
    return as_many_shards_as_cores() if text == "auto" else positive(text)


def product_keys(text: str) -> list[tuple[str, str]]:
    """BRAND/SKU[,BRAND/SKU…], or @FILE with one BRAND/SKU per line, where a SKU may hold a comma.

    The first slash ends the brand.
    """
    written = keys_in_file(text[1:]) if text.startswith("@") else text.split(",")
    pairs = [(brand, sku) for brand, slash, sku in (each.partition("/") for each in written if each.strip()) if slash]
    if not pairs or len(pairs) < sum(1 for each in written if each.strip()):
        wrong = next((each for each in written if each.strip() and "/" not in each), text)
        raise ArgumentTypeError(_("%(text)r is not of the form BRAND/SKU") % {"text": wrong[:140]})
    return pairs


def keys_in_file(name: str) -> list[str]:
    """The lines of a file of keys."""
    try:
        path = Path(name)
        if path.stat().st_size > KEYS_FILE_MOST_BYTES:
            raise ArgumentTypeError(_("the file %(name)s is too large") % {"name": name})
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        message = _("the file %(name)s cannot be read: %(why)s")
        why = getattr(error, "strerror", None) or error
        raise ArgumentTypeError(message % {"name": name, "why": why}) from error
