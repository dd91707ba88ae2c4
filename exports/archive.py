"""The briefs of both lines as one shelf.

Their ids come from two tables, so a brief is called by its table and id there: `manual-12` or `brief-12`. The
source alone would not do: while EXPORTS_MANUAL_STORE says `brief`, hand-made briefs lie in the worker's table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, F, Value
from django.utils.translation import gettext_lazy as _

from api.bounded import Count as Counted
from api.pagination import cached_total
from exports.choices import Source
from exports.models import BriefBatch, BriefItem, ExportRun, ManualExportBatch, ManualExportItem

Batch = ManualExportBatch | BriefBatch
Item = ManualExportItem | BriefItem

KEY = "(?:manual|brief)-[1-9][0-9]{0,17}"
TABLES: dict[str, type[Batch]] = {"manual": ManualExportBatch, "brief": BriefBatch}
_KEY = re.compile(f"({'|'.join(TABLES)})-([1-9][0-9]{{0,17}})")


class NoSuchBatch(LookupError):
    """Nobody has this key."""

    message = _("There is no such brief.")


@dataclass(frozen=True)
class Shelf:
    """The briefs that match, newest first."""

    source: str | None = None
    tag: str | None = None
    day: date | None = None

    def page(self, offset: int, limit: int) -> list[Batch]:
        """Some of them, each with `item_count`; as few statements as there are tables, whatever the number."""
        found: Any
        if len(self._tables) == 1:
            found = self._keys(self._tables[0])
        else:
            keys = [self._keys(table)[: offset + limit] for table in self._tables]
            found = keys[0].union(*keys[1:], all=True).order_by("-report_date", "-sequence_no", "table", "-pk")
        order = [(table, pk) for table, pk, *_sorted_by in found[offset : offset + limit]]
        batches: dict[tuple[str, int], Batch] = {}
        for name, model in TABLES.items():
            mine = [pk for table, pk in order if table == name]
            rows: Any = model.objects.filter(pk__in=mine).defer("content") if mine else []
            batches |= {(name, batch.pk): batch for batch in rows}
        counted(list(batches.values()))
        return [batches[key] for key in order]

    def total(self) -> Counted:
        """How many there are, up to five seconds old."""
        found = [cached_total(self._of(table)) for table in self._tables]
        return Counted(sum(found), next((each.certainty for each in found if not each.is_exact), "exact"))

    @property
    def _tables(self) -> list[str]:
        """Where such briefs may lie."""
        return ["brief"] if self.source == Source.WORKER else list(TABLES)

    def _of(self, table: str) -> Any:
        batches: Any = TABLES[table].objects.all()
        if self.source is not None and table == "brief":
            batches = batches.filter(source=self.source)
        if self.tag is not None:
            batches = batches.filter(report_tag=self.tag)
        return batches if self.day is None else batches.of_date(self.day)

    def _keys(self, table: str) -> Any:
        batches = self._of(table).annotate(table=Value(table)).newest_first()
        return batches.values_list("table", "pk", "report_date", "sequence_no")


def key_of(batch: Batch) -> str:
    """What a brief is called by."""
    return f"{'manual' if isinstance(batch, ManualExportBatch) else 'brief'}-{batch.pk}"


def key_of_run(run: ExportRun) -> str | None:
    """What the brief of a run is called by, without asking for it; None when there is none."""
    if run.manual_batch_id:
        return f"manual-{run.manual_batch_id}"
    return f"brief-{run.brief_batch_id}" if run.brief_batch_id else None


def source_of(batch: Batch) -> str:
    """Which line made it."""
    return str(batch.source if isinstance(batch, BriefBatch) else Source.MANUAL)


def batch_of(key: str) -> Batch:
    """The brief of this key, with `item_count`. Raises NoSuchBatch."""
    match = _KEY.fullmatch(key)
    batch = TABLES[match[1]].objects.filter(pk=int(match[2])).first() if match else None
    if batch is None:
        raise NoSuchBatch
    counted([batch])
    return batch


def items_of(batch: Batch) -> Any:
    """What is in it, in printed order."""
    return batch.items.order_by("order_index")  # type: ignore[union-attr]


def counted(batches: Sequence[Batch]) -> None:
    """Give each its `item_count`, by one statement per table."""
    for model in TABLES.values():
        mine = [batch for batch in batches if isinstance(batch, model)]
        if not mine:
            continue
        items: Any = model._meta.get_field("items").related_model
        rows = items.objects.filter(batch__in=[batch.pk for batch in mine]).order_by()
        counts = dict(rows.values_list(F("batch_id")).annotate(count=Count("pk")))
        for batch in mine:
            batch.item_count = counts.get(batch.pk, 0)  # type: ignore[union-attr]
