"""What happened to one object, for the foot of its page."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from access.models import AuditEvent
from access.services import timeline
from desk.badges import readable

SHOWN = 20
BEFORE = "timeline_before"  # the id of the event under which the shown page begins


@dataclass(frozen=True)
class Change:
    """A fact before and after; None where it was not told."""

    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Entry:
    event: AuditEvent
    changes: list[Change]


@dataclass(frozen=True)
class Timeline:
    """One page of events, newest first."""

    entries: list[Entry]
    is_first_page: bool
    older: int | None  # where the next page begins; None on the last

    parameter: str = BEFORE


def timeline_of(request: HttpRequest, target: Model) -> Timeline | None:
    """The page of the object's history the request asks for; None for who may not read the audit log."""
    if not request.user.has_perm("access.view_auditevent"):
        return None
    before = request.GET.get(BEFORE, "")
    is_first = not (before.isascii() and before.isdecimal() and len(before) < 19)
    events = timeline(target) if is_first else timeline(target).filter(pk__lt=int(before))
    found = list(events[: SHOWN + 1])
    shown = found[:SHOWN]
    entries = [Entry(event, list(changes_of(event.before, event.after))) for event in shown]
    return Timeline(entries, is_first, shown[-1].pk if len(found) > SHOWN else None)


def changes_of(before: Any, after: Any) -> Iterator[Change]:
    """Field by field what differs; a fact that is no object stands alone."""
    if not isinstance(before, dict | None) or not isinstance(after, dict | None):
        yield Change("", *(None if value is None else readable(value) for value in (before, after)))
        return
    old, new = before or {}, after or {}
    for field in dict.fromkeys([*old, *new]):
        if before is None or after is None or old.get(field) != new.get(field):
            yield Change(
                field,
                readable(old[field]) if field in old else None,
                readable(new[field]) if field in new else None,
            )
