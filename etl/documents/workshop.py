"""How the workshop of documents does: what waits, who works."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from redis.exceptions import RedisError

from api.bounded import count_of
from etl.documents.choices import WorkshopStatus
from etl.documents.models import ETLTask
from runs.workers import serving


@dataclass(frozen=True)
class Health:
    """`degraded`: new documents would wait for ever, or would be refused."""

    status: WorkshopStatus
    queue_size: int
    task_count: int
    worker_count: int


def health() -> Health:
    """Asked of the database, and of Redis who works; a Redis that is away counts as nobody."""
    waiting = ETLTask.objects.filter(status=ETLTask.STATUSES.queued).count()
    try:
        workers = len(serving(ETLTask.QUEUE))
    except RedisError:
        workers = 0
    is_well = workers > 0 and ETLTask.objects.open().count() < settings.ETL_MAX_PENDING
    status = WorkshopStatus.HEALTHY if is_well else WorkshopStatus.DEGRADED
    return Health(status, waiting, int(count_of(ETLTask.objects.all())), workers)
