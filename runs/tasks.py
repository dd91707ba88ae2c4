"""Doors for beat."""

from celery import shared_task

from runs import reaper, workers


@shared_task(name="runs.reap")
def reap() -> None:
    """One round of the reaper."""
    reaper.reap()
    workers.note_reaped()
