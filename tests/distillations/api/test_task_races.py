"""Many clients at once: nobody is told of an error of ours, and every counter equals its rows."""

import threading
import time

import pytest
from django.db import connection, transaction

from distillations.models import ConversionTarget, Distillation, GeneratedArticle, GenerationTask
from distilled import at_once, distilled, drift, task, topics_of, used

pytestmark = pytest.mark.django_db(transaction=True)

TASKS, ARTICLES = "/api/v1/generation/tasks", "/api/v1/articles"


@pytest.mark.long
def test_eight_clients_delete_fifty_each_and_none_is_told_of_a_server_error(operator, client_of):
    sources = distilled(10)
    tasks = [task("completed", requested=4, generated_count=4, distillation=each) for each in sources * 10]
    for number, of in enumerate(tasks):
        used(sources[(number * 7) % 10], times=2, of=of, topic=topics_of(sources[(number * 7) % 10])[0])
        used(sources[(number * 3 + 1) % 10], times=2, of=of)
    task_ids = [each.pk for each in tasks]
    article_ids = list(GeneratedArticle.objects.order_by("?").values_list("pk", flat=True))
    answers = []

    def client(number):
        api = client_of(operator)
        mine = [f"{TASKS}/{pk}" for pk in task_ids[number % 4 :: 4]]  # two clients want the same ones
        mine += [f"{ARTICLES}/{pk}" for pk in article_ids[number::8]]
        ordered = sorted(mine, key=hash) if number % 2 else sorted(mine, key=hash, reverse=True)
        return lambda: answers.extend(api.delete(url).status_code for url in ordered[:50])

    assert at_once(*[client(number) for number in range(8)]) == [None] * 8
    assert len(answers) == 8 * 50
    assert set(answers) <= {200, 404}
    assert answers.count(200) >= 8 * 50 / 2
    assert drift() == []


def test_overlapping_batches_at_once_delete_each_task_for_one_of_them(operator, client_of):
    (one,) = distilled(1)
    ids = [used(one, of=task("completed", generated_count=1))[0].task_id for _ in range(40)]
    told = []

    def client(number):
        api = client_of(operator)
        wish = {"taskIds": ids[number * 4 : number * 4 + 12][:: -1 if number % 2 else 1]}
        return lambda: told.append(api.post(f"{TASKS}/batch-delete", wish))

    assert at_once(*[client(number) for number in range(8)]) == [None] * 8
    assert {each.status_code for each in told} == {200}
    assert sorted(pk for each in told for pk in each.json()["deletedIds"]) == ids
    assert drift() == []


def test_wishes_with_one_key_at_once_make_one_task(operator, client_of):
    distilled(8)
    told = []

    def client(_number):
        api = client_of(operator)
        return lambda: told.append(api.post(TASKS, {"requestedCount": 1}, HTTP_IDEMPOTENCY_KEY="k").status_code)

    assert at_once(*[client(number) for number in range(8)]) == [None] * 8
    assert set(told) <= {202, 409}
    assert GenerationTask.objects.count() == 1


def test_wishes_at_once_take_different_distillations_and_leave_none_over(operator, client_of):
    distilled(16)
    told = []

    def client(_number):
        api = client_of(operator)
        return lambda: told.extend(api.post(TASKS, {"requestedCount": 2}).status_code for _ in "ab")

    assert at_once(*[client(number) for number in range(8)]) == [None] * 8
    assert set(told) == {202}
    assert set(Distillation.objects.values_list("reserved_count", flat=True)) == {2}


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("key", [{}, {"HTTP_IDEMPOTENCY_KEY": "k"}])
def test_a_target_that_goes_while_it_is_asked_for_is_no_error_of_ours(operator, client_of, refused, key):
    distilled(1)
    target = ConversionTarget.objects.create(company_name="Acme")
    api, told = client_of(operator), []
    wish = {"requestedCount": 1, "conversionTargetId": target.pk}

    def ask():
        told.append(api.post(TASKS, wish, **key))
        connection.close()

    with transaction.atomic():
        with connection.cursor() as cursor:  # past the service, which would wait for nobody here
            cursor.execute("DELETE FROM conversion_targets WHERE id = %s", [target.pk])
        asking = threading.Thread(target=ask)
        asking.start()
        until = time.monotonic() + 20
        while not waits_for_a_lock() and time.monotonic() < until:
            time.sleep(0.01)
    asking.join()
    problem = refused(told[0], 400, "validation-error")
    assert problem["errors"][0]["pointer"] == "#/conversionTargetId"
    assert not GenerationTask.objects.exists()
    assert drift() == []


@pytest.mark.parametrize("path", ["/retry", "/cancel", ""])
def test_a_task_deleted_under_the_hands_of_others_is_missing_and_no_error(operator, client_of, path):
    distilled(8)
    for _round in range(2):
        of = task("failed", error="all-failed")
        told = []

        def client(method, url, told=told):
            api = client_of(operator)
            return lambda: told.append(getattr(api, method)(url).status_code)

        method = "post" if path else "get"
        deeds = [client("delete", f"{TASKS}/{of.pk}"), *[client(method, f"{TASKS}/{of.pk}{path}") for _ in range(3)]]
        assert at_once(*deeds) == [None] * 4
        assert set(told) <= {200, 202, 404, 409}, told
