"""Distillations as tests make them, and whether every counter equals the rows it counts."""

import threading

from django.db import connection, transaction

from distillations.models import (
    Distillation,
    DistillationUsage,
    GeneratedArticle,
    GenerationSlot,
    GenerationTask,
    Topic,
)

COUNTERS = {
    "usage_count": "SELECT id, usage_count, (SELECT count(*) FROM distillation_usage WHERE distillation_id = d.id)"
    " FROM distillations d",
    "reserved_count": "SELECT id, reserved_count, (SELECT count(*) FROM distillations_generationslot"
    " WHERE distillation_id = d.id AND status IN ('reserved', 'generating')) FROM distillations d",
    "topic_count": "SELECT id, topic_count, (SELECT count(*) FROM topics WHERE distillation_id = d.id)"
    " FROM distillations d",
    "usage_count of topics": "SELECT id, usage_count, (SELECT count(*) FROM distillation_usage WHERE topic_id = t.id)"
    " FROM topics t",
}  # fmt: skip


def drift():
    """Every counter that differs from its rows, as sentences; counted here and not by the product."""
    with connection.cursor() as cursor:
        found = []
        for counter, query in COUNTERS.items():
            cursor.execute(f"SELECT * FROM ({query}) counted (id, stored, actual) WHERE stored <> actual ORDER BY id")
            found += [f"{counter} of {pk} is {stored}, its rows are {actual}" for pk, stored, actual in cursor]
    return found


def execute(*statements):
    """Raw SQL, each statement on its own."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def damage(*statements):
    """As if somebody had switched the triggers off."""
    with transaction.atomic():
        execute("SET LOCAL session_replication_role = replica", *statements)


def distilled(count=1, *, topics=2, provider="manual", keyword="keyword"):
    """So many distillations with so many topics each, in the order of their ages."""
    made = Distillation.objects.bulk_create(
        Distillation(keyword=f"{keyword} {number}", provider=provider) for number in range(1, count + 1)
    )
    Topic.objects.bulk_create(
        Topic(distillation=each, question=f"{each.keyword}: question {number}?")
        for each in made
        for number in range(1, topics + 1)
    )
    return list(Distillation.objects.filter(pk__in=[each.pk for each in made]).order_by("pk"))


def topics_of(distillation):
    """Its topics in the order of their ids."""
    return list(Topic.objects.filter(distillation=distillation).order_by("id"))


def task(status="pending", requested=1, **values):
    """A task straight into its table; final ones have an end."""
    ended = {} if status in ("pending", "running") else {"finished_at": "2026-01-01T00:00:00Z"}
    return GenerationTask.objects.create(status=status, requested_count=requested, **ended, **values)


def slot(of, distillation, *, position=1, status="reserved", topic=None, **values):
    """A slot straight into its table."""
    return GenerationSlot.objects.create(
        task=of, distillation=distillation, position=position, status=status, topic=topic,
        token=1 if status == "generating" else None, **values,
    )  # fmt: skip


def article(of=None, distillation=None, topic=None, **values):
    """An article straight into its table, without a use."""
    values = {"keyword": distillation.keyword if distillation else "", "title": "Title", "content": "Text"} | values
    return GeneratedArticle.objects.create(task=of, distillation=distillation, topic=topic, provider="rules", **values)


def used(distillation, *, times=1, of=None, topic=None):
    """So many uses of a distillation, each with its article, in one task."""
    of = of or task("completed", requested=times, generated_count=times)
    articles = [article(of, distillation, topic) for _ in range(times)]
    DistillationUsage.objects.bulk_create(
        DistillationUsage(distillation=distillation, task=of, article=each, topic=topic) for each in articles
    )
    return articles


def usage(*distillations):
    """The stored usage counts, read anew."""
    stored = dict(Distillation.objects.values_list("pk", "usage_count"))
    return [stored[each.pk] for each in distillations]


def at_once(*deeds):
    """Run these functions side by side, each on a connection of its own; what each raised or None."""
    together, failures = threading.Barrier(len(deeds)), [None] * len(deeds)

    def work(number, deed):
        try:
            together.wait()
            deed()
        except Exception as error:
            failures[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=each) for each in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures
