"""Rebuilds uses from articles that came from elsewhere: rows and not only counters, so that a repair keeps them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.db import connection

from access.services import record
from distillations.choices import TaskStatus
from distillations.deeds import in_transaction
from distillations.locks import lock_rows
from distillations.models import Distillation, GeneratedArticle, GenerationTask, Topic
from llm.choices import GeneratorKind
from runs.querysets import ClockTimestamp

ARTICLES_AT_ONCE = 1_000
IMPORTED = "imported articles"
MIGRATION = "0002_usage_tracking"

TRACKED_SINCE = "SELECT min(applied) FROM django_migrations WHERE app = 'distillations' AND name = %s"
# what a batch of articles is, each with the reason why it counts or does not
CANDIDATES = f"""
    SELECT a.id, a.distillation_id, a.topic_id, a.task_id, a.created_at,
           CASE WHEN u.id IS NOT NULL THEN 'already'
                WHEN a.distillation_id IS NULL THEN 'without_distillation'
                WHEN a.generator_kind <> '{GeneratorKind.IMPORTED}' AND a.created_at >= %(tracked_since)s THEN 'own'
                WHEN a.created_at <= d.usage_reset_at THEN 'before_reset'
                ELSE 'created' END AS outcome
      FROM articles a
      LEFT JOIN distillation_usage u ON u.article_id = a.id
      LEFT JOIN distillations d ON d.id = a.distillation_id
     WHERE a.id = ANY (%(ids)s)
"""


@dataclass(frozen=True)
class Backfill:
    """What became of the articles."""

    created: int = 0
    already: int = 0  # had a use
    own: int = 0  # written here while uses were recorded: one that is missing was taken away on purpose
    before_reset: int = 0  # older than the last reset of their distillation
    without_distillation: int = 0  # it was deleted, or never named


def backfill_usage(*, actor: Any) -> Backfill:
    """Record the uses that articles stand for and nobody recorded, a thousand articles in a transaction.

    An article without a task hangs on one completed task for all imported articles. May be stopped and repeated: what
    is recorded already is left alone.
    """
    outcome, after = Backfill(), 0
    while ids := list(
        GeneratedArticle.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:ARTICLES_AT_ONCE]
    ):
        batch = in_transaction(lambda ids=ids: _batch(ids, actor=actor))  # type: ignore[misc]
        outcome = replace(outcome, **{name: getattr(outcome, name) + count for name, count in batch.items()})
        after = ids[-1]
    return outcome


def _batch(ids: list[int], *, actor: Any) -> dict[str, int]:
    rows = _candidates(ids)
    chosen = [row for row in rows if row["outcome"] == "created"]
    if chosen:
        taskless = [row["id"] for row in chosen if row["task_id"] is None]
        imported = _imported_task() if taskless else None
        lock_rows(Distillation.objects.filter(pk__in={row["distillation_id"] for row in chosen}))
        lock_rows(Topic.objects.filter(pk__in={row["topic_id"] for row in chosen} - {None}))
        rows = _candidates(ids)  # as they are behind the locks
        _record(rows, imported)
        if imported is not None:
            GeneratedArticle.objects.filter(pk__in=taskless, task=None).update(task=imported)
            number = GeneratedArticle.objects.filter(task=imported).count()
            GenerationTask.objects.filter(pk=imported.pk).update(requested_count=number, generated_count=number)
    counts = {"created": 0}
    for row in rows:
        counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
    if counts["created"]:
        record(actor=actor, action="usage.backfilled", after={"articles": [ids[0], ids[-1]], **counts})
    return counts


def _candidates(ids: list[int]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(applied) FROM django_migrations WHERE app = 'distillations' AND name = %s", [MIGRATION]
        )
        tracked_since = cursor.fetchone()[0] or "-infinity"
        cursor.execute(CANDIDATES, {"ids": ids, "tracked_since": tracked_since})
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _record(rows: list[dict[str, Any]], imported: GenerationTask | None) -> None:
    chosen = [row for row in rows if row["outcome"] == "created"]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO distillation_usage (distillation_id, task_id, article_id, topic_id, used_at)
            SELECT a.distillation_id, coalesce(a.task_id, %s), a.id, a.topic_id, a.created_at
              FROM articles a WHERE a.id = ANY (%s) ORDER BY a.id
            """,
            [imported.pk if imported else None, [row["id"] for row in chosen]],
        )


def _imported_task() -> GenerationTask:
    """The one task that imported articles hang on, locked."""
    GenerationTask.objects.bulk_create(
        [
            GenerationTask(
                is_imported=True,
                status=TaskStatus.COMPLETED,
                progress=100,
                requested_count=0,
                keyword=IMPORTED,
                finished_at=ClockTimestamp(),
            )
        ],
        ignore_conflicts=True,
    )
    return GenerationTask.objects.select_for_update(no_key=True).get(is_imported=True)
