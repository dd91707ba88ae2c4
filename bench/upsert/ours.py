"""As the product does it."""

from uuid import UUID

from bench.upsert.values import analysis
from roadmaps.models import IntentAnalysisMetadata
from runs.upsert import upsert


def save(task: UUID, number: int) -> None:
    """One atomic statement."""
    upsert(IntentAnalysisMetadata, unique={"task_id": task}, values=analysis(number))
