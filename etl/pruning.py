"""What of product sync and documents may go by age (access.pruning)."""

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from etl.documents import storage
from etl.products.models import ProductChange, ProductSyncBatch, ProductSyncRun, RejectedRow


def changes(before: datetime) -> QuerySet:
    """The change log; a consumer whose cursor lies before access.Pruning learns that it missed something."""
    return ProductChange.objects.filter(created_at__lt=before)


def batches(before: datetime) -> QuerySet:
    """Page by page records of ended runs; the runs with their counts stay."""
    return ProductSyncBatch.objects.filter(
        created_at__lt=before, run__in=ProductSyncRun.objects.finished().filter(finished_at__lt=before)
    )


def rejects(before: datetime) -> QuerySet:
    """Rejected rows that were resolved."""
    return RejectedRow.objects.filter(resolved_at__lt=before)


class OrphanUploads:
    """Files whose task does not exist: what a crash between a file and its row left. Never those of the last day."""

    def __init__(self, before: datetime) -> None:
        self._seconds = max((timezone.now() - before).total_seconds(), storage.ORPHAN_AFTER_SECONDS)

    def count(self) -> int:
        return len(storage.orphans(older_than_seconds=self._seconds))

    def delete(self, limit: int) -> int:
        return storage.sweep_orphans(older_than_seconds=self._seconds, limit=limit)


def uploads(before: datetime) -> OrphanUploads:
    """Files without a task."""
    return OrphanUploads(before)
