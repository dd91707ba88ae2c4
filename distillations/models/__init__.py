"""The nouns of distillations."""

from distillations.models.articles import DistillationUsage, GeneratedArticle, UsageCheck
from distillations.models.materials import ArticleSetting, ConversionTarget, KnowledgeBase, KnowledgeDocument
from distillations.models.sources import Distillation, DistillationRun, Topic
from distillations.models.tasks import GenerationSlot, GenerationTask

__all__ = [
    "ArticleSetting",
    "ConversionTarget",
    "Distillation",
    "DistillationRun",
    "DistillationUsage",
    "GeneratedArticle",
    "GenerationSlot",
    "GenerationTask",
    "KnowledgeBase",
    "KnowledgeDocument",
    "Topic",
    "UsageCheck",
]
