"""What of product sync may go by age (access.pruning)."""

from datetime import datetime

from django.db.models import QuerySet

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
