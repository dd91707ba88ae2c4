"""Doors for Celery."""

from celery import shared_task

from distillations import distilling, generation, usage

# well under the soft time limit of a task, so that many articles hand over instead of being cut
HAND_OVER_AFTER_SECONDS = 600


@shared_task(name="distillations.tasks.run_generation")
def run_generation(task_id: int) -> None:
    """Work on a generation task."""
    generation.run_generation(task_id, hand_over_after=HAND_OVER_AFTER_SECONDS)


@shared_task(name="distillations.tasks.run_distillation")
def run_distillation(run_id: int) -> None:
    """Work on a distillation run."""
    distilling.run_distillation(run_id)


@shared_task(name="distillations.tasks.verify_usage")
def verify_usage() -> None:
    """Compare every counter with its rows; the outcome stands on the dashboard and in /metrics."""
    usage.verify_usage()
