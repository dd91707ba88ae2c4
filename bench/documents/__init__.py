"""Documents: tasks of 50 pages from upload to result, and a page of a list of 10,000 tasks that are being worked on.

The page is asked of its route, by somebody signed in, with all its middleware.

What is read is no part of it: the parser of the bench says 50 times how far it is, and gives a text. The limit tells
nobody; the naive way writes each page into the task's row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from api.shared_cache import server
from bench.measure import Meter, Sample
from etl.documents import hot, processing
from etl.documents.choices import Stage
from etl.documents.models import ETLTask, Project
from etl.documents.parsed import Parsed, Remote, Report
from etl.documents.services import MOST_FILES, DocumentWish, Upload, request_documents

PAGES = 50
LISTED, LOOKS = 50, 200  # rows of a page, and how often it is looked at
TABLES = ("etl_task", "etl_task_step", "access_auditevent")

# every one held by a worker, so that each row of a page is looked up in the hot store
HELD = """
    INSERT INTO etl_task (status, progress, attempt, max_attempts, error, error_text, filename, media, file, sha256,
                          size, project_id, requested_by_id, lease_token, lease_until, started_at)
    SELECT 'mineru_parsing', 0, 1, 5, '', '', 'file ' || g, 'txt', g || '/source', repeat('0', 64), 1, %s, %s, g,
           clock_timestamp() + interval '1 hour', clock_timestamp() FROM generate_series(1, %s) g
"""


class Pages:
    """A parser of 50 pages that costs nothing itself."""

    def parse(self, path: Path, *, filename: str, report: Report, remote: Remote) -> Parsed:
        """Say how far it is, page by page."""
        for page in range(1, PAGES + 1):
            report(page, PAGES)
        return Parsed(path.read_text(), "bench 1", PAGES)


def run(design: str, rows: int) -> Iterator[Sample]:
    """One round of a design: `rows` tasks, then the list."""
    tell = hot.Teller.tell
    hot.Teller.tell = TELLING[design]  # type: ignore[method-assign]
    processing.configured_parser = Pages  # type: ignore[assignment,attr-defined]
    user = User.objects.create_superuser("bench")
    project = Project.objects.create(name="bench", owner=user)
    with tempfile.TemporaryDirectory(prefix="pressroom-bench-documents-") as folder:
        settings.DOCUMENTS_DIR = Path(folder)
        settings.ETL_MAX_PENDING = rows
        yield _tasks(design, rows, project, user)
    if design == "ours":
        hot.Teller.tell = tell  # type: ignore[method-assign]
        yield _list(design, project, user)


def _tasks(design: str, rows: int, project: Project, user: User) -> Sample:
    _work(MOST_FILES, project, user)  # warm up
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) etl_task, etl_task_step")
        cursor.execute("CHECKPOINT")
    before = _written()
    with Meter() as meter:
        _work(rows, project, user)
    transactions, written, statements = (now - then for now, then in zip(_written(), before, strict=True))
    open_or_failed = ETLTask.objects.exclude(status="completed").count()
    if open_or_failed:
        raise AssertionError(f"{open_or_failed} tasks are not completed")
    notes = {"transactionsPerTask": transactions / rows, "rowsWrittenPerTask": written / rows,
             "writesOfTheTaskItself": statements / rows}  # fmt: skip
    return meter.sample(design, f"tasks of {PAGES} pages", rows, notes=notes)


def _work(rows: int, project: Project, user: User) -> None:
    """Upload so many files, and work on each to its end."""
    wish = DocumentWish(project.pk)
    for begin in range(0, rows, MOST_FILES):
        uploads = [
            Upload(f"{number}.txt", [f"Document {number}\n".encode()])
            for number in range(begin, min(begin + MOST_FILES, rows))
        ]
        for upload in uploads:  # each a request of its own
            (task,) = request_documents([upload], wish, user=user)
            processing.run_document(task.pk)


def _list(design: str, project: Project, user: User) -> Sample:
    hold_ten_thousand(project, user)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    look_at_page(client)  # the total is counted once and then known for a while
    queries: list[str] = []

    def counted(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    asked = _redis_reads()
    with Meter() as meter, connection.execute_wrapper(counted):
        for _look in range(LOOKS):
            look_at_page(client)
    pages = [sql for sql in queries if 'FROM "etl_task"' in sql]
    notes = {
        "pageQueries": len(pages) / LOOKS,
        "redisRoundTripsPerPage": (_redis_reads() - asked) / LOOKS,
        # who is signed in, too; the meter asks three times itself, behind the wrapper's end or before its beginning
        "queriesPerPage": len(queries) / LOOKS,
    }
    return meter.sample(design, f"page of {LISTED} of 10,000 tasks", LOOKS, notes=notes)


def hold_ten_thousand(project: Project, user: User) -> None:
    """Tasks that workers hold, the newest of them told of in the hot store; and no others."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM etl_task_step")
        cursor.execute("DELETE FROM etl_task")
        cursor.execute(HELD, [project.pk, user.pk, 10_000])
        cursor.execute("VACUUM (ANALYZE) etl_task")
    for pk, token in ETLTask.objects.order_by("-id").values_list("pk", "lease_token")[:LISTED]:
        hot.Teller(pk, token or 0).tell(Stage.TRANSFORM, 80, 3, 7)


def look_at_page(client: Client) -> None:
    """Ask the route for its first page, as somebody signed in; each row must say what its worker said."""
    answer = client.get(f"/api/v1/etl/tasks?pageSize={LISTED}", secure=settings.SECURE_SSL_REDIRECT)
    told = {(task["status"], task["progress"], task["page"]) for task in answer.json()["tasks"]}
    if told != {("llm_processing", 80, 3)}:
        raise AssertionError(f"not every row was overlaid: {told}")


def _written() -> tuple[int, int, int]:
    """Transactions that wrote, rows inserted or updated in our tables, and those of tasks alone; all so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, sum(n_tup_ins + n_tup_upd)::bigint,"
            " sum(n_tup_ins + n_tup_upd) FILTER (WHERE relname = 'etl_task')::bigint"
            " FROM pg_stat_user_tables WHERE relname = ANY(%s)",
            [list(TABLES)],
        )
        transactions, written, of_tasks = cursor.fetchone()
    return transactions, written, of_tasks


def _redis_reads() -> int:
    statistics: Any = server().info("commandstats")
    return int(statistics.get("cmdstat_mget", {}).get("calls", 0))


def _tell_nobody(
    self: hot.Teller, stage: Stage, percent: int, page: int | None = None, pages: int | None = None
) -> None:
    """The limit: nobody learns how far it is."""


def _write_down(
    self: hot.Teller, stage: Stage, percent: int, page: int | None = None, pages: int | None = None
) -> None:
    """The naive way: every page is an UPDATE of the task's row."""
    ETLTask.objects.filter(pk=self.pk).update(progress=percent, metadata={"stage": stage.value, "page": page})


TELLING: dict[str, Callable[..., None]] = {
    "silent": _tell_nobody, "ours": hot.Teller.tell, "naive": _write_down
}  # fmt: skip
