"""What was exported under a tag is written down: once per article, in places without gaps.

One mechanism behind two functions: record_export (the worker's briefs) and record_manual_export (those made by
hand, in tables of their own or, with EXPORTS_MANUAL_STORE=brief, in the worker's). Both run inside the
transaction of their caller and hold its locks until it ends, always taken in this order: (source, tag), then
(table, date) when a batch is made. So the two lines never wait for each other on their own tables, and whoever
records under one tag sees all that was recorded under it before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from api.codec import encode_text
from exports.choices import ManualStore, Source
from exports.models import BriefBatch, ManualExportBatch
from exports.printing import Printed, Story, sha256_of
from runs.errors import Conflict, Contention

MAX_TAG = 200

Batch = ManualExportBatch | BriefBatch


@dataclass(frozen=True, slots=True)
class Entry:
    """An article as it went out."""

    article_id: str
    section: str
    final_summary: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Recorded:
    """What a recording added: `items` are (article id, place), in order; the rest the tag had already."""

    batch: Batch
    items: list[tuple[str, int]]
    skipped_duplicates: list[str]


@dataclass(frozen=True)
class Store:
    """Tables that one line records in. `source` is None where the tables are of that line alone."""

    batch_model: type[Batch]
    items: str
    batch_column: str
    once: str  # the constraint: an article once per batch
    source: Source | None = None

    @property
    def batches(self) -> str:
        """The table of batches."""
        return self.batch_model._meta.db_table


class BatchRow(NamedTuple):
    """What of a batch never changes."""

    id: int
    report_date: date
    sequence_no: int
    generated_by: str
    created_at: datetime


@dataclass(frozen=True)
class Held:
    """The locks of a tag, held by this transaction since it waited for them at `began`, and its batch so far."""

    store: Store
    tag: str
    day: date
    began: datetime
    batch: BatchRow | None


BY_HAND = Store(ManualExportBatch, "manual_export_items", "manual_export_batch_id", "an_article_once_per_manual_batch")
_BRIEF = (BriefBatch, "brief_items", "brief_batch_id", "an_article_once_per_brief_batch_and_source")
BY_WORKER = Store(*_BRIEF, source=Source.WORKER)
BY_HAND_AMONG_BRIEFS = Store(*_BRIEF, source=Source.MANUAL)


def stores_by_hand() -> tuple[Store, Store]:
    """Where exports made by hand are recorded now, and where they were while the switch stood otherwise."""
    if settings.EXPORTS_MANUAL_STORE == ManualStore.BRIEF:
        return BY_HAND_AMONG_BRIEFS, BY_HAND
    return BY_HAND, BY_HAND_AMONG_BRIEFS


# --- tags and entries ----------------------------------------------------------------------------

_LEADING_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?!\d)", re.ASCII)


def resolve_tag(tag: str | None, day: date | None = None) -> tuple[str, date]:
    """The tag and date of an export: the date said, else the tag's leading one, else today; the tag defaults to it.

    Raises ValidationError for what cannot be a tag.
    """
    tag = (tag or "").strip()
    if len(tag) > MAX_TAG or any(not character.isprintable() for character in tag):
        message = _("A tag is a line of at most %(most)s characters.")
        raise ValidationError({"report_tag": ValidationError(message, code="invalid", params={"most": MAX_TAG})})
    day = day or _leading_date(tag) or timezone.localdate()
    return tag or day.isoformat(), day


def _leading_date(tag: str) -> date | None:
    match = _LEADING_DATE.match(tag)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:  # 2026-02-31
        return None


def is_storable(text: str) -> bool:
    """Whether a text column can hold it, or be asked for it: neither NUL nor half a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def entries_of(printed: Printed) -> list[Entry]:
    """What is recorded of a printed brief: its stories in printed order, each as it looked."""
    return [
        Entry(each.story.article_id, each.section, each.story.summary, snapshot(each.story)) for each in printed.placed
    ]


def snapshot(story: Story) -> dict[str, Any]:
    """An item's metadata: what its article looked like then."""
    return {
        "title": story.title,
        "source": story.source,
        "original_url": story.url,
        "published_at": story.published_at,
        "score": story.score,
        "importance": story.importance,
        "region": story.region,
        "sentiment": story.sentiment,
        "keywords": story.keywords,
    }


# --- recording -----------------------------------------------------------------------------------


def record_export(
    tag: str, date: date, entries: Sequence[Entry], *, template: str, payload: dict[str, Any], content: str
) -> Recorded:
    """Record a brief of the worker. Must run inside a transaction; takes its locks.

    The batch of the tag is made or goes on: its text and payload become these, and what it does not have yet
    is added behind what it has. Raises Conflict("tag-has-other-date"), and ValidationError for articles that
    do not exist.
    """
    return _record(BY_WORKER, None, tag, date, entries, template=template, payload=payload, content=content)


def record_manual_export(
    tag: str,
    date: date,
    entries: Sequence[Entry],
    *,
    template: str,
    payload: dict[str, Any],
    content: str,
    held: Held | None = None,
) -> Recorded:
    """Record a brief made by hand; like record_export, on tables of its own. `held` are its locks, if taken before.

    What the tag has in the other store, of exports made by hand, counts as recorded: a switch of the store
    that is only half rolled out doubles nothing.
    """
    store, other = stores_by_hand()
    return _record(store, other, tag, date, entries, held=held, template=template, payload=payload, content=content)


def hold_manual_tag(tag: str, date: date) -> Held:
    """Take the locks of record_manual_export before rows are locked, as the order of locks asks for.

    Raises Conflict("tag-has-other-date").
    """
    return hold(stores_by_hand()[0], tag, date)


def recorded_by_hand(tag: str, article_ids: Iterable[str]) -> list[str]:
    """Which of these articles the tag has already, in either store; what record_manual_export would skip."""
    wanted = list(article_ids)
    with connection.cursor() as cursor:
        cursor.execute(_RECORDED_BY_HAND, {"tag": tag, "ids": wanted})
        known = {row[0] for row in cursor.fetchall()}
    return [each for each in wanted if each in known]


_LOCK = "SELECT clock_timestamp(), pg_advisory_xact_lock(hashtextextended(%s, 0))"

_RECORDED_BY_HAND = """
    SELECT i.article_id FROM manual_export_items i JOIN manual_export_batches b ON b.id = i.manual_export_batch_id
     WHERE b.report_tag = %(tag)s AND i.article_id = ANY(%(ids)s)
    UNION
    SELECT i.article_id FROM brief_items i JOIN brief_batches b ON b.id = i.brief_batch_id
     WHERE b.report_tag = %(tag)s AND b.source = 'manual' AND i.source = 'manual' AND i.article_id = ANY(%(ids)s)
"""


def lock_tag(source: Source, tag: str) -> datetime:
    """Until the transaction ends nobody else records under this tag; when the wait for that began."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [f"exports:{source.value}:{tag}"])
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def lock_date(table: str, day: date) -> None:
    """Until the transaction ends nobody else makes a batch of this day in this table."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [f"exports:{table}:{day.isoformat()}"])


def hold(store: Store, tag: str, day: date) -> Held:
    """Take the locks of a tag, and of the day where a batch is still to be made.

    Raises Conflict("tag-has-other-date").
    """
    began = lock_tag(store.source or Source.MANUAL, tag)
    batch = _find(store, tag)
    if batch is None:
        lock_date(store.batches, day)
    elif batch.report_date != day:
        raise other_date(tag, batch.report_date)
    return Held(store, tag, day, began, batch)


def other_date(tag: str, day: date) -> Conflict:
    """The refusal of a second date for a tag."""
    message = _("The tag %(tag)s belongs to %(date)s.") % {"tag": tag, "date": day.isoformat()}
    return Conflict("tag-has-other-date", message, tag=tag, date=day.isoformat())


_FIND = """
    SELECT id, report_date, sequence_no, generated_by, created_at FROM {batches} WHERE report_tag = %s {of_source}
"""

_MAKE = """
    INSERT INTO {batches} (report_tag, report_date, sequence_no, generated_by {source_column})
    SELECT %(tag)s, %(date)s::date, coalesce(max(sequence_no), 0) + 1, %(tag)s {source_value}
      FROM {batches} WHERE report_date = %(date)s
    RETURNING id, report_date, sequence_no, generated_by, created_at
"""


def _find(store: Store, tag: str) -> BatchRow | None:
    of_source = f"AND source = '{store.source.value}'" if store.source else ""
    with connection.cursor() as cursor:
        cursor.execute(_FIND.format(batches=store.batches, of_source=of_source), [tag])
        row = cursor.fetchone()
    return BatchRow(*row) if row else None


def make_batch(held: Held) -> BatchRow:
    """A new batch with the next number of its day."""
    store = held.store
    column, value = (", source", f", '{store.source.value}'") if store.source else ("", "")
    statement = _MAKE.format(batches=store.batches, source_column=column, source_value=value)
    with connection.cursor() as cursor:
        cursor.execute(statement, {"tag": held.tag, "date": held.day})
        return BatchRow(*cursor.fetchone())


# What the tag has is left out before places are counted, so places have no gaps; the constraint is the second
# line. Keys are looked up one by one: reading all of a large batch for a few articles costs more.
_WRITE = """
    WITH incoming AS MATERIALIZED (
        SELECT n.*, EXISTS (SELECT FROM news_articles a WHERE a.article_id = n.article_id) AS exists,
               EXISTS (SELECT FROM {items} i WHERE i.{batch_column} = %(batch)s AND i.article_id = n.article_id
                                                   {items_of_source})
               {or_in_the_other_store} AS is_known
          FROM ROWS FROM (jsonb_to_recordset(%(entries)s::jsonb)
                          AS (article_id text, section text, final_summary text, metadata jsonb))
               WITH ORDINALITY AS n (article_id, section, final_summary, metadata, place)
    ), written AS (
        INSERT INTO {items} ({batch_column}, article_id, section, order_index, final_summary, metadata {source_column})
        SELECT %(batch)s, article_id, section,
               (SELECT coalesce(max(order_index), 0) FROM {items} WHERE {batch_column} = %(batch)s)
                   + row_number() OVER (ORDER BY place),
               final_summary, metadata {source_value}
          FROM incoming WHERE "exists" AND NOT is_known
         ORDER BY place
        ON CONFLICT ON CONSTRAINT {once} DO NOTHING
        RETURNING article_id, order_index
    ), batch AS (
        UPDATE {batches}
           SET template = %(template)s, export_payload = %(payload)s::jsonb, content = %(content)s,
               sha256 = %(sha256)s, updated_at = clock_timestamp()
         WHERE id = %(batch)s
        RETURNING updated_at
    )
    SELECT i.article_id, w.order_index, i.exists, i.is_known, (SELECT updated_at FROM batch)
      FROM incoming i LEFT JOIN written w USING (article_id)
     ORDER BY i.place
"""

_IN_THE_OTHER_STORE = """
    OR EXISTS (SELECT FROM {items} i JOIN {batches} b ON b.id = i.{batch_column}
                WHERE b.report_tag = %(tag)s AND i.article_id = n.article_id {of_source})
"""


def _write_statement(store: Store, other: Store | None) -> str:
    source = f"'{store.source.value}'" if store.source else ""
    elsewhere = ""
    if other is not None:
        of_source = "AND b.source = 'manual' AND i.source = 'manual'" if other.source else ""
        elsewhere = _IN_THE_OTHER_STORE.format(
            items=other.items, batches=other.batches, batch_column=other.batch_column, of_source=of_source
        )
    return _WRITE.format(
        items=store.items,
        batches=store.batches,
        batch_column=store.batch_column,
        once=store.once,
        items_of_source=f"AND i.source = {source}" if source else "",
        or_in_the_other_store=elsewhere,
        source_column=", source" if source else "",
        source_value=f", {source}" if source else "",
    )


def _record(
    store: Store,
    other: Store | None,
    tag: str,
    day: date,
    entries: Sequence[Entry],
    *,
    held: Held | None = None,
    template: str,
    payload: dict[str, Any],
    content: str,
) -> Recorded:
    assert connection.in_atomic_block, "locks last as long as the transaction"
    # what is slow and needs no lock is done before there is one
    once = {entry.article_id: entry for entry in reversed(entries)}
    unique = [entry for entry in entries if once[entry.article_id] is entry]
    repeated = [entry.article_id for entry in entries if once[entry.article_id] is not entry]
    values = {
        "tag": tag,
        "entries": encode_text(unique),
        "template": template,
        "payload": encode_text(payload),
        "content": content,
        "sha256": sha256_of(content),
    }
    held = held or hold(store, tag, day)
    found = held.batch or make_batch(held)
    with connection.cursor() as cursor:
        cursor.execute(_write_statement(store, other), values | {"batch": found.id})
        rows = cursor.fetchall()
    if unknown := [article_id for article_id, _place, exists, _known, _at in rows if not exists]:
        raise unknown_articles(unknown)
    items = [(article_id, place) for article_id, place, _exists, _known, _at in rows if place is not None]
    known = [article_id for article_id, _place, _exists, is_known, _at in rows if is_known]
    if len(items) + len(known) != len(rows):
        raise Contention  # somebody writes without the lock: places would have a gap
    written = {
        "template": template, "export_payload": payload, "content": content, "sha256": values["sha256"],
        "updated_at": rows[0][4] if rows else found.created_at,
    }  # fmt: skip
    return Recorded(_as_batch(store, tag, found, written), items, known + repeated)


def _as_batch(store: Store, tag: str, found: BatchRow, written: dict[str, Any]) -> Batch:
    """The batch as it is now, without asking for it while everyone waits."""
    values = {"report_tag": tag, **found._asdict(), **written}
    if store.source:
        values["source"] = store.source.value
    batch = store.batch_model(**values)
    batch._state.adding, batch._state.db = False, connection.alias
    return batch


def unknown_articles(article_ids: list[str]) -> ValidationError:
    """The refusal of articles that do not exist, naming some."""
    shown = ", ".join(each[:80] for each in article_ids[:5]) + (" …" if len(article_ids) > 5 else "")
    message = _("There is no such article: %(ids)s.")
    return ValidationError(message, code="unknown-article", params={"ids": shown})
