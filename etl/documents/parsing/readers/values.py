"""A value of a sheet as a person reads it there, without losing any of it."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

# the parts of a number format that say how many decimals there are: 0.00, #,##0.00, 0.0%, "¥"#,##0.00
_NUMBER_FORMAT = re.compile(r"(?:0|#,##0|#)(?:\.(0+))?(%)?")
_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
EXACT_DIGITS = 15  # as many as a sheet shows; more are noise of the binary form


def as_read(cell: Any) -> str:
    """The value of an openpyxl cell as text."""
    value = cell.value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return number(value, cell.number_format or "General")
    if isinstance(value, datetime):
        return _moment(value, cell.number_format or "")
    if isinstance(value, time):
        return value.isoformat(timespec="seconds" if value.second else "minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    return str(value)


def number(value: float, number_format: str = "General") -> str:
    """A number: whole ones without a point, with at least the decimals of its format, percentages as such.

    Nothing is rounded to a format, and thousands are not separated: what reads this wants the number.
    """
    decimals, percent = _shown(number_format)
    if percent:
        value = value * 100
    text = str(value) if isinstance(value, int) else _plain(value)
    if decimals and "e" not in text and "n" not in text:
        whole, _point, rest = text.partition(".")
        text = f"{whole}.{rest.ljust(decimals, '0')}"
    return text + "%" * percent


@lru_cache(maxsize=1000)
def _shown(number_format: str) -> tuple[int, bool]:
    """How many decimals a format has at least, and whether it shows percentages."""
    found = _NUMBER_FORMAT.search(_QUOTED.sub("", number_format.split(";")[0]))
    return (len(found[1] or ""), bool(found[2])) if found else (0, False)


def _plain(value: float) -> str:
    text = f"{value:.{EXACT_DIGITS}g}"
    if "e" not in text:
        return text
    if abs(value) >= 1e21 or abs(value) < 1e-9:
        return text
    return f"{Decimal(text):f}"


def _moment(value: datetime, number_format: str) -> str:
    """A day, or a day with its time; which of them midnight is, the format says."""
    shows_time = re.search(r"[hs]", _QUOTED.sub("", number_format), re.IGNORECASE) is not None
    if value.time() == time(0) and not shows_time:
        return value.date().isoformat()
    value = (value + timedelta(milliseconds=500)).replace(microsecond=0)  # fractions of a day are never exact
    return value.strftime("%Y-%m-%d %H:%M:%S" if value.second else "%Y-%m-%d %H:%M")


def _duration(value: timedelta) -> str:
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
