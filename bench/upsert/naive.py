"""As document 004 found it: look, then insert or save. Who loses the race fails."""

from uuid import UUID

from django.db import IntegrityError

from bench.upsert.values import analysis
from roadmaps.models import IntentAnalysisMetadata


def save(task: UUID, number: int) -> None:
    """Two statements, and nothing that holds them together."""
    there = IntentAnalysisMetadata.objects.filter(task_id=task).first()
    try:
        if there is None:
            IntentAnalysisMetadata.objects.create(task_id=task, **analysis(number))
            return
    except IntegrityError:
        return  # the save is lost
    for name, value in analysis(number).items():
        setattr(there, name, value)
    there.save()
