"""What a document costs the database: its creation, its claim, its result, and one record between them."""

import re

import pytest
from django.db import connection

from documents import project
from etl.documents import hot, processing
from etl.documents.choices import Stage
from etl.documents.services import DocumentWish, Upload, request_documents
from etl.models import ETLTask

pytestmark = pytest.mark.django_db(transaction=True)

WRITES = re.compile(r'\s*(?:WITH .*?)?(INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.I | re.S)


@pytest.fixture
def statements(settings, tmp_path):
    """The writing statements of this process from here on, as "INSERT table"; and a folder for files."""
    settings.DOCUMENTS_DIR = tmp_path
    log = []

    def logged(execute, sql, params, many, context):
        if found := WRITES.match(sql):
            log.append(f"{found[1].split()[0].upper()} {found[2]}")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(logged):
        yield log


def requested(operator, content=b"Hello.\n"):
    (task,) = request_documents([Upload("a.txt", [content])], DocumentWish(project(operator).pk), user=operator)
    return task


def test_a_document_is_written_at_its_creation_its_claim_its_end_and_once_between(statements, operator):
    of = project(operator)
    statements.clear()
    (task,) = request_documents([Upload("a.txt", [b"Hello.\n"])], DocumentWish(of.pk), user=operator)
    assert statements == ["INSERT etl_task", "INSERT access_auditevent"]
    statements.clear()
    processing.run_document(task.pk)
    assert statements == [
        "UPDATE etl_task",  # the claim
        "UPDATE etl_task", "INSERT etl_task_step",  # one transaction: the text was read
        "UPDATE etl_task", "INSERT etl_task_step",  # one transaction: the result
    ]  # fmt: skip
    task.refresh_from_db()
    assert task.status == "completed"


def test_progress_and_who_polls_for_it_write_nothing(statements, operator, django_assert_num_queries):
    task = requested(operator)
    token = ETLTask.objects.claim(task.pk)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")  # a write would be refused
        try:
            with django_assert_num_queries(10):
                for percent in range(10):
                    hot.Teller(task.pk, token).tell(Stage.PARSE, percent)
                    page = list(ETLTask.objects.visible_to(operator).order_by("-id")[:20])
                    assert hot.overlay(page)[task.pk].stage == "parse"
        finally:
            cursor.execute("RESET default_transaction_read_only")
