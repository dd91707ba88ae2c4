"""Questions about products, their changes, rejects and the watermark."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connections, models, transaction
from django.db.models import F, Min, Q

from api.bounded import narrowed
from etl.products.choices import Resolution
from etl.products.cursors import Snapshot
from etl.products.positions import Position
from runs.querysets import ClockTimestamp, RunQuerySet

SHORTEST_PART = 3  # characters: a part of a text is found by its trigrams

# the LIMIT cuts nothing: it tells the planner how few keys there are, who would else read all of products
IDS_OF = """
    SELECT p.id
      FROM (SELECT * FROM unnest(%(brands)s::text[], %(skus)s::text[]) AS k (brand_code, sku) LIMIT %(rows)s) keys
      JOIN products p USING (brand_code, sku)
"""


class ProductQuerySet(models.QuerySet):
    """Products as the source last told them."""

    def listed(self) -> ProductQuerySet:
        """What the source still has."""
        return self.filter(is_deleted=False)

    def search(self, text: str) -> ProductQuerySet:
        """Every word is a brand, begins a SKU, or, from SHORTEST_PART characters on, is part of a name."""
        found = self
        for word in text.split():
            begins = [Q(brand_code=word), Q(sku__startswith=word)]
            contains = [Q(name__icontains=word)] if len(word) >= SHORTEST_PART else []
            found = narrowed(found, *begins, *contains)
        return found

    def with_tags(self, tags: list[str]) -> ProductQuerySet:
        """What carries every one of the tags."""
        return narrowed(self, Q(tags__contains=tags))

    def with_attributes(self, attributes: dict[str, Any]) -> ProductQuerySet:
        """What has all of these among its attributes, at any depth they are given in."""
        return narrowed(self, Q(attributes__contains=attributes))

    def priced(self, *, least: Decimal | None = None, most: Decimal | None = None) -> ProductQuerySet:
        """What costs no less and no more."""
        bounds = Q(price__gte=least) if least is not None else Q()
        return narrowed(self, bounds & (Q(price__lte=most) if most is not None else Q()))

    def changed_since(self, moment: datetime) -> ProductQuerySet:
        """What was written at that moment or later."""
        return narrowed(self, Q(updated_at__gte=moment))

    def ids_of(self, keys: Collection[tuple[str, str]]) -> list[int]:
        """Ids of the products with these normalised keys, deleted ones included."""
        brands, skus = zip(*keys, strict=True) if keys else ((), ())
        with connections[self.db].cursor() as cursor:
            cursor.execute(IDS_OF, {"brands": list(brands), "skus": list(skus), "rows": len(brands)})
            return [row[0] for row in cursor.fetchall()]

    def id_pages(self, size: int = 10_000) -> Iterator[list[int]]:
        """The ids of these in order, page by page."""
        after = None
        while page := list(self._beyond(after).order_by("pk").values_list("pk", flat=True)[:size]):
            yield page
            after = page[-1]

    def _beyond(self, pk: int | None) -> ProductQuerySet:
        return self if pk is None else self.filter(pk__gt=pk)


class ProductChangeQuerySet(models.QuerySet):
    """The append-only log of real changes."""

    def of(self, product_id: int) -> ProductChangeQuerySet:
        """The history of one product, newest first."""
        return self.filter(product_id=product_id).order_by("-id")

    def search(self, text: str) -> ProductChangeQuerySet:
        """Every word is a SKU or, where no SKU is written so, a brand."""
        found = self
        for word in text.split():
            # one equality at a time is read in the order of the list from an index; one OR of two is not
            is_sku = self.model._base_manager.filter(sku=word).exists()
            found = found.filter(sku=word) if is_sku else found.filter(brand_code=word)
        return found

    def seen_by(self, snapshot: Snapshot) -> ProductChangeQuerySet:
        """What could be seen when the snapshot was taken."""
        return self.filter(xid__lt=snapshot.end).exclude(xid__in=snapshot.late)

    def between(self, seen: Snapshot | None, upto: Snapshot) -> ProductChangeQuerySet:
        """What `upto` sees and `seen` did not."""
        news = self.seen_by(upto)
        return news if seen is None else news.filter(Q(xid__gte=seen.end) | Q(xid__in=seen.late))

    def ids_between(self, seen: Snapshot | None, upto: Snapshot, *, limit: int) -> list[int]:
        """Ids of between(), in no useful order, at most `limit`; costs that many index entries at most.

        Two plain ranges of the index on xid, in its order: a condition with OR, or an order by id, would let
        the planner walk the whole log for a handful of rows.
        """
        ids = self.seen_by(upto).order_by("xid").values_list("pk", flat=True)
        found = list(ids.filter(xid__gte=seen.end if seen else 0)[:limit])
        if seen is not None and seen.late and len(found) < limit:
            found += ids.filter(xid__in=seen.late)[: limit - len(found)]
        return found

    def first_id_after(self, seen: Snapshot, *, sessions: int) -> int:
        """An id with nothing unseen below it, when at most `sessions` transactions go on at a time.

        What began after the snapshot has ids beyond the newest seen. What was in progress then may have lower
        ones: the late ones, and those with the next numbers, which had no later one finished before them.
        """
        following = self.filter(xid__gte=seen.end).order_by("xid").values_list("xid", flat=True).distinct()
        numbers = list(following[:sessions])
        suspects = Q(xid__in=seen.late) | Q(xid__gte=seen.end, xid__lte=numbers[-1] if numbers else seen.end)
        # + 0, or PostgreSQL turns MIN into a walk along the primary key
        lowest = self.filter(suspects).aggregate(lowest=Min(F("pk") + 0))["lowest"]
        return seen.newest + 1 if lowest is None else min(seen.newest + 1, int(lowest))

    def next_id(self, after: int) -> int | None:
        """The lowest id beyond `after`."""
        return self.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True).first()


class ProductSyncRunQuerySet(RunQuerySet):
    """Runs of product sync."""

    def of_source(self, source: str) -> ProductSyncRunQuerySet:
        """Runs that read this source and write (a dry run writes nothing and waits for nobody)."""
        return self.filter(source=source, dry_run=False)

    def finish(self, pk: Any, token: int, status: str, **values: Any) -> bool:
        with transaction.atomic(using=self.db):
            return super().finish(pk, token, status, **values) and self.end_parts([pk])

    def cancel(self, pk: Any) -> bool:
        with transaction.atomic(using=self.db):
            return super().cancel(pk) and self.end_parts([pk])

    def fail_exhausted(self, *, error: str, limit: int = 100) -> list[Any]:
        failed = super().fail_exhausted(error=error, limit=limit)
        self.end_parts(failed)
        return failed

    def end_parts(self, keys: list[Any]) -> bool:
        """Cancel the open shards of runs that have ended, so that their workers stop at the next fence."""
        parts: Any = self.model._meta.get_field("parts").related_model
        shards = parts.objects.open().filter(run__in=keys)
        shards.update(**shards._final_values(shards.statuses.cancelled))
        return True


class RejectedRowQuerySet(models.QuerySet):
    """Source rows that could not be taken over."""

    def unresolved(self) -> RejectedRowQuerySet:
        """Still waiting to be mended."""
        return self.filter(resolved_at=None)

    def search(self, text: str) -> RejectedRowQuerySet:
        """Every word is a source row, a brand or a SKU, exactly."""
        found = self
        for word in text.split():
            is_id = word.isascii() and word.isdecimal() and len(word) < 19
            found = narrowed(found, Q(brand=word), Q(sku=word), *([Q(src_id=int(word))] if is_id else []))
        return found

    def dismiss(self) -> int:
        """Close those that are open without having been mended; how many. One statement."""
        return self.unresolved().update(resolved_at=ClockTimestamp(), resolution=Resolution.DISMISSED)

    def to_retry(self, source: str, *, after_id: int, limit: int) -> list[int]:
        """Source ids of unresolved rows beyond `after_id`, in order."""
        waiting = self.unresolved().filter(source=source, src_id__gt=after_id)
        return list(waiting.order_by("src_id").values_list("src_id", flat=True)[:limit])

    def resolve(self, source: str, src_ids: list[int], *, resolution: str, run_id: int | None) -> int:
        """Close the unresolved rows of these source ids; how many there were."""
        return (
            self.unresolved()
            .filter(source=source, src_id__in=src_ids)
            .update(resolved_at=ClockTimestamp(), resolution=resolution, resolved_by_run_id=run_id)
        )


class WatermarkQuerySet(models.QuerySet):
    """How far each source has been read."""

    def position_of(self, table_name: str) -> Position | None:
        """The watermark of a source; None when it was never read."""
        row = self.filter(table_name=table_name).values_list("last_processed_at", "last_processed_id").first()
        return Position(*row) if row else None

    def move(self, table_name: str, *, expected: Position | None, to: Position) -> bool:
        """Compare-and-set from `expected` (None: never read) to `to`.

        False when the stored watermark is another one, so two writers can never both win.
        """
        if expected is None:
            _row, created = self.get_or_create(
                table_name=table_name, defaults={"last_processed_at": to.at, "last_processed_id": to.id}
            )
            return created
        at_expected = Q(last_processed_at=expected.at, last_processed_id=expected.id)
        return (
            self.filter(at_expected, table_name=table_name).update(
                last_processed_at=to.at, last_processed_id=to.id, updated_at=ClockTimestamp()
            )
            == 1
        )
