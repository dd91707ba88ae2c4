"""Tasks with their steps, what the workflow's steps store, roadmaps with their concepts, and what learners do."""

from roadmaps.models.contents import QuizMetadata, ResourceRecommendationMetadata, TutorialMetadata
from roadmaps.models.designs import (
    CurriculumDesignMetadata,
    HumanReview,
    IntentAnalysisMetadata,
    RoadmapEditRecord,
    StructureValidationRecord,
)
from roadmaps.models.learning import ConceptProgress, QuizAttempt
from roadmaps.models.roadmaps import Concept, Roadmap
from roadmaps.models.tasks import RoadmapStep, RoadmapTask

__all__ = [
    "Concept",
    "ConceptProgress",
    "CurriculumDesignMetadata",
    "HumanReview",
    "IntentAnalysisMetadata",
    "QuizAttempt",
    "QuizMetadata",
    "ResourceRecommendationMetadata",
    "Roadmap",
    "RoadmapEditRecord",
    "RoadmapStep",
    "RoadmapTask",
    "StructureValidationRecord",
    "TutorialMetadata",
]
