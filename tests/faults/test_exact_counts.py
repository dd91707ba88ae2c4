"""Everything that counts, deletes, resets and repairs side by side, for as long as it takes; and every damage named."""

import random

import pytest
from django.db import connection, transaction

from bench.clients import Clients
from bench.selection import ours
from distillations import keywords, services, usage
from distillations.models import Distillation, DistillationUsage, GeneratedArticle, GenerationTask, Topic
from distillations.services import GenerationOptions
from distilled import at_once, distilled, drift, execute, task, used
from faulting import how_often
from invariants import assert_all_hold, violations
from runs.errors import Conflict
from runs.transactions import retried

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(300)]

SECONDS = how_often(short=3, ci=10, full=60)
CLIENTS, SOURCES = 8, 60
TASKS_EACH = 50


# --- Side by side --------------------------------------------------------------------------------


def some(model, most=5):
    """The ids of a few, which others may delete meanwhile."""
    return list(model.objects.order_by("?").values_list("pk", flat=True)[: random.randint(1, most)])  # noqa: S311


def request():
    services.request_generation(GenerationOptions(2), actor="test")


def cancel():
    if of := GenerationTask.objects.open().order_by("?").first():
        services.cancel_generation(of, actor="test")


def delete_in_sql(table, model):
    """As somebody with a shell does it, past every lock of ours; two of those may well cross."""

    def deed():
        ids = ", ".join(map(str, some(model)))
        if ids:
            retried(lambda: transaction.atomic(execute)(f"DELETE FROM {table} WHERE id IN ({ids})"))

    return deed


def save_a_stale_form():
    if stale := Distillation.objects.order_by("?").first():
        stale.usage_count = stale.reserved_count = stale.topic_count = 99
        retried(lambda: save_if_there(stale))


@transaction.atomic
def save_if_there(stale):
    """Locked first: others delete it between a look and a save."""
    if Distillation.objects.select_for_update().filter(pk=stale.pk).first():
        stale.save(force_update=True)


def replace():
    keywords.delete_distillations(some(Distillation, most=1), actor="test")
    keywords.distil_by_hand("another", ["one?", "two?"], actor="test")


def reset():
    if one := Distillation.objects.order_by("?").first():
        usage.reset_usage(one, actor="test")


OFTEN = [ours.pick_and_use] * 6 + [request] * 2 + [cancel] * 2
DEEDS = [
    *OFTEN,
    lambda: services.delete_tasks(some(GenerationTask), actor="test"),
    lambda: services.delete_articles(some(GeneratedArticle), actor="test"),
    lambda: keywords.delete_topics(some(Topic, most=1), actor="test"),
    delete_in_sql("generation_tasks", GenerationTask),
    delete_in_sql("articles", GeneratedArticle),
    delete_in_sql("distillation_usage", DistillationUsage),
    save_a_stale_form,
    replace,
    reset,
    lambda: usage.reset_all_usage(actor="test"),
    lambda: usage.repair_usage(actor="test"),
]


def anything():
    """One deed; refused is as good as done, an error of the database is neither."""
    try:
        random.choice(DEEDS)()  # noqa: S311
    except (Conflict, Distillation.DoesNotExist, GenerationTask.DoesNotExist):
        return


def test_whatever_eight_clients_do_at_once_every_counter_equals_its_rows():
    distilled(SOURCES, topics=3)
    with Clients(anything, CLIENTS) as clients:
        done = clients.done(seconds=SECONDS)
    print(f"{done} deeds in {SECONDS} s by {CLIENTS} clients, {DistillationUsage.objects.count()} uses are left")
    assert done
    assert drift() == []
    assert usage.repair_usage(actor="test").drifts == []


@pytest.mark.parametrize("at_a_time", [1, 10])
@pytest.mark.long
def test_eight_who_delete_fifty_tasks_each_through_the_service_see_no_deadlock(at_a_time):
    """Every task uses the same distillations in an order of its own."""
    sources = distilled(6, topics=1)
    of = [task("completed", requested=6, generated_count=6) for _ in range(CLIENTS * TASKS_EACH)]
    for number, each in enumerate(of):
        for step in range(3):
            used(sources[(number + step * (1 + number % 5)) % 6], of=each)
    before = deadlocks()

    def delete(own):
        return lambda: [
            services.delete_tasks([each.pk for each in own[at : at + at_a_time]], actor="test")
            for at in range(0, len(own), at_a_time)
        ]

    failures = at_once(*(delete(of[number::CLIENTS]) for number in range(CLIENTS)))
    assert failures == [None] * CLIENTS
    assert deadlocks() == before, "not even one that was retried"
    assert set(Distillation.objects.values_list("usage_count", flat=True)) == {0}
    assert GeneratedArticle.objects.filter(task=None).count() == 3 * CLIENTS * TASKS_EACH
    assert drift() == []


def deadlocks():
    """Deadlocks that this database has seen."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


# --- The pack itself -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE distillations SET usage_count = usage_count + 1", "distillation_counters"),
        ("UPDATE distillations SET reserved_count = 1", "distillation_counters"),
        ("UPDATE topics SET usage_count = 7", "distillation_counters"),
        ("UPDATE generation_tasks SET generated_count = 1, requested_count = 1", "tasks_have_the_articles"),
        ("DELETE FROM distillation_usage WHERE id = (SELECT min(id) FROM distillation_usage)", "tasks_have"),
        ("UPDATE distillations_generationslot SET article_id = NULL, status = 'done'", "every_article_is"),
        ("UPDATE articles SET distillation_id = (SELECT max(id) FROM distillations)", "every_article_is"),
        ("UPDATE distillations_generationslot SET status = 'reserved'", "tasks_have_the_articles"),
        (
            "INSERT INTO distillations_distillationrun (status, progress, attempt, max_attempts, error, error_text,"
            " keyword, topic_count, started_at, finished_at)"
            " VALUES ('completed', 100, 0, 5, '', '', 'k', 5, now(), now())",
            "a_keyword_is_stored",
        ),
    ],
)
def test_every_damage_is_named(damage, named):
    distilled(3)
    ours.pick_and_use()
    assert_all_hold()
    with transaction.atomic():
        # as if the triggers had not been there
        execute("SET LOCAL session_replication_role = replica", damage)
        found = violations()
        transaction.set_rollback(True)
    assert any(each.startswith(named) for each in found), found
