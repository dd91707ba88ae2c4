"""New versions for stored products after a change of the normaliser, so that the next sync finds them unchanged.

The version is bookkeeping: no log row, no new updated_at, and a product whose version is right is not written.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from etl.products.choices import ChangeType, Phase
from etl.products.merge import ConcurrentWrite
from etl.products.models import Product, ProductSyncBatch, ProductSyncRun
from etl.products.versioning import FIELDS, data_version
from runs.lease import Lease
from runs.transactions import retried

# products are read whole, so not bounded in bytes: few enough that even rows of the largest size fit
PRODUCTS_PER_PAGE = 1_000

# The old version guards against overwriting a change that was committed since the page was read. What the
# normaliser of today makes of the source row may differ from what is stored: the next run has to read it.
WRITE = """
    UPDATE products AS p SET data_version = n.new, source_fingerprint = NULL
      FROM unnest(%(ids)s::bigint[], %(old)s::text[], %(new)s::text[]) AS n (id, old, new)
     WHERE p.id = n.id AND p.data_version = n.old
"""


@dataclass(frozen=True)
class Rehashed:
    """A page of products in order of id, and those of them whose version must change."""

    products: list[Product]
    stale: list[tuple[Product, str]]

    def counts(self) -> dict[str, int]:
        """In the words of a run."""
        read, updated = len(self.products), len(self.stale)
        return {"read": read, "updated": updated, "unchanged": read - updated}

    def differences(self) -> list[dict[str, Any]]:
        """The changes as a dry run tells them."""
        return [
            {
                "brand": product.brand_code,
                "sku": product.sku,
                "type": str(ChangeType.UPDATE),
                "fields": {"data_version": [product.data_version, version]},
            }
            for product, version in self.stale
        ]


def rehashed(after_id: int, limit: int) -> Rehashed | None:
    """The products beyond `after_id` with the versions of today; None when there are no more."""
    beyond = Product.objects.filter(pk__gt=after_id).order_by("pk").only("id", "data_version", *FIELDS)
    products = list(beyond[: min(limit, PRODUCTS_PER_PAGE)])
    if not products:
        return None
    versions = ((product, data_version(product)) for product in products)
    return Rehashed(products, [(product, new) for product, new in versions if new != product.data_version])


class Rehash:
    """A claimed run of this mode at work."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease

    def batches(self) -> Iterator[None]:
        """Go over all products from the stored cursor on, yielding after every batch."""
        while retried(self._step, also=(ConcurrentWrite,)):
            yield

    def _step(self) -> bool:
        began = time.perf_counter()
        run = ProductSyncRun.objects.get(pk=self.lease.pk)
        page = rehashed(run.cursor.id, run.batch_size)
        if page is None:
            return False
        counts, last_id = page.counts(), page.products[-1].pk
        with transaction.atomic():
            self.lease.advance(
                phase=Phase.REHASH,
                cursor_id=last_id,
                batches=F("batches") + 1,
                seconds=F("seconds") + (time.perf_counter() - began),
                progress=run.progress_after(counts["read"]),
                **{name: F(name) + count for name, count in counts.items()},
            )
            write_versions(page.stale)
            ProductSyncBatch.objects.create(
                run=run,
                number=run.batches + 1,
                phase=Phase.REHASH,
                **dict.fromkeys(("created", "superseded", "rejected"), 0) | counts,
                seconds=time.perf_counter() - began,
                cursor_id=last_id,
            )
        return True


def write_versions(stale: list[tuple[Product, str]]) -> None:
    """Store the new versions; ConcurrentWrite when a product changed since it was read."""
    if not stale:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE,
            {
                "ids": [product.pk for product, _new in stale],
                "old": [product.data_version for product, _new in stale],
                "new": [new for _product, new in stale],
            },
        )
        if cursor.rowcount != len(stale):
            raise ConcurrentWrite
