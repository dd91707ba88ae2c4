"""Exports made by hand that lie among the worker's briefs move to the tables of their own.

They lie there from before those tables existed, or from a time with EXPORTS_MANUAL_STORE=brief. A moved batch
stays where it was, without items, since the numbers of its day must have no gap; its payload says where they
went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext_lazy as _

from access.services import record
from api.codec import encode_text
from exports import recording
from exports.choices import Source
from exports.models import BriefBatch, BriefItem, ManualExportBatch, ManualExportItem
from exports.recording import BY_HAND
from runs.errors import Conflict
from runs.failpoints import reached
from runs.transactions import atomic_retried


@dataclass
class Moved:
    """What became of one batch. `duplicates` are articles the tag had by hand already: one item is kept of two.

    `refused` says why nothing was moved.
    """

    tag: str
    source: str
    brief_batch: int
    manual_batch: int | None = None
    moved: int = 0
    duplicates: list[str] = field(default_factory=list)
    refused: str = ""

    def as_json(self) -> dict[str, Any]:
        """As a command prints it."""
        return asdict(self)


def move_manual_exports(
    *, tags: Sequence[str] = (), suffix: str = "", source: str = "", dry_run: bool = False, actor: Any
) -> list[Moved]:
    """Move the batches of these tags, or of all tags that end in `suffix`; each is one transaction.

    Of a tag with two batches the one made by hand is meant, unless `source` says worker: rows from before the
    split carry no source and count as the worker's. A batch that was moved before has nothing left to move, so
    this is safe to repeat. Raises ValidationError for a tag without a batch, before anything is moved.
    """
    batches = _meant(tags, suffix, source)
    return [_rehearsed(batch) if dry_run else _moved(batch, actor) for batch in batches]


def _meant(tags: Sequence[str], suffix: str, source: str) -> list[BriefBatch]:
    if bool(tags) == bool(suffix):
        raise ValidationError(_("Name either tags or a suffix."), code="tags-or-suffix")
    if not all(map(recording.is_storable, [*tags, suffix])):
        raise ValidationError(_("A tag is text."), code="invalid")
    wanted = BriefBatch.objects.filter(report_tag__in=tags) if tags else BriefBatch.objects.all()
    if suffix:
        wanted = wanted.filter(report_tag__endswith=suffix)
    if source:
        wanted = wanted.filter(source=source)
    meant: dict[str, BriefBatch] = {}
    for batch in wanted.only("report_tag", "report_date", "source").order_by("report_date", "sequence_no"):
        known = meant.get(batch.report_tag)
        if known is None or batch.source == Source.MANUAL:
            meant[batch.report_tag] = batch
    if unknown := [tag for tag in tags if tag not in meant]:
        message = _("No brief has the tag %(tags)s.")
        raise ValidationError(message, code="unknown-tag", params={"tags": ", ".join(unknown)[:500]})
    return list(meant.values())


def _rehearsed(batch: BriefBatch) -> Moved:
    found = Moved(batch.report_tag, batch.source, batch.pk)
    target = ManualExportBatch.objects.filter(report_tag=batch.report_tag).first()
    if target is not None and target.report_date != batch.report_date:
        found.refused = str(recording.other_date(batch.report_tag, target.report_date))
        return found
    items = BriefItem.objects.filter(batch=batch)
    doubled = items.filter(article_id__in=ManualExportItem.objects.filter(batch=target).values("article_id"))
    found.manual_batch = target.pk if target else None
    found.duplicates = [each.article_id for each in doubled.order_by("order_index").only("article_id")]
    found.moved = items.count() - len(found.duplicates)
    return found


def _moved(batch: BriefBatch, actor: Any) -> Moved:
    try:
        return atomic_retried(partial(_move, batch, actor))
    except Conflict as conflict:
        return Moved(batch.report_tag, batch.source, batch.pk, refused=str(conflict))


_MOVE = """
    WITH leaving AS MATERIALIZED (
        SELECT i.*, EXISTS (SELECT FROM manual_export_items m
                             WHERE m.manual_export_batch_id = %(target)s AND m.article_id = i.article_id) AS is_known
          FROM brief_items i WHERE i.brief_batch_id = %(batch)s
    ), moved AS (
        INSERT INTO manual_export_items (manual_export_batch_id, article_id, section, order_index, final_summary,
                                         metadata, created_at, updated_at)
        SELECT %(target)s, article_id, section,
               (SELECT coalesce(max(order_index), 0) FROM manual_export_items
                 WHERE manual_export_batch_id = %(target)s) + row_number() OVER (ORDER BY order_index),
               final_summary, metadata, created_at, updated_at
          FROM leaving WHERE NOT is_known
         ORDER BY order_index
        RETURNING article_id
    ), gone AS (
        DELETE FROM brief_items WHERE brief_batch_id = %(batch)s
    )
    SELECT article_id, is_known FROM leaving ORDER BY order_index
"""

# the newer text is the tag's; the other one stays with its run, and with the batch that is emptied
_TAKE_TEXT = """
    UPDATE manual_export_batches m
       SET template = b.template, content = b.content, sha256 = b.sha256, export_payload = b.export_payload,
           created_at = least(m.created_at, b.created_at), updated_at = b.updated_at
      FROM brief_batches b
     WHERE m.id = %(target)s AND b.id = %(batch)s AND (%(is_new)s OR b.updated_at > m.updated_at)
"""

_TELL = """
    UPDATE brief_batches SET export_payload = export_payload || jsonb_build_object('moved', %(moved)s::jsonb)
     WHERE id = %(batch)s
"""


def _move(batch: BriefBatch, actor: Any) -> Moved:
    found = Moved(batch.report_tag, batch.source, batch.pk)
    # nobody records under the tag meanwhile, by hand or, where the batch is the worker's, by the worker
    recording.lock_tag(Source.MANUAL, batch.report_tag)
    if batch.source == Source.WORKER:
        recording.lock_tag(Source.WORKER, batch.report_tag)
    held = recording.hold(BY_HAND, batch.report_tag, batch.report_date)
    if not BriefItem.objects.filter(batch=batch).exists():
        found.manual_batch = held.batch.id if held.batch else None
        return found
    target = (held.batch or recording.make_batch(held)).id
    found.manual_batch = target
    values = {"batch": batch.pk, "target": target, "is_new": held.batch is None}
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, values)
        rows = cursor.fetchall()
        found.duplicates = [article_id for article_id, is_known in rows if is_known]
        found.moved = len(rows) - len(found.duplicates)
        cursor.execute(_TAKE_TEXT, values)
        told = {"manual_export_batch_id": target, "items": found.moved, "duplicates": found.duplicates}
        cursor.execute(_TELL, {"batch": batch.pk, "moved": encode_text(told)})
    record(actor=actor, action="brief.moved", target=batch, after=found.as_json())
    reached("commit.before")
    return found
