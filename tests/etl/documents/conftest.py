"""A project of the operator, and what is in it."""

import pytest

import documents


@pytest.fixture
def project(operator):
    """The operator's; the viewer is a member."""
    return documents.project(operator)


@pytest.fixture
def table(project):
    """A table with something of each kind in it."""
    return documents.table(
        project, '{"sources": {}, "list": [{"files": {}}, 2], "null": null, "text": "t", "n": 1.10, "": {}, "-": {}}'
    )


@pytest.fixture
def task(project):
    """A completed task of catalog.pdf."""
    return documents.task(project, documents.EXACT)
