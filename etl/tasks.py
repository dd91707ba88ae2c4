"""Doors for Celery."""

from typing import Any

import structlog
from celery import shared_task

from etl.documents import processing
from etl.products import services, sharding, sync
from etl.products.api.serializers import SyncRequestSerializer
from etl.products.source import SourceUnusable
from runs.errors import Conflict

logger = structlog.get_logger(__name__)

# well under the soft time limit of a task, so that a long sync hands over instead of being cut
HAND_OVER_AFTER_SECONDS = 600


@shared_task(name="etl.tasks.run_product_sync")
def run_product_sync(run_id: int | None = None, **wish: Any) -> None:
    """Work on a run; without an id (from beat) ask for a new one, unless one is open.

    `wish` are the fields of an API request, such as {"full": true}; a schedule whose arguments are wrong
    fails with what is wrong with them.
    """
    if run_id is not None:
        sync.run_product_sync(run_id, hand_over_after=HAND_OVER_AFTER_SECONDS)
        return
    asked = SyncRequestSerializer(data=wish)
    asked.is_valid(raise_exception=True)
    try:
        services.request_sync(asked.as_options(), actor="schedule")
    except Conflict as conflict:
        logger.info("product_sync.not_started", reason=conflict.slug, **conflict.extra)
    except SourceUnusable as error:
        logger.error("product_sync.not_started", reason=error.slug, text=error.message)


@shared_task(name="etl.tasks.run_product_sync_shard")
def run_product_sync_shard(shard_id: int) -> None:
    """Work on one shard of a run."""
    sharding.run_product_sync_shard(shard_id, hand_over_after=HAND_OVER_AFTER_SECONDS)


@shared_task(name="etl.tasks.run_document")
def run_document(task_id: int) -> None:
    """Work on a document."""
    processing.run_document(task_id)
