"""In which order this room locks: pick, tasks, distillations, topics, and then what hangs on them; each by id.

The triggers of models/counters.py keep to it too. Who takes all locks it will need before it writes meets no
deadlock, however many do the same at once.
"""

from collections.abc import Iterable

from django.db import connection, models

from distillations.models import Distillation, DistillationUsage, GenerationSlot, GenerationTask, Topic


def lock_pick() -> None:
    """Until the end of the transaction nobody else picks distillations or takes them away."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('pick', 0))")


def lock_rows(rows: models.QuerySet, *, to_delete: bool = False) -> list[int]:
    """Lock these rows in the order of their ids; the ids of those that are still there."""
    locked = rows.order_by("pk").select_for_update(no_key=not to_delete)
    return list(locked.values_list("pk", flat=True))


def lock_counters_of_tasks(ids: Iterable[int]) -> None:
    """Lock every distillation and topic that a use or a slot of these tasks counts for."""
    uses, slots = DistillationUsage.objects.filter(task__in=ids), GenerationSlot.objects.holding().filter(task__in=ids)
    _lock_counters(uses, slots)


def lock_counters_of_articles(ids: Iterable[int]) -> None:
    """Lock every distillation and topic that a use by these articles counts for."""
    _lock_counters(DistillationUsage.objects.filter(article__in=ids), GenerationSlot.objects.none())


def lock_tasks_of_distillations(ids: Iterable[int]) -> None:
    """Lock the tasks that name these distillations, which forget them when they are deleted."""
    lock_rows(GenerationTask.objects.filter(distillation__in=ids))


def lock_source(slot: GenerationSlot) -> tuple[int | None, int | None]:
    """Lock the distillation and the topic of a slot; the ids of what is still there."""
    distillation, topic = slot.distillation_id, slot.topic_id
    distillations = lock_rows(Distillation.objects.filter(pk__in=[distillation] if distillation else []))
    topics = lock_rows(Topic.objects.filter(pk__in=[topic] if topic else []))
    return next(iter(distillations), None), next(iter(topics), None)


def _lock_counters(uses: models.QuerySet, slots: models.QuerySet) -> None:
    distillations = {*uses.values_list("distillation", flat=True), *slots.values_list("distillation", flat=True)}
    topics = set(uses.values_list("topic", flat=True))
    lock_rows(Distillation.objects.filter(pk__in=distillations - {None}))
    lock_rows(Topic.objects.filter(pk__in=topics - {None}))
