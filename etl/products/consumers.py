"""Following the change feed with the place kept in the database: each change has its effects exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import F

from access.services import record
from etl.products import feed
from etl.products.cursors import BEGIN
from etl.products.models import FeedConsumer, ProductChange
from runs.querysets import ClockTimestamp, database_now
from runs.transactions import atomic_retried

Handle = Callable[[list[ProductChange]], None]

# a place without news is written down only so often, to be younger than what pruning deletes
REFRESH_SECONDS = 60


def receive(name: str, handle: Handle, *, start: str = BEGIN, size: int = 1000) -> feed.Page:
    """Hand the next page to `handle` and move the place of the consumer `name`, all in one transaction.

    What `handle` writes into this database is there exactly once, whatever dies; what it does elsewhere is done
    at least once. Of two processes with one name the second waits. A consumer never heard of begins at `start`.

    Raises InvalidCursor, CursorGone, FeedUnusable, and what `handle` raises; the place stays then.
    """

    def take() -> feed.Page:
        consumer = _locked(name, start)
        page = feed.read(consumer.cursor, size=size)
        if page.changes:
            handle(page.changes)
            consumer.received = F("received") + len(page.changes)
            consumer.last_change_id = page.changes[-1].pk
        if page.changes or page.more or (database_now() - consumer.updated_at).total_seconds() > REFRESH_SECONDS:
            consumer.cursor, consumer.updated_at = page.cursor, ClockTimestamp()
            consumer.save(update_fields=["cursor", "received", "last_change_id", "updated_at"])
        return page

    return atomic_retried(take)


def move_consumer(name: str, *, start: str, actor: Any) -> None:
    """Let the consumer go on from another place ("begin", "now" or a cursor), whatever it has read so far."""
    with transaction.atomic():
        consumer = _locked(name, start)
        before, consumer.cursor = consumer.cursor, feed.cursor_at(start)
        consumer.updated_at = ClockTimestamp()
        consumer.save(update_fields=["cursor", "updated_at"])
        after = {"name": name, "cursor": consumer.cursor}
        record(actor=actor, action="feed-consumer.moved", target=consumer, before={"cursor": before}, after=after)


def _locked(name: str, start: str) -> FeedConsumer:
    """The consumer, which nobody else moves until the end of the transaction."""
    if not FeedConsumer.objects.filter(name=name).exists():
        FeedConsumer.objects.get_or_create(name=name, defaults={"cursor": feed.cursor_at(start)})
    return FeedConsumer.objects.select_for_update(no_key=True).get(name=name)
