"""What editors do to reviews: decide, put in order, put back, restore, edit.

Each verb is all or nothing, in one transaction of few statements: the lists that get new members are taken by
an advisory lock (or two editors would append at one place), then the rows are locked in the order of their
ids (as an export does), then everything is checked, then one UPDATE writes. `version` is counted up in every row that
changes; whoever names an older one is told what is there now, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from access.services import Actor
from api.names import camel
from exports.choices import RANKED, ReviewStatus
from exports.ingest import shortened
from exports.models import ManualReview
from exports.review_rows import (
    Place,
    audit,
    audit_edits,
    behind,
    check_ids,
    conflict,
    counted,
    ends_of,
    lock_lists,
    locked,
    make_room,
    move,
    place_of,
    refuse_exported,
    refuse_stale,
    write_edits,
)
from exports.rows import Refused, score_of, text_of
from runs.transactions import atomic_retried


class Unset(Enum):
    """A field that an edit does not name."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True)
class Edit:
    """New values of one review. What is unset stays; empty text or None gives back to the article its own."""

    summary: str | Unset | None = UNSET
    llm_source: str | Unset | None = UNSET
    notes: str | Unset | None = UNSET
    score: Decimal | str | float | Unset | None = UNSET
    version: int | None = None


@dataclass(frozen=True)
class Decided:
    """How many articles were named per status, how many rows that changed, and where each was before."""

    counts: dict[str, int]
    updated: int
    before: dict[str, Place]


@dataclass(frozen=True)
class Edited:
    """How many rows an edit changed."""

    updated: int


def decide(
    *,
    selected: Sequence[str] = (),
    backup: Sequence[str] = (),
    discarded: Sequence[str] = (),
    pending: Sequence[str] = (),
    versions: Mapping[str, int] | None = None,
    actor: Actor,
    note_actor: str = "",
) -> Decided:
    """Give each named article its status. Newly selected and backup ones go to the end of their list.

    One that has its status already keeps its place. ValidationError for unknown ids and for an id named twice;
    Conflict "stale-version" for other versions than named, "already-exported" for what an export has taken.
    `note_actor` is what a client says of who decided: kept in the audit log, nowhere else.
    """
    groups = {
        ReviewStatus.SELECTED: selected,
        ReviewStatus.BACKUP: backup,
        ReviewStatus.DISCARDED: discarded,
        ReviewStatus.PENDING: pending,
    }
    wanted = {article_id: status for status, ids in groups.items() for article_id in ids}
    check_ids(groups.values())

    def work() -> Decided:
        lock_lists(status for status in RANKED if groups[status])
        rows = locked(wanted)
        refuse_stale(rows, versions)
        refuse_exported(rows)
        ends = ends_of([status for status in RANKED if groups[status]])
        changes: dict[str, Place] = {}
        for article_id, status in wanted.items():
            if rows[article_id].status == status:
                continue
            if status in RANKED:
                ends[status] += 1
            changes[article_id] = (status, ends.get(status))
        before = {article_id: place_of(rows[article_id]) for article_id in wanted}
        move(changes, actor=actor)
        audit("reviews.decided", rows, changes, actor=actor, note_actor=note_actor)
        return Decided({status: len(ids) for status, ids in groups.items()}, len(changes), before)

    return atomic_retried(work)


def put_in_order(
    *,
    selected: Sequence[str] | None = None,
    backup: Sequence[str] | None = None,
    versions: Mapping[str, int] | None = None,
    actor: Actor,
    note_actor: str = "",
) -> Decided:
    """Make each list begin with these articles in this order; being in a list sets the status.

    What a list holds beside follows behind, in its order until now, and its version stays: nobody has touched it.
    A list that is None or empty stays as it is. Raises as decide() does.
    """
    lists: dict[str, Sequence[str]] = {ReviewStatus.SELECTED: selected or (), ReviewStatus.BACKUP: backup or ()}
    wanted = {
        article_id: (status, float(rank))
        for status, ids in lists.items()
        for rank, article_id in enumerate(ids, start=1)
    }
    check_ids(lists.values())

    def work() -> Decided:
        ordered = [status for status in RANKED if lists[status]]
        lock_lists(ordered)
        others = ManualReview.objects.filter(status__in=ordered).exclude(article_id__in=wanted)
        followers = list(others.in_order().values_list("article_id", flat=True))
        rows = locked([*wanted, *followers])
        named = {article_id: rows[article_id] for article_id in wanted}
        refuse_stale(named, versions)
        refuse_exported(named)
        changes = {article_id: place for article_id, place in wanted.items() if place_of(rows[article_id]) != place}
        move(changes, actor=actor)
        # one that left its list between our look and our lock follows nobody
        following = [rows[article_id] for article_id in followers if rows[article_id].status in ordered]
        make_room(behind(following, lists))
        audit("reviews.ordered", rows, changes, actor=actor, note_actor=note_actor)
        before = {article_id: place_of(row) for article_id, row in named.items()}
        return Decided({status: len(ids) for status, ids in lists.items()}, len(changes), before)

    return atomic_retried(work)


def put_back(
    places: Mapping[str, Place],
    *,
    versions: Mapping[str, int] | None = None,
    actor: Actor,
) -> Decided:
    """Undo: give articles the statuses and places that decide() or put_in_order() said they had before.

    Raises as decide() does; ValidationError also for a place that only an export gives.
    """
    check_ids([list(places)])
    if any(status not in set(ReviewStatus.values) - {ReviewStatus.EXPORTED} for status, _rank in places.values()):
        raise ValidationError(_("Only an export makes an article exported."), code="invalid-status")

    def work() -> Decided:
        lock_lists(sorted({status for status, _rank in places.values() if status in RANKED}, key=RANKED.index))
        rows = locked(places)
        refuse_stale(rows, versions)
        refuse_exported(rows)
        wanted = {
            article_id: (status, rank if status in RANKED else None) for article_id, (status, rank) in places.items()
        }
        changes = {article_id: place for article_id, place in wanted.items() if place_of(rows[article_id]) != place}
        move(changes, actor=actor)
        audit("reviews.put-back", rows, changes, actor=actor)
        before = {article_id: place_of(row) for article_id, row in rows.items()}
        return Decided(counted(places), len(changes), before)

    return atomic_retried(work)


def restore(
    article_ids: Sequence[str],
    *,
    versions: Mapping[str, int] | None = None,
    actor: Actor,
) -> Decided:
    """Make exported articles pending again; the briefs that have them keep them.

    ValidationError for unknown ids, Conflict "stale-version" and, for what is not exported, "not-exported".
    """
    check_ids([article_ids])

    def work() -> Decided:
        rows = locked(article_ids)
        refuse_stale(rows, versions)
        wrong = [row for row in rows.values() if row.status != ReviewStatus.EXPORTED]
        if wrong:
            raise conflict("not-exported", _("These are not exported, so nothing is to be restored: %(ids)s"), wrong)
        changes: dict[str, Place] = dict.fromkeys(article_ids, (ReviewStatus.PENDING, None))
        move(changes, actor=actor)
        audit("reviews.restored", rows, changes, actor=actor)
        before = {article_id: place_of(row) for article_id, row in rows.items()}
        return Decided({ReviewStatus.PENDING: len(changes)}, len(changes), before)

    return atomic_retried(work)


def edit(edits: Mapping[str, Edit], *, actor: Actor, note_actor: str = "") -> Edited:
    """Write an editor's summary, source, notes and score, all of them or none.

    Empty text or None clears a field, and the article's own counts again; a review that has those values already
    is not written. ValidationError names the article and field; Conflict "stale-version" as in decide().
    """
    check_ids([list(edits)])
    values = {article_id: _edited_values(article_id, each) for article_id, each in edits.items()}
    versions = {article_id: each.version for article_id, each in edits.items() if each.version is not None}

    def work() -> Edited:
        rows = locked(edits)
        refuse_stale(rows, versions)
        changes: dict[str, dict[str, Any]] = {}
        for article_id, named in values.items():
            row = rows[article_id]
            changed = {name: value for name, value in named.items() if getattr(row, name) != value}
            if changed:
                changes[article_id] = changed
        write_edits(rows, changes)
        audit_edits(rows, changes, actor=actor, note_actor=note_actor)
        return Edited(len(changes))

    return atomic_retried(work)


def _cleaned(value: str | None) -> str | None:
    return text_of(value).strip() or None


# of Edit → the column, and how its value is read
_EDITED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "summary": ("summary", _cleaned),
    "llm_source": ("manual_llm_source", _cleaned),
    "notes": ("notes", text_of),
    "score": ("score", score_of),
}


def _edited_values(article_id: str, wish: Edit) -> dict[str, Any]:
    """The columns an edit names, as they are stored; ValidationError names the article and the field."""
    values: dict[str, Any] = {}
    for name, (column, read) in _EDITED.items():
        given = getattr(wish, name)
        if given is UNSET:
            continue
        try:
            values[column] = read(given)
        except Refused as refused:
            message = f"{shortened(article_id)}, {camel(name)}: {refused.detail}"
            raise ValidationError({"edits": ValidationError(message, code=refused.code)}) from refused
    return values
