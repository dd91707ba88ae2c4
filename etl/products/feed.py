"""The change feed: every committed change exactly once, and those of one product in their order.

Ids are drawn before their transactions commit and commits come out of order, so neither "beyond the last id"
nor "below the oldest open transaction" is safe. The feed compares snapshots instead: first everything that one
snapshot sees and the one before did not, by id, then the same from there. A product's lock is held from before
its id is drawn until the commit, so a later change of it has a higher id and never shows in an earlier snapshot.
A transaction that stays open holds up nothing but itself.

To be read on the primary: a standby does not tell which transactions are in progress.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connections
from django.utils.translation import gettext_lazy as _

from etl.products import cursors
from etl.products.cursors import BEGIN, END, Cursor, Pruned, Snapshot
from etl.products.models import ProductChange
from etl.products.querysets import ProductChangeQuerySet

FEW = 2_000  # so many changes are sorted by id at once
WINDOW = 5_000  # of more than that, so many ids are looked at for one page
SESSIONS = ("max_connections", "max_prepared_transactions", "max_worker_processes", "autovacuum_max_workers")

# One statement, so one snapshot: what it sees of the log is what pg_current_snapshot() says. An own
# transaction is left out of its list although others cannot see its rows yet.
NOW = """
    WITH own AS (SELECT pg_current_xact_id_if_assigned() AS xid)
    SELECT pg_is_in_recovery(), (SELECT system_identifier FROM pg_control_system()),
           pg_snapshot_xmax(pg_current_snapshot())::text,
           ARRAY(SELECT pg_snapshot_xip(pg_current_snapshot())::text
                 UNION SELECT own.xid::text WHERE own.xid IS NOT NULL),
           extract(epoch FROM statement_timestamp())::bigint,
           newest.id, newest.xid::text, newest.created_at, latest.id, latest.xid::text, latest.created_at
      FROM own
      LEFT JOIN LATERAL (SELECT id, xid, created_at FROM product_change_log
                          WHERE xid IS DISTINCT FROM own.xid ORDER BY id DESC LIMIT 1) newest ON true
      LEFT JOIN LATERAL (SELECT id, xid, created_at FROM product_change_log
                          WHERE xid IS DISTINCT FROM own.xid ORDER BY xid DESC LIMIT 1) latest ON true
"""


class CursorGone(Exception):
    """Changes that the cursor has yet to hand out are not there any more, or not in a known order."""

    slug = "cursor-gone"
    title = _("The cursor is gone")
    advice = _("Ask for cursor=now, then load all products, then go on from that cursor.")

    def __init__(self, why: Any) -> None:
        self.message = f"{why} {self.advice}"
        super().__init__(self.message)


class FeedUnusable(Exception):
    """This database cannot tell which changes are new."""

    slug = "feed-unusable"
    title = _("The change feed cannot be read")

    def __init__(self, message: Any) -> None:
        super().__init__(str(message))
        self.message = message


class Page(NamedTuple):
    """Some changes in order, the cursor behind them, and whether more may be had at once."""

    changes: list[ProductChange]
    cursor: str
    more: bool


class Moment(NamedTuple):
    """What the database says of itself right now."""

    system: int
    next_xid: int
    snapshot: Snapshot | None  # None: the log is empty


def read(cursor: str, *, size: int, changes: ProductChangeQuerySet | None = None) -> Page:
    """The next `size` changes at most, behind `cursor`.

    `cursor` is one that a page gave, or "begin" (also "") or "now". `changes` may be filtered: the filter must
    stay the same as long as the cursor is used. A page may be empty and still have `more`, when others than the
    wanted changes were looked through.

    Raises InvalidCursor, CursorGone, FeedUnusable.
    """
    now = look()
    asked = _parsed(cursor, now)
    page = _page(asked, now, ProductChange.objects.all() if changes is None else changes, size)
    # checked after reading: what was pruned before the page was read is known by now
    pruned = pruned_up_to()
    if pruned is not None and asked.lost_to(pruned):
        raise CursorGone(_("Changes that it had yet to hand out have been pruned."))
    if _is_of_another_past(asked, now, pruned):
        raise CursorGone(_("The database has been restored or replaced since."))
    return page


def cursor_at(place: str) -> str:
    """The cursor of "begin" or "now", to be kept. Raises InvalidCursor and FeedUnusable."""
    return _parsed(place, look()).as_text()


def look() -> Moment:
    """What the log and the transactions look like now. Raises FeedUnusable where that tells nothing."""
    with connections[ProductChange.objects.db].cursor() as sql:
        sql.execute(NOW)
        standby, system, next_xid, running, taken_at, *rows = sql.fetchone()
    if standby:
        raise FeedUnusable(_("This is a standby, which does not know what is still in progress. Ask the primary."))
    moment = Moment(system & 0x7FFF_FFFF_FFFF_FFFF, int(next_xid), None)
    newest, latest = _row(rows[:3]), _row(rows[3:])
    if newest is None or latest is None:
        return moment
    if latest[1] >= moment.next_xid:
        raise FeedUnusable(
            _("The change log was restored from a dump. Run `manage.py restart_change_feed` on the server once.")
        )
    return moment._replace(
        snapshot=Snapshot(
            end=latest[1] + 1,
            late=tuple(sorted(xid for xid in map(int, running) if xid <= latest[1])),
            newest=newest[0],
            latest=latest[0],
            seal=cursors.seal_of({newest, latest}),
            taken_at=taken_at,
        )
    )


def pruned_up_to() -> Pruned | None:
    """The newest change that pruning has deleted; None when it never has."""
    try:
        pruning = apps.get_model("access", "Pruning")  # type: ignore[misc]
    except LookupError:
        return None
    table = ProductChange._meta.db_table
    row = pruning.objects.filter(table_name=table).values_list("up_to_id", "up_to_at").first()
    return None if row is None or None in row else Pruned(*row)


def _parsed(text: str, now: Moment) -> Cursor:
    if text in ("", BEGIN):
        return Cursor(now.system)
    if text == END:
        return Cursor(now.system, now.snapshot)
    return cursors.parse(text)


def _page(asked: Cursor, now: Moment, changes: ProductChangeQuerySet, size: int) -> Page:
    upto = asked.upto or now.snapshot
    if upto is None:
        return Page([], asked.as_text(), more=False)
    at = Cursor(asked.system, asked.seen, upto, asked.last_id)
    few = ProductChange.objects.ids_between(at.seen, upto, limit=FEW + 1)
    found, last_id = _next_of_few(few, at, changes, size) if len(few) <= FEW else _next_of_many(at, upto, changes, size)
    if last_id is None:  # if the pair is an older one, there may be a next
        return Page(found, Cursor(at.system, upto).as_text(), more=asked.upto is not None)
    return Page(found, Cursor(at.system, at.seen, upto, last_id).as_text(), more=True)


def _next_of_few(
    ids: list[int], at: Cursor, changes: ProductChangeQuerySet, size: int
) -> tuple[list[ProductChange], int | None]:
    """The page, and the id it ends with; None for the id when nothing of the pair is left."""
    left = [each for each in ids if each > at.last_id]
    found = list(changes.filter(pk__in=left).order_by("pk")[: size + 1])
    return found[:size], found[size - 1].pk if len(found) > size else None


def _next_of_many(
    at: Cursor, upto: Snapshot, changes: ProductChangeQuerySet, size: int
) -> tuple[list[ProductChange], int | None]:
    """As _next_of_few(), walking along the ids for one window at most."""
    log = ProductChange.objects
    start = at.last_id
    if at.seen is not None and not start:
        start = log.first_id_after(at.seen, sessions=_most_sessions()) - 1
    first = log.next_id(start)
    if first is None or first > upto.newest:
        return [], None
    end = min(first + WINDOW - 1, upto.newest)
    window = changes.between(at.seen, upto).filter(pk__gte=first, pk__lte=end)
    found = list(window.order_by("pk")[: size + 1])
    if len(found) > size:
        return found[:size], found[size - 1].pk
    return found, end if end < upto.newest else None


def _most_sessions() -> int:
    """How many transactions this server can have in progress at a time."""
    with connections[ProductChange.objects.db].cursor() as sql:
        sql.execute("SELECT sum(setting::int) FROM pg_settings WHERE name = ANY(%s)", [list(SESSIONS)])
        most: int = sql.fetchone()[0]
    return most


def _is_of_another_past(asked: Cursor, now: Moment, pruned: Pruned | None) -> bool:
    """Whether the log is not the one that the cursor was made of, but one that went another way."""
    if asked.system != now.system or any(each.end > now.next_xid for each in asked.snapshots()):
        return True
    for each in asked.snapshots():
        is_now = now.snapshot is not None and each.seal == now.snapshot.seal
        is_pruned = pruned is not None and min(each.newest, each.latest) <= pruned.up_to_id
        if not is_now and not is_pruned and cursors.seal_of(_changes_of(each)) != each.seal:
            return True
    return False


def _changes_of(snapshot: Snapshot) -> list[tuple[int, int, datetime]]:
    """The changes that the snapshot's seal is made of, as far as they are there."""
    ids = (snapshot.newest, snapshot.latest)
    return list(ProductChange.objects.filter(pk__in=ids).values_list("pk", "xid", "created_at"))


def _row(values: list[Any]) -> tuple[int, int, datetime] | None:
    pk, xid, at = values
    return None if pk is None else (pk, int(xid), at)
