"""Articles coming in: written by their own id, a whole set at once.

Whatever the number of rows, the statements are the same few: new articles are inserted, those that differ
are locked in the order of their ids and updated, and each gets the review it lacks. What is the same
already is not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext_lazy as _

from access.services import Actor, record
from api.codec import encode_text
from exports.rows import Fault, Row, read_row
from runs.transactions import atomic_retried

ROWS_AT_MOST = 5_000
IDS_AUDITED = 20
IDS_NAMED = 10  # in a refusal
ID_SHOWN = 80  # characters


@dataclass
class Ingested:
    """What became of rows: those of faults were left out, `doubled` were replaced by a later row of their id."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    doubled: int = 0
    faults: list[Fault] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)  # of the good rows


def ingest_articles(
    rows: Iterable[Any],
    *,
    actor: Actor,
    replace: bool = False,
    same_id: Literal["refuse", "last"] = "refuse",
    strict: bool = True,
) -> Ingested:
    """Write articles by their id and give each new one a pending review; all good rows in one transaction.

    A field that a row does not name keeps its stored value; with `replace` it becomes empty. Faulty rows are
    left out and named by their number, from zero. What a row has beside our fields is a fault if `strict`.
    Two rows of one id are refused as a whole (ValidationError "duplicate-ids"), or the later one counts.
    Reviews that exist are never touched: what was exported stays so.
    """
    good: list[Row] = []
    faults: list[Fault] = []
    for number, given in enumerate(rows):
        if number >= ROWS_AT_MOST:
            raise ValidationError(
                _("At most %(most)s articles at once."), code="too-many", params={"most": ROWS_AT_MOST}
            )
        read = read_row(number, given, strict=strict)
        if isinstance(read, Row):
            good.append(read)
        else:
            faults.extend(read)
    by_id = {row.article_id: row for row in good}
    if same_id == "refuse" and len(by_id) < len(good):
        raise _duplicates([row.article_id for row in good])
    ingested = Ingested(doubled=len(good) - len(by_id), faults=faults, ids=list(by_id))
    if by_id:
        values = [by_id[article_id].values for article_id in sorted(by_id)]
        created, updated = atomic_retried(lambda: _write(values, actor=actor, replace=replace))
        ingested.created, ingested.updated = created, updated
        ingested.unchanged = len(by_id) - created - updated
    return ingested


def _duplicates(ids: Sequence[str]) -> ValidationError:
    seen: set[str] = set()
    twice = dict.fromkeys(each for each in ids if each in seen or seen.add(each))  # type: ignore[func-returns-value]
    shown = ", ".join(shortened(each) for each in list(twice)[:IDS_NAMED])
    message = _("There are duplicate ids in one request: %(ids)s")
    return ValidationError(message, code="duplicate-ids", params={"ids": shown})


def shortened(article_id: str) -> str:
    """An id as a message names it."""
    return article_id if len(article_id) <= ID_SHOWN else f"{article_id[:ID_SHOWN]}…"


# column → how the JSON of a row is read, and what is stored when a row names nothing
_TEXT, _NUMBER = "{row}->>'{name}'", "({row}->>'{name}')::numeric(6,3)"
_COLUMNS: dict[str, tuple[str, str]] = {
    "title": (_TEXT, "''"),
    "source": (_TEXT, "''"),
    "url": (_TEXT, "''"),
    "published_at": ("({row}->>'{name}')::timestamptz", "NULL"),
    "content": (_TEXT, "''"),
    "summary": (_TEXT, "''"),
    "keywords": ("{row}->'{name}'", "'[]'::jsonb"),
    "score": (_NUMBER, "NULL"),
    "importance": (_NUMBER, "NULL"),
    "region": (_TEXT, "'unknown'"),
    "sentiment": (_TEXT, "'unknown'"),
    "section": (_TEXT, "''"),
}


def _value(name: str, otherwise: str) -> str:
    """SQL: what the row says of a column, `otherwise` if nothing."""
    read = _COLUMNS[name][0].format(row="g.row", name=name)
    return f"CASE WHEN g.row ? '{name}' THEN {read} ELSE {otherwise} END"


_GIVEN = "(SELECT row, row->>'article_id' AS article_id FROM jsonb_array_elements(%(rows)s::jsonb) AS row) g"
_NAMES = ", ".join(_COLUMNS)
# A CASE costs at both ends: what is not named counts as unchanged, which is why these are two forms.
_NEW_VALUES = ", ".join(_value(name, empty) for name, (_read, empty) in _COLUMNS.items())
_PARTIAL_VALUES = ", ".join(_value(name, f"a.{name}") for name in _COLUMNS)
_OLD_VALUES = ", ".join(f"a.{name}" for name in _COLUMNS)

_INSERT = f"""
    INSERT INTO news_articles (article_id, {_NAMES})
    SELECT g.article_id, {_NEW_VALUES} FROM {_GIVEN} ORDER BY g.article_id
        ON CONFLICT (article_id) DO NOTHING
    RETURNING article_id
"""
_LOCK = """
    SELECT a.article_id FROM news_articles a JOIN {given} ON g.article_id = a.article_id
     WHERE ({old}) IS DISTINCT FROM ({new}) AND NOT a.article_id = ANY(%(created)s)
     ORDER BY a.article_id FOR NO KEY UPDATE OF a
"""
# their triggers write to reviews: in the order in which everybody locks those
_LOCK_REVIEWS = "SELECT 1 FROM manual_reviews WHERE article_id = ANY(%(changed)s) ORDER BY id FOR NO KEY UPDATE"
_UPDATE = """
    UPDATE news_articles a SET ({names}, updated_at) = ROW({new}, clock_timestamp())
      FROM {given}
     WHERE g.article_id = a.article_id AND a.article_id = ANY(%(changed)s)
"""
_REVIEWS = """
    INSERT INTO manual_reviews (article_id)
    SELECT a.article_id FROM news_articles a
     WHERE a.article_id = ANY(%(ids)s) AND NOT EXISTS (SELECT FROM manual_reviews r WHERE r.article_id = a.article_id)
     ORDER BY a.article_id
        ON CONFLICT (article_id) DO NOTHING
"""


def _write(values: Sequence[Any], *, actor: Actor, replace: bool) -> tuple[int, int]:
    """How many were created and updated. In the caller's transaction; values in the order of their ids."""
    ids = [each["article_id"] for each in values]
    words = {"given": _GIVEN, "names": _NAMES, "old": _OLD_VALUES, "new": _NEW_VALUES if replace else _PARTIAL_VALUES}
    parameters: dict[str, Any] = {"rows": encode_text(values), "ids": ids}
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, parameters)
        parameters["created"] = [article_id for (article_id,) in cursor]
        changed = []
        if len(parameters["created"]) < len(ids):
            cursor.execute(_LOCK.format(**words), parameters)
            changed = parameters["changed"] = [article_id for (article_id,) in cursor]
        if changed:
            cursor.execute(_LOCK_REVIEWS, parameters)
            cursor.execute(_UPDATE.format(**words), parameters)
        cursor.execute(_REVIEWS, parameters)
    if parameters["created"] or changed:
        after = {
            "created": len(parameters["created"]),
            "updated": len(changed),
            "first": [shortened(each) for each in [*parameters["created"], *changed][:IDS_AUDITED]],
        }
        record(actor=actor, action="articles.ingested", after=after)
    return len(parameters["created"]), len(changed)
