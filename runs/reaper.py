"""Finds runs that nobody looks after, rings for them again and ends the hopeless."""

import structlog
from django.apps import apps
from django.conf import settings
from django.db import transaction

from runs.choices import RunError
from runs.models import Run
from runs.services import count_expiries, send
from runs.sessions import end_frozen_sessions

logger = structlog.get_logger(__name__)


def run_models() -> list[type[Run]]:
    """Every concrete kind of run in the project."""
    return [model for model in apps.get_models() if issubclass(model, Run)]


def reap() -> dict[str, int]:
    """One round over all kinds of runs; how many were failed, requeued and rung for.

    Safe to run at any time and in several places at once: rows locked by others are skipped.
    """
    counts = {"failed": 0, "requeued": 0, "rung": 0}
    for model in run_models():
        failed, requeued = settle_expired(model)
        counts["failed"] += failed
        counts["requeued"] += requeued
        counts["rung"] += ring_forgotten(model)
    return counts


def settle_expired(model: type[Run]) -> tuple[int, int]:
    """Fail what ran out of attempts and queue again what dead workers hold, some hundred at once; how many of each."""
    if model.objects.expired().exists():
        end_frozen_sessions(model)
    with transaction.atomic():
        expired = model.objects.expired().count()
        failed = model.objects.fail_exhausted(error=RunError.WORKER_LOST)
        requeued = model.objects.requeue_expired()
    count_expiries(model, min(expired, len(failed) + len(requeued)))
    for pk in failed:
        logger.error("run.worker_lost", run_kind=model._meta.label_lower, run_id=pk)
    for pk in requeued:
        logger.warning("run.requeued", run_kind=model._meta.label_lower, run_id=pk)
    return len(failed), len(requeued)


def ring_forgotten(model: type[Run], *, limit: int = 100, older_than: float | None = None) -> int:
    """Ring for due runs without a message of the last `older_than` seconds; how many messages were sent.

    A message in a long queue is not forgotten: only after four rounds is another sent, and a
    doubled message does no harm.
    """
    patience = 4 * settings.REAPER_SECONDS if older_than is None else older_than
    forgotten = model.objects.forgotten(older_than=patience).order_by("pk")[:limit]
    sent = 0
    for run in forgotten:
        if not send(run):
            break  # the broker is down for the others too
        sent += 1
    return sent
