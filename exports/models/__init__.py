"""The nouns of exports."""

from exports.models.articles import Article, ManualReview
from exports.models.batches import BriefBatch, BriefItem, ManualExportBatch, ManualExportItem
from exports.models.runs import ExportRun
from exports.models.templates import BriefTemplate, IssueCounter, TemplateSection

__all__ = [
    "Article",
    "BriefBatch",
    "BriefItem",
    "BriefTemplate",
    "ExportRun",
    "IssueCounter",
    "ManualExportBatch",
    "ManualExportItem",
    "ManualReview",
    "TemplateSection",
]
