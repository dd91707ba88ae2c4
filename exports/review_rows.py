"""The rows behind the verbs of reviewing: locked, checked, moved, and put on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext_lazy as _

from access.services import Actor, record
from exports.choices import ReviewStatus
from exports.ingest import shortened
from exports.models import ManualReview
from exports.rows import Refused, text_of
from runs.errors import Conflict

AT_MOST = 5_000  # articles in one request
NAMED_AT_MOST = 10  # ids in a refusal
CURRENT_AT_MOST = 100  # rows in a conflict
AUDITED_AT_MOST = 50  # rows in an audit event
TEXT_AUDITED = 500  # characters of each text in it

Place = tuple[str, float | None]  # status and rank


def check_ids(groups: Iterable[Sequence[str]]) -> None:
    """Refuse an id that is named twice, and more than can be locked at once."""
    seen: dict[str, int] = {}
    for number, ids in enumerate(groups):
        within: set[str] = set()
        for article_id in ids:
            if article_id in within:
                message, code = _("This id is named twice in one list: %(ids)s"), "duplicate-ids"
                raise ValidationError(message, code=code, params={"ids": shortened(article_id)})
            if article_id in seen and seen[article_id] != number:
                message, code = _("This id is in two lists of one request: %(ids)s"), "in-two-lists"
                raise ValidationError(message, code=code, params={"ids": shortened(article_id)})
            within.add(article_id)
            seen[article_id] = number
    if len(seen) > AT_MOST:
        raise ValidationError(_("At most %(most)s articles at once."), code="too-many", params={"most": AT_MOST})


def locked(article_ids: Iterable[str]) -> dict[str, ManualReview]:
    """The rows, locked until the end of the transaction; ValidationError for ids nobody has."""
    ids = list(article_ids)
    # what no id can contain would be an error of the database, and is simply unknown
    askable = [each for each in ids if _is_storable(each)]
    found = ManualReview.objects.filter(article_id__in=askable).order_by("id").select_for_update(no_key=True)
    rows = {row.article_id: row for row in found}
    if unknown := [each for each in ids if each not in rows]:
        raise ValidationError(
            _("There is no such article: %(ids)s"), code="unknown-ids", params={"ids": _listed(unknown)}
        )
    return rows


def _is_storable(article_id: str) -> bool:
    try:
        text_of(article_id)
    except Refused:
        return False
    return True


def refuse_stale(rows: Mapping[str, ManualReview], versions: Mapping[str, int] | None) -> None:
    stale = [row for article_id, row in rows.items() if (versions or {}).get(article_id, row.version) != row.version]
    if stale:
        message = _("Somebody else has changed these meanwhile, so nothing was written: %(ids)s")
        raise conflict("stale-version", message, stale)


def refuse_exported(rows: Mapping[str, ManualReview]) -> None:
    exported = [row for row in rows.values() if row.status == ReviewStatus.EXPORTED]
    if exported:
        message = _("These are exported; restore them first: %(ids)s")
        raise conflict("already-exported", message, exported)


def conflict(slug: str, message: Any, rows: Sequence[ManualReview]) -> Conflict:
    ids = _listed([row.article_id for row in rows])
    return Conflict(slug, message % {"ids": ids}, current=[as_current(row) for row in rows[:CURRENT_AT_MOST]])


def as_current(review: ManualReview) -> dict[str, Any]:
    """A review as a conflict shows it, under the names of the API."""
    return {
        "articleId": review.article_id,
        "status": review.status,
        "rank": review.rank,
        "version": review.version,
        "summary": review.summary,
        "llmSourceManual": review.manual_llm_source,
        "score": review.score,
        "notes": review.notes,
        "decidedBy": review.decided_by,
        "decidedAt": review.decided_at,
    }


def _listed(ids: Sequence[str]) -> str:
    more = len(ids) - NAMED_AT_MOST
    shown = ", ".join(shortened(each) for each in ids[:NAMED_AT_MOST])
    return f"{shown} (+{more})" if more > 0 else shown


def lock_lists(statuses: Iterable[str]) -> None:
    """Let nobody else append to or order these lists until the end of the transaction; in one fixed order."""
    with connection.cursor() as cursor:
        for status in statuses:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"review-list:{status}"])


def ends_of(statuses: Sequence[str]) -> dict[str, float]:
    """The highest rank of each list, 0 of one that has none."""
    if not statuses:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT status, (SELECT rank FROM manual_reviews r WHERE r.status = s.status AND rank IS NOT NULL"
            " ORDER BY rank DESC LIMIT 1) FROM unnest(%s::text[]) AS s(status)",
            [[str(status) for status in statuses]],
        )
        return {status: rank or 0.0 for status, rank in cursor}


def place_of(row: ManualReview) -> Place:
    return (row.status, row.rank)


def behind(following: Sequence[ManualReview], lists: Mapping[str, Sequence[str]]) -> dict[str, Place]:
    """New places of rows that follow the named ones; only of those whose place changes."""
    ends = {status: float(len(ids)) for status, ids in lists.items()}
    places: dict[str, Place] = {}
    for row in following:
        ends[row.status] += 1
        if row.rank != ends[row.status]:
            places[row.article_id] = (row.status, ends[row.status])
    return places


def counted(places: Mapping[str, Place]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for status, _rank in places.values():
        counts[status] = counts.get(status, 0) + 1
    return counts


_MOVE = """
    UPDATE manual_reviews r
       SET status = p.status, rank = p.rank, updated_at = clock_timestamp(){decided}
      FROM unnest(%(ids)s::text[], %(statuses)s::text[], %(ranks)s::float8[]) AS p(article_id, status, rank)
     WHERE r.article_id = p.article_id
"""
_DECIDED = ", version = version + 1, decided_by = %(decided_by)s, decided_at = clock_timestamp()"


def make_room(changes: Mapping[str, Place]) -> None:
    """Give rows other places because of what happened to others: nobody's decision, so no new version."""
    _move(changes, decided="")


def move(changes: Mapping[str, Place], *, actor: Actor) -> None:
    """Give rows the places somebody decided on, by one UPDATE for all."""
    _move(changes, decided=_DECIDED, decided_by=_name_of(actor))


def _move(changes: Mapping[str, Place], *, decided: str, decided_by: str = "") -> None:
    if not changes:
        return
    parameters: dict[str, Any] = {
        "ids": list(changes),
        "statuses": [str(status) for status, _rank in changes.values()],
        "ranks": [rank for _status, rank in changes.values()],
        "decided_by": decided_by,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MOVE.format(decided=decided), parameters)


def _name_of(actor: Actor) -> str:
    return actor.get_username() if isinstance(actor, AbstractBaseUser) else str(actor or "")


_EDIT = """
    UPDATE manual_reviews r
       SET summary = e.summary, manual_llm_source = e.source, notes = e.notes, score = e.score,
           version = version + 1, updated_at = clock_timestamp()
      FROM unnest(%(ids)s::text[], %(summaries)s::text[], %(sources)s::text[], %(notes)s::text[],
                  %(scores)s::numeric[]) AS e(article_id, summary, source, notes, score)
     WHERE r.article_id = e.article_id
"""


def write_edits(rows: Mapping[str, ManualReview], changes: Mapping[str, Mapping[str, Any]]) -> None:
    if not changes:
        return
    after = {
        name: [changed.get(name, getattr(rows[article_id], name)) for article_id, changed in changes.items()]
        for name in ("summary", "manual_llm_source", "notes", "score")
    }
    with connection.cursor() as cursor:
        cursor.execute(
            _EDIT,
            {
                "ids": list(changes),
                "summaries": after["summary"],
                "sources": after["manual_llm_source"],
                "notes": after["notes"],
                "scores": after["score"],
            },
        )


def audit(
    action: str,
    rows: Mapping[str, ManualReview],
    changes: Mapping[str, Place],
    *,
    actor: Actor,
    note_actor: str = "",
) -> None:
    """One event with where the first rows were and are; none if nothing changed."""
    if not changes:
        return
    audited = list(changes)[:AUDITED_AT_MOST]
    after: dict[str, Any] = {
        "rows": len(changes),
        "counts": counted(changes),
        "places": {article_id: changes[article_id] for article_id in audited},
    }
    record(
        actor=actor,
        action=action,
        target=rows[audited[0]] if len(changes) == 1 else None,
        reference=(ManualReview._meta.label_lower, ""),
        before={"places": {article_id: place_of(rows[article_id]) for article_id in audited}},
        after=after | ({"actor": note_actor[:TEXT_AUDITED]} if note_actor else {}),
    )


def audit_edits(
    rows: Mapping[str, ManualReview],
    changes: Mapping[str, Mapping[str, Any]],
    *,
    actor: Actor,
    note_actor: str,
) -> None:
    if not changes:
        return
    audited = list(changes)[:AUDITED_AT_MOST]
    before = {
        article_id: {name: _audited(getattr(rows[article_id], name)) for name in changes[article_id]}
        for article_id in audited
    }
    after: dict[str, Any] = {
        "rows": len(changes),
        "edits": {
            article_id: {name: _audited(value) for name, value in changes[article_id].items()} for article_id in audited
        },
    }
    record(
        actor=actor,
        action="reviews.edited",
        target=rows[audited[0]] if len(changes) == 1 else None,
        reference=(ManualReview._meta.label_lower, ""),
        before={"edits": before},
        after=after | ({"actor": note_actor[:TEXT_AUDITED]} if note_actor else {}),
    )


def _audited(value: Any) -> Any:
    return value[:TEXT_AUDITED] if isinstance(value, str) else value
