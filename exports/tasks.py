"""Doors for Celery."""

from typing import Any

import structlog
from celery import shared_task

from exports import services, worker
from exports.api.runs import ExportRequestSerializer
from runs.errors import Conflict

logger = structlog.get_logger(__name__)


@shared_task(name="exports.tasks.run_export")
def run_export(run_id: int | None = None, **wish: Any) -> None:
    """Work on a run; without an id (from beat) ask for a new one.

    `wish` are the fields of an API request, such as {"template": "wanbao"}; a schedule whose arguments are wrong
    fails with what is wrong with them.
    """
    if run_id is not None:
        worker.run_export(run_id)
        return
    asked = ExportRequestSerializer(data=wish)
    asked.is_valid(raise_exception=True)
    try:
        services.request_export(asked.as_options(), actor="schedule")
    except Conflict as conflict:
        logger.info("export.not_started", reason=conflict.slug, **conflict.extra)
