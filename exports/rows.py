"""One article as it comes in, from a request or a line of a file: read, checked, and brought to our names.

Pure: nothing here knows the database. A row is either good as a whole or named with every fault it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from api.names import camel
from exports.choices import Region, Sentiment

MAX_ARTICLE_ID = 512  # characters, as exports.models has it
MAX_KEYWORDS = 100
SCORE_PLACES = Decimal("0.001")
SCORE_BELOW = 1000  # numeric(6,3)
FIRST_YEAR, LAST_YEAR = 2, 9998  # a year of room for time zones at either end of what Python can hold

_KEYWORD_ENDS = re.compile(r"[,;|、，；\n]")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,6})?")
_YES_NO = {"true": True, "1": True, "yes": True, "t": True, "false": False, "0": False, "no": False, "f": False}

# the original's name → ours
ALIASES = {
    "publish_time_iso": "published_at",
    "content_markdown": "content",
    "llm_summary": "summary",
    "llm_keywords": "keywords",
    "external_importance_score": "importance",
    "is_beijing_related": "region",
    "sentiment_label": "sentiment",
}


class Refused(Exception):
    """What is wrong with one value: a code for programs, words for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Fault:
    """What is wrong with one row: its number (from zero, as it came), the field, and why."""

    row: int
    field: str
    code: str
    detail: str
    article_id: str = ""

    @property
    def pointer(self) -> str:
        """Where in the request, as a JSON pointer."""
        name = self.field.replace("~", "~0").replace("/", "~1")
        return f"#/articles/{self.row}" + (f"/{name}" if name else "")


@dataclass(frozen=True)
class Row:
    """A good row: the values of exactly those fields it named, ready to be written as JSON."""

    number: int
    article_id: str
    values: Mapping[str, Any]


def read_row(number: int, given: Any, *, strict: bool = True) -> Row | list[Fault]:
    """The row, or all its faults. A name we do not know is a fault when `strict`, else passed over."""
    if not isinstance(given, Mapping):
        return [Fault(number, "", "not-an-object", _("A row is an object with fields."))]
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    seen: dict[str, Any] = {}
    for key, value in given.items():
        known = NAMES.get(key) if isinstance(key, str) else None
        try:
            if known is None:
                if strict:
                    raise Refused("unknown-field", _("There is no such field."))
                continue
            field, read = known
            found = read(value)
            if field in seen and seen[field] != found:
                raise Refused("two-spellings", _("The field is given twice, with different values."))
            seen[field] = values[field] = found
        except Refused as refused:
            faults.append(Fault(number, _shown(key), refused.code, refused.detail))
    named = {fault.field for fault in faults}
    for field in ("article_id", "title"):
        if not values.get(field) and not named & {field, camel(field)}:
            faults.append(Fault(number, field, "required", _("This field is required.")))
    article_id = values.get("article_id") or ""
    if faults:
        return [Fault(each.row, each.field, each.code, each.detail, article_id) for each in faults]
    return Row(number, article_id, values)


def names_unknown(names: Iterator[str]) -> list[str]:
    """Those of a file's columns that say nothing to us."""
    return [name for name in names if name not in NAMES]


def score_of(value: Any) -> Decimal | None:
    """A score or importance as the column holds it: three decimals, below 1000. Raises Refused."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise Refused("not-a-number", _("It must be a number."))
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        raise Refused("not-a-number", _("It must be a number."))
    try:
        number = Decimal(value.strip() if isinstance(value, str) else str(value) if isinstance(value, float) else value)
    except InvalidOperation as error:
        raise Refused("not-a-number", _("It must be a number.")) from error
    if not number.is_finite() or abs(number) >= SCORE_BELOW:
        raise Refused("out-of-range", _("It must lie between -1000 and 1000."))
    rounded = number.quantize(SCORE_PLACES)
    if abs(rounded) >= SCORE_BELOW:
        raise Refused("out-of-range", _("It must lie between -1000 and 1000."))
    return rounded


def text_of(value: Any) -> str:
    """Text that the database and UTF-8 can hold; null is the empty text. Raises Refused."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused("not-text", _("It must be text."))
    if "\0" in value:
        raise Refused("nul-character", _("Text may not contain the NUL character."))
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Refused("not-text", _("It is not valid Unicode text.")) from error
    return value


def _article_id(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # an id that looks like a number is one in many a JSON
    article_id = text_of(value)
    if len(article_id) > MAX_ARTICLE_ID:
        raise Refused("too-long", _("An article id has 1 to 512 characters."))
    if not article_id.strip():
        raise Refused("required", _("This field is required."))
    return article_id


def _title(value: Any) -> str:
    title = text_of(value).strip()
    if not title:
        raise Refused("required", _("This field is required."))
    return title


def _moment(value: Any) -> str | None:
    if value is None or value == "":
        return None
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise Refused("not-a-time", _("It must be a time as in 2026-05-01T08:30:00+08:00.")) from error
    if not isinstance(moment, datetime):
        raise Refused("not-a-time", _("It must be a time as in 2026-05-01T08:30:00+08:00."))
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Refused("out-of-range", _("The year is out of range."))
    aware = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
    return aware.astimezone(UTC).isoformat()


def _score(value: Any) -> str | None:
    score = score_of(value)
    return None if score is None else str(score)


def _keywords(value: Any) -> list[str]:
    parts = value if isinstance(value, list) else _KEYWORD_ENDS.split(text_of(value))
    if len(parts) > MAX_KEYWORDS:
        raise Refused("too-many", _("There may be at most 100 keywords."))
    return [word for word in (text_of(part).strip() for part in parts) if word]


def _region(value: Any) -> str:
    return _word(value, Region.values, _("A region is internal, external or unknown."))


def _sentiment(value: Any) -> str:
    return _word(value, Sentiment.values, _("A sentiment is positive, negative or unknown."))


def _is_internal(value: Any) -> str:
    """The original's yes, no or nothing."""
    if value is None or value == "":
        return Region.UNKNOWN
    decided = value if isinstance(value, bool) else _YES_NO.get(str(value).strip().lower())
    if decided is None:
        raise Refused("not-a-choice", _("It must be true or false."))
    return Region.INTERNAL if decided else Region.EXTERNAL


def _word(value: Any, known: list[str], refusal: str) -> str:
    word = text_of(value).strip().lower() if value is None or isinstance(value, str) else ""
    if value is None or (isinstance(value, str) and not word):
        return "unknown"
    if word not in known:
        raise Refused("not-a-choice", refusal)
    return word


Reader = Callable[[Any], Any]
READERS: dict[str, Reader] = {
    "article_id": _article_id,
    "title": _title,
    "source": text_of,
    "url": text_of,
    "published_at": _moment,
    "content": text_of,
    "summary": text_of,
    "keywords": _keywords,
    "score": _score,
    "importance": _score,
    "region": _region,
    "sentiment": _sentiment,
    "section": text_of,
}
_ALIAS_READERS: dict[str, Reader] = {"is_beijing_related": _is_internal}

# every spelling that is understood → (our field, how it is read)
NAMES: dict[str, tuple[str, Reader]] = {
    spelling: (field, _ALIAS_READERS.get(name, READERS[field]))
    for name, field in [*((field, field) for field in READERS), *ALIASES.items()]
    for spelling in (name, camel(name))
}


def _shown(key: Any) -> str:
    text = str(key).encode("utf-8", "replace").decode()
    return text if len(text) <= 80 else f"{text[:80]}…"
