"""Doors for Celery."""

import structlog
from celery import shared_task

from etl.products import services, sync
from etl.products.source import SourceUnusable
from runs.errors import Conflict

logger = structlog.get_logger(__name__)

# well under the soft time limit of a task, so that a long sync hands over instead of being cut
HAND_OVER_AFTER_SECONDS = 600


@shared_task(name="etl.tasks.run_product_sync")
def run_product_sync(run_id: int | None = None) -> None:
    """Work on a run; without an id (from beat) ask for a new one, unless one is open."""
    if run_id is not None:
        sync.run_product_sync(run_id, hand_over_after=HAND_OVER_AFTER_SECONDS)
        return
    try:
        services.request_sync(services.SyncOptions(), actor="schedule")
    except Conflict as conflict:
        logger.info("product_sync.not_started", reason=conflict.slug, **conflict.extra)
    except SourceUnusable as error:
        logger.error("product_sync.not_started", reason=error.slug, text=error.message)
