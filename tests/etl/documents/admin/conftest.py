"""The operator's project with files in a folder of its own, and a real rule."""

import pytest

from etl.documents import processing
from etl.documents.services import DocumentWish, Upload, request_documents
from etl.models import ETLRule

ROWS = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string", "title": "名称"}}},
        },
        "supplier": {"type": "string", "title": "供应商"},
    },
}


@pytest.fixture
def folder(settings, tmp_path):
    """Where files lie."""
    settings.DOCUMENTS_DIR = tmp_path
    return tmp_path


@pytest.fixture
def rule(operator, project):
    return ETLRule.objects.create(name="Rows", owner=operator, project=project, json_schema=ROWS)


@pytest.fixture
def queued(folder, project, operator):
    """queued(content, name, **wish): a task that no worker has seen."""

    def make(content="名称,单价\n杯子,1.10\n", name="价格.csv", **wish):
        uploads = [Upload(name, [content.encode()])]
        (task,) = request_documents(uploads, DocumentWish(project.pk, **wish), user=operator)
        return task

    return make


@pytest.fixture
def worked(queued):
    """worked(content, name, **wish): a task that a worker has brought to its end."""

    def make(*args, **wish):
        task = queued(*args, **wish)
        processing.run_document(task.pk)
        task.refresh_from_db()
        return task

    return make
