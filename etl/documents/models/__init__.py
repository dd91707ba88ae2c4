"""Projects and their tables, rules, tasks with their steps, and what was mounted where."""

from etl.documents.models.mounts import TableMount
from etl.documents.models.projects import ETLRule, Project, Table
from etl.documents.models.tasks import DocumentStep, ETLTask

__all__ = ["DocumentStep", "ETLRule", "ETLTask", "Project", "Table", "TableMount"]
