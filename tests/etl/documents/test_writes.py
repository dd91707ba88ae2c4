"""What a document costs the database: its creation, its claim, its result, and one record between them."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from documents import project, table
from etl.documents import hot, processing
from etl.documents.choices import Stage
from etl.documents.services import DocumentWish, Upload, request_documents, retry_document
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


def test_neither_an_upload_nor_a_worker_nor_a_retry_reads_a_table_or_an_old_result(operator, settings, tmp_path):
    settings.DOCUMENTS_DIR = tmp_path
    of = project(operator)
    wish = DocumentWish(of.pk, table_id=table(of).pk)
    whole = re.compile(r'"(table"\."data|etl_task"\."result)"(?! -[ >])')
    with CaptureQueriesContext(connection) as asked:
        (task,) = request_documents([Upload("a.txt", [b"Hello.\n"])], wish, user=operator)
        for _time in range(2):
            processing.run_document(task.pk)
            task = retry_document(task, from_stage=Stage.PARSE, actor=operator)
    read = [query["sql"] for query in asked if query["sql"].startswith("SELECT")]
    assert [sql for sql in read if whole.search(sql.partition("WHERE")[0])] == []
