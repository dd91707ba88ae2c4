"""What of this room may go by age (access.pruning): contents of roadmaps that were deleted."""

from datetime import datetime
from typing import Any

from roadmaps.models import QuizMetadata, ResourceRecommendationMetadata, TutorialMetadata


def tutorials(before: datetime) -> Any:
    """Tutorials without a roadmap."""
    return TutorialMetadata.objects.without_roadmap(before)


def resources(before: datetime) -> Any:
    """Resources without a roadmap."""
    return ResourceRecommendationMetadata.objects.without_roadmap(before)


def quizzes(before: datetime) -> Any:
    """Quizzes without a roadmap."""
    return QuizMetadata.objects.without_roadmap(before)
