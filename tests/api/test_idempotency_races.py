"""The same key at the same moment, crashes and lost connections: still one run, or none."""

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection, connections

from api.models import IdempotencyKey
from etl.models import ProductSyncRun
from processes import ROOT, environment, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

RUNS = "/api/v1/etl/product-runs"
DRY = {"dryRun": True}  # dry runs do not exclude each other, so nothing but the key prevents a second


@pytest.fixture
def credentials(operator, client_of):
    """The operator's Authorization header, for other threads and processes."""
    return client_of(operator)._credentials["HTTP_AUTHORIZATION"]


@pytest.fixture
def post(credentials, client_of):
    """post(key, …): a request on a connection of the calling thread's own."""

    def send(key, body=DRY):
        client = client_of(None)
        try:
            return client.post(RUNS, body, HTTP_AUTHORIZATION=credentials, HTTP_IDEMPOTENCY_KEY=key)
        finally:
            if threading.current_thread() is not threading.main_thread():
                connections.close_all()

    return send


def in_background(work):
    """Start `work` in a thread; call the result to wait for what it returned."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()

    def result():
        thread.join()
        return found[0]

    return result


@contextmanager
def another_session():
    """A connection to the test database beside Django's."""
    place = connection.settings_dict
    with psycopg.connect(
        host=place["HOST"], port=place["PORT"] or None, user=place["USER"], password=place["PASSWORD"] or None,
        dbname=place["NAME"], autocommit=True,
    ) as session:  # fmt: skip
        yield session


@contextmanager
def nobody_writes(table):
    """Readers pass, writers of the table wait until the block ends."""
    with another_session() as session, session.transaction():
        session.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield


def waiting_for(table):
    """The backend that waits for a lock on the table, if one does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_locks WHERE relation = %s::regclass AND NOT granted", [table])
        row = cursor.fetchone()
    return row and row[0]


RUN_TABLE, KEY_TABLE = ProductSyncRun._meta.db_table, IdempotencyKey._meta.db_table


def bells(run_id):
    """How many messages about this run lie in the queue."""
    queue = redis.Redis.from_url(settings.REDIS_URL)
    try:
        return sum(f"[{run_id}]" in str(message) or _names(message, run_id) for message in queue.lrange("etl", 0, -1))
    finally:
        queue.close()


def _names(message, run_id):
    import base64
    import json

    return json.loads(base64.b64decode(json.loads(message)["body"]))[0] == [run_id]


def test_many_at_once_make_one_run(post):
    key, together = uuid4().hex, threading.Barrier(8)

    def one():
        together.wait()
        return post(key)

    answers = [result() for result in [in_background(one) for _ in range(8)]]
    done = [answer for answer in answers if answer.status_code == 202]
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert ProductSyncRun.objects.count() == 1
    assert len({answer.content for answer in done}) == 1
    assert sum("Idempotent-Replayed" not in answer for answer in done) == 1
    assert bells(ProductSyncRun.objects.get().pk) == 1


def test_a_key_in_flight_is_a_conflict_that_says_when_to_ask_again(post):
    key = uuid4().hex
    with nobody_writes(RUN_TABLE):
        first = in_background(lambda: post(key))
        wait_until(lambda: waiting_for(RUN_TABLE), what="the first request in its service")
        second = post(key)
        assert (second.status_code, second.json()["type"]) == (409, "/problems/idempotency-in-flight")
        assert second["Retry-After"] == "1"
    assert first().status_code == 202
    assert post(key).content == first().content
    assert ProductSyncRun.objects.count() == 1


def test_another_key_does_not_wait(post):
    with nobody_writes(RUN_TABLE):
        first = in_background(lambda: post("one"))
        wait_until(lambda: waiting_for(RUN_TABLE))
        second = in_background(lambda: post("two"))
    assert {first().status_code, second().status_code} == {202}
    assert ProductSyncRun.objects.count() == 2


def test_a_crash_between_the_work_and_its_commit_leaves_nothing(post, credentials):
    code = (
        "import django; django.setup()\nfrom rest_framework.test import APIClient\n"
        f"APIClient().post({RUNS!r}, {DRY!r}, format='json', HTTP_IDEMPOTENCY_KEY='crash', HTTP_HOST='localhost',"
        f" HTTP_AUTHORIZATION={credentials!r})"
    )
    with nobody_writes(KEY_TABLE):
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment(DJANGO_SETTINGS_MODULE="config.settings"),
        )  # fmt: skip
        wait_until(lambda: waiting_for(KEY_TABLE), what="the request after its work")
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: not _others_in_transaction(), what="the end of the dead one's session")
    assert not ProductSyncRun.objects.exists()
    assert not IdempotencyKey.objects.exists()
    again = post("crash")
    assert (again.status_code, "Idempotent-Replayed" in again) == (202, False)


def _others_in_transaction():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


def test_a_transaction_that_is_lost_after_the_work_is_repeated_without_doubling(post):
    with nobody_writes(KEY_TABLE):
        answer = in_background(lambda: post("lost"))
        first = wait_until(lambda: waiting_for(KEY_TABLE), what="the request after its work")
        with another_session() as session:
            session.execute("SELECT pg_terminate_backend(%s)", [first])
        wait_until(lambda: waiting_for(KEY_TABLE) not in (None, first), what="the second attempt")
    assert answer().status_code == 202
    run = ProductSyncRun.objects.get()
    assert answer().json()["id"] == run.pk
    assert bells(run.pk) == 1
    assert post("lost")["Idempotent-Replayed"] == "true"
    assert bells(run.pk) == 1
    assert ProductSyncRun.objects.count() == 1


def test_a_second_wish_that_the_service_refuses_is_not_remembered(post):
    first = post("first", {})
    assert first.status_code == 202
    refused = post("second", {})
    assert (refused.status_code, refused.json()["runId"]) == (409, first.json()["id"])
    ProductSyncRun.objects.cancel(first.json()["id"])
    assert post("second", {}).status_code == 202
