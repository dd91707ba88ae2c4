"""Counters equal the rows they count on every path: forms, bulk deletes, raw SQL, cascades, side by side."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError, connection, transaction

from distillations.models import (
    Distillation,
    DistillationUsage,
    GeneratedArticle,
    GenerationSlot,
    GenerationTask,
    Topic,
)
from distilled import article, at_once, distilled, drift, execute, slot, task, topics_of, usage, used

pytestmark = pytest.mark.django_db


def counters(distillation):
    return Distillation.objects.values_list("usage_count", "reserved_count", "topic_count", "load").get(
        pk=distillation.pk
    )


def test_seven_topics_and_nine_uses_are_seven_and_nine():
    (one,) = distilled(1, topics=7)
    used(one, times=9)
    assert counters(one) == (9, 0, 7, 9)
    assert drift() == []


def test_a_use_counts_for_its_topic_too():
    (one,) = distilled(1, topics=2)
    first, second = topics_of(one)
    used(one, times=2, topic=first)
    used(one, times=1, topic=second)
    assert [topic.usage_count for topic in topics_of(one)] == [2, 1]
    assert drift() == []


def test_a_slot_counts_while_it_is_reserved_or_being_written():
    one, other = distilled(2)
    of = task(requested=5)
    slots = [
        slot(of, one, position=number, status=status, is_auto=False)
        for number, status in enumerate(("reserved", "generating", "done", "failed", "released"), 1)
    ]
    assert counters(one)[1] == 2
    GenerationSlot.objects.filter(pk=slots[0].pk).update(status="generating", token=5)
    assert counters(one)[1] == 2
    GenerationSlot.objects.filter(pk=slots[0].pk).update(status="done", token=None)
    assert counters(one)[1] == 1
    GenerationSlot.objects.filter(pk=slots[1].pk).update(distillation=other)
    assert (counters(one)[1], counters(other)[1]) == (0, 1)
    assert drift() == []


# --- Every way rows go ---------------------------------------------------------------------------

DELETES = {
    "a bulk delete of uses": lambda: DistillationUsage.objects.all().delete(),
    "a bulk delete of articles, as the admin does it": lambda: GeneratedArticle.objects.all().delete(),
    "a bulk delete of tasks, as the admin does it": lambda: GenerationTask.objects.all().delete(),
    "a bulk delete of topics, as the admin does it": lambda: Topic.objects.all().delete(),
    "a bulk delete of distillations, as the admin does it": lambda: Distillation.objects.all()[:1].get().delete(),
    "SQL on distillation_usage": lambda: execute("DELETE FROM distillation_usage WHERE id % 2 = 0"),
    "SQL on articles": lambda: execute("DELETE FROM articles WHERE id % 2 = 0"),
    "SQL on generation_tasks": lambda: execute("DELETE FROM generation_tasks WHERE id % 2 = 0"),
    "SQL on distillations": lambda: execute("DELETE FROM distillations WHERE id = (SELECT min(id) FROM distillations)"),
    "SQL on topics": lambda: execute("DELETE FROM topics WHERE id % 2 = 0"),
    "SQL on slots": lambda: execute("DELETE FROM distillations_generationslot WHERE id % 2 = 0"),
    "TRUNCATE of uses": lambda: execute("TRUNCATE distillation_usage"),
    "TRUNCATE of slots": lambda: execute("TRUNCATE distillations_generationslot"),
    "TRUNCATE of tasks and all that hangs on them": lambda: execute("TRUNCATE generation_tasks CASCADE"),
    "TRUNCATE of topics and all that hangs on them": lambda: execute("TRUNCATE topics CASCADE"),
    "TRUNCATE of everything": lambda: execute("TRUNCATE distillations CASCADE"),
    "a user who asked for the tasks": lambda: User.objects.all().delete(),
}


@pytest.fixture
def stocked(transactional_db):
    """Three distillations with uses by four tasks, two of them with reservations."""
    asker = User.objects.create_user("asker")
    sources = distilled(3, topics=3)
    for number in range(4):
        of = task("completed", requested=6, generated_count=6, requested_by=asker)
        for source in sources:
            used(source, times=2, of=of, topic=topics_of(source)[number % 3])
    for _ in range(2):
        of = task(requested=2, requested_by=asker)
        for position, source in enumerate(sources[:2], 1):
            slot(of, source, position=position, topic=topics_of(source)[0])
    GenerationTask.objects.filter(pk=of.pk).update(superseded_by=GenerationTask.objects.earliest("pk"))
    assert drift() == []
    return sources


@pytest.mark.parametrize("way", DELETES)
def test_counters_are_right_after(stocked, way):
    DELETES[way]()
    assert drift() == []


def test_articles_outlive_their_task_distillation_and_topic(stocked):
    execute("DELETE FROM generation_tasks", "DELETE FROM distillations")
    assert GeneratedArticle.objects.count() == 24
    assert set(GeneratedArticle.objects.values_list("task", "distillation", "topic")) == {(None, None, None)}
    assert {each.rpartition(" ")[0] for each in GeneratedArticle.objects.values_list("keyword", flat=True)} == {
        "keyword"
    }


# --- Every way rows come and move -----------------------------------------------------------------


def test_a_use_that_moves_is_counted_where_it_went():
    one, other = distilled(2)
    used(one, times=3)
    DistillationUsage.objects.filter(pk=DistillationUsage.objects.earliest("pk").pk).update(distillation=other)
    assert usage(one, other) == [2, 1]
    execute(f"UPDATE distillation_usage SET distillation_id = {other.pk}, topic_id = {topics_of(other)[0].pk}")
    assert usage(one, other) == [0, 3]
    assert drift() == []


def test_a_topic_that_moves_is_counted_where_it_went():
    one, other = distilled(2, topics=2)
    Topic.objects.filter(pk=topics_of(one)[0].pk).update(distillation=other)
    assert (counters(one)[2], counters(other)[2]) == (1, 3)


def test_an_insert_that_brings_counts_along_begins_at_zero():
    brought = Distillation.objects.create(keyword="k", provider="manual", usage_count=7, reserved_count=8)
    topic = Topic.objects.create(distillation=brought, question="?", usage_count=9)
    execute("INSERT INTO distillations (keyword, provider, usage_count, topic_count) VALUES ('l', 'manual', 5, 5)")
    with connection.cursor() as cursor, cursor.copy(
        "COPY distillations (keyword, provider, usage_count) FROM STDIN"
    ) as copy:  # fmt: skip
        copy.write_row(("m", "manual", 3))
    topic.refresh_from_db()
    assert topic.usage_count == 0
    assert drift() == []


def test_an_upsert_that_brings_counts_along_changes_none():
    (one,) = distilled(1)
    used(one, times=2)
    execute(
        "INSERT INTO distillations (id, keyword, provider, usage_count, reserved_count)"
        f" VALUES ({one.pk}, 'new', 'manual', 99, 99)"
        " ON CONFLICT (id) DO UPDATE SET keyword = 'new', usage_count = EXCLUDED.usage_count, reserved_count = 99"
    )
    assert Distillation.objects.get().keyword == "new"
    assert drift() == []


def test_a_stale_save_of_99_writes_its_other_fields_only():
    (one,) = distilled(1)
    used(one, times=2)
    stale = Distillation.objects.get(pk=one.pk)
    stale.keyword, stale.usage_count, stale.reserved_count, stale.topic_count = "renamed", 99, 99, 99
    stale.save()
    assert Distillation.objects.get().keyword == "renamed"
    assert drift() == []
    topic = topics_of(one)[0]
    topic.question, topic.usage_count = "changed?", 99
    topic.save()
    assert Topic.objects.get(pk=topic.pk).question == "changed?"
    assert drift() == []


def test_sql_that_writes_counters_writes_nothing():
    one, other = distilled(2)
    used(one, times=2)
    execute(
        "UPDATE distillations SET usage_count = usage_count + 5, reserved_count = 3",
        "UPDATE topics SET usage_count = 4",
    )
    assert usage(one, other) == [2, 0]
    assert drift() == []


def test_a_stale_save_that_waited_for_a_use_does_not_take_it_back(transactional_db):
    """Read before, written after: the classic lost update."""
    (one,) = distilled(1)
    stale = Distillation.objects.get(pk=one.pk)
    threads = [threading.Thread(target=lambda: (used(one), connection.close()))]
    for thread in threads:
        thread.start()
        thread.join()
    stale.save()
    assert usage(one) == [1]


# --- Drift ---------------------------------------------------------------------------------------


def make_drift(table, counter, value):
    """Only who says so may write a counter; a restore with triggers switched off does as much."""
    with transaction.atomic():
        execute("SET LOCAL pressroom.counters = 'mend'", f"UPDATE {table} SET {counter} = {value}")


def test_only_who_says_so_writes_a_counter_and_only_in_its_transaction(transactional_db):
    (one,) = distilled(1)
    make_drift("distillations", "usage_count", 5)
    assert usage(one) == [5]
    execute("UPDATE distillations SET usage_count = 6")
    assert usage(one) == [5]


@pytest.mark.parametrize(
    ("table", "counter", "deed"),
    [
        ("distillations", "usage_count", "DELETE FROM distillation_usage"),
        ("topics", "usage_count", "DELETE FROM articles"),
        ("distillations", "reserved_count", "DELETE FROM distillations_generationslot"),
        ("distillations", "topic_count", "DELETE FROM topics"),
    ],
)
def test_a_decrement_below_zero_says_that_the_counter_drifted(transactional_db, table, counter, deed):
    (one,) = distilled(1)
    used(one, times=2, topic=topics_of(one)[0])
    slot(task(), one)
    make_drift(table, counter, 0)
    with pytest.raises(IntegrityError, match=f"The counter {counter} of {table} .* has drifted: run .* repair_usage"):
        execute(deed)
    assert DistillationUsage.objects.count() == 2
    assert Topic.objects.count() == 2


# --- Side by side --------------------------------------------------------------------------------

SIDE_BY_SIDE, TASKS_EACH = 8, 50


@pytest.mark.long
def test_eight_who_delete_fifty_tasks_each_end_in_no_deadlock(transactional_db):
    """Every task uses the same distillations in another order, so unsorted locks would cross."""
    sources = distilled(6, topics=1)
    total = SIDE_BY_SIDE * TASKS_EACH
    tasks = GenerationTask.objects.bulk_create(
        GenerationTask(status="completed", requested_count=6, generated_count=6, finished_at="2026-01-01T00:00:00Z")
        for _ in range(total)
    )
    chosen = [
        (of, sources[(number + step * (1 + number % 5)) % 6]) for number, of in enumerate(tasks) for step in range(6)
    ]
    articles = GeneratedArticle.objects.bulk_create(
        GeneratedArticle(task=of, distillation=source, keyword="k", title="t", content="c", provider="rules")
        for of, source in chosen
    )
    DistillationUsage.objects.bulk_create(
        DistillationUsage(task=of, distillation=source, article=each, topic=None)
        for (of, source), each in zip(chosen, articles, strict=True)
    )
    assert sum(usage(*sources)) == total * 6

    def delete(own):
        def deed():
            for each in own:
                execute(f"DELETE FROM generation_tasks WHERE id = {each.pk}")

        return deed

    failures = at_once(*(delete(tasks[number::SIDE_BY_SIDE]) for number in range(SIDE_BY_SIDE)))
    assert failures == [None] * SIDE_BY_SIDE
    assert usage(*sources) == [0] * 6
    assert GeneratedArticle.objects.filter(task=None).count() == total * 6


def test_without_the_sorted_locks_the_same_deletes_end_in_deadlocks(transactional_db):
    """The negative control: one row at a time, in the order of the rows."""
    one, other = distilled(2, topics=1)
    first, second = (task("completed", generated_count=1) for _ in "ab")
    for of, sources in ((first, (one, other)), (second, (other, one))):
        for source in sources:
            used(source, of=of)
    halfway = threading.Barrier(2)

    def delete(uses):
        def deed():
            with transaction.atomic():
                for number, pk in enumerate(uses):
                    execute(f"DELETE FROM distillation_usage WHERE id = {pk}")
                    if number == 0:
                        halfway.wait(timeout=10)

        return deed

    uses = [
        list(DistillationUsage.objects.filter(task=of).order_by("id").values_list("id", flat=True))
        for of in (first, second)
    ]
    failures = at_once(*map(delete, uses))
    assert [type(each) for each in failures if each] == [OperationalError]
    assert drift() == []


def test_many_who_use_release_and_delete_at_once_leave_every_counter_right(transactional_db):
    sources = distilled(4, topics=2)

    def write():
        for number in range(15):
            used(sources[number % 4], of=task("completed", generated_count=1), topic=topics_of(sources[number % 4])[0])

    def reserve():
        for number in range(15):
            of = task()
            slot(of, sources[number % 4])
            GenerationTask.objects.cancel(of.pk)

    def delete():
        for _ in range(15):
            pk = DistillationUsage.objects.values_list("article", flat=True).order_by("?").first()
            if pk:
                execute(f"DELETE FROM articles WHERE id = {pk}")

    failures = at_once(write, write, reserve, reserve, delete, delete)
    assert failures == [None] * 6
    assert drift() == []


def test_locks_are_taken_in_the_order_of_ids_distillations_before_topics(transactional_db):
    """Who inserts uses in any order waits for the distillation with the least id, and holds no later one."""
    sources = distilled(3, topics=1)
    of = task("completed", requested=3, generated_count=3)
    articles = {source.pk: article(of, source) for source in sources}
    wanted = [sources[2], sources[0], sources[1]]
    waiting, goes_on = threading.Event(), []

    def insert():
        waiting.set()
        DistillationUsage.objects.bulk_create(
            DistillationUsage(distillation=each, task=of, article=articles[each.pk], topic=topics_of(each)[0])
            for each in wanted
        )
        goes_on.append(True)
        connection.close()

    with transaction.atomic():
        execute(f"SELECT 1 FROM distillations WHERE id = {sources[0].pk} FOR NO KEY UPDATE")
        thread = threading.Thread(target=insert)
        thread.start()
        waiting.wait()
        with connection.cursor() as cursor:
            for _ in range(200):
                cursor.execute("SELECT pg_sleep(0.02), count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                if cursor.fetchone()[1]:
                    break
        assert goes_on == []
        others = ", ".join(str(each.pk) for each in sources[1:])
        execute(
            f"SELECT 1 FROM distillations WHERE id IN ({others}) FOR NO KEY UPDATE NOWAIT",
            "SELECT 1 FROM topics FOR NO KEY UPDATE NOWAIT",
        )
    thread.join()
    assert goes_on == [True]
    assert drift() == []


# --- Tasks that end ------------------------------------------------------------------------------

ENDS = {
    "cancel": lambda pk: GenerationTask.objects.cancel(pk),
    "SQL": lambda pk: execute(
        f"UPDATE generation_tasks SET status = 'failed', error = 'x', finished_at = now() WHERE id = {pk}"
    ),
    "attempts used up": lambda pk: (
        GenerationTask.objects.filter(pk=pk).update(attempt=5),
        transaction.atomic(lambda: GenerationTask.objects.fail_exhausted(error="worker-lost"))(),
    ),
}


@pytest.mark.parametrize("way", ENDS)
def test_a_task_that_ends_reserves_nothing_any_more(way):
    one, other = distilled(2)
    of = task(requested=3, generated_count=0)
    done = slot(of, one, position=1, status="done")
    slot(of, one, position=2, status="generating", is_auto=False)
    slot(of, other, position=3)
    ENDS[way](of.pk)
    statuses = list(GenerationSlot.objects.order_by("position").values_list("status", "token"))
    assert statuses == [(done.status, None), ("released", None), ("released", None)]
    assert (counters(one)[1], counters(other)[1]) == (0, 0)
    assert drift() == []


def test_a_requeued_task_keeps_its_slots():
    (one,) = distilled(1)
    of = task()
    slot(of, one)
    token = GenerationTask.objects.claim(of.pk)
    GenerationTask.objects.release(of.pk, token)
    assert counters(one)[1] == 1


def test_a_task_that_fails_with_articles_made_is_partial():
    of = task(requested=5, generated_count=3)
    token = GenerationTask.objects.claim(of.pk)
    assert GenerationTask.objects.finish(of.pk, token, "failed", error="worker-lost")
    of.refresh_from_db()
    assert (of.status, of.error) == ("partial", "worker-lost")


def test_fewer_articles_than_asked_for_are_never_stored_as_completed():
    of = task(requested=5, generated_count=3)
    token = GenerationTask.objects.claim(of.pk)
    with pytest.raises(IntegrityError, match="generation_task_is_completed_with_every_article"):
        GenerationTask.objects.finish(of.pk, token, "completed")
