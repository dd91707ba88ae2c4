"""Doors for Celery."""

from uuid import UUID

from celery import shared_task

from roadmaps import workflow


@shared_task(name="roadmaps.tasks.run_roadmap")
def run_roadmap(task_id: UUID | str) -> None:
    """Work on a roadmap."""
    workflow.run_roadmap(UUID(str(task_id)))
