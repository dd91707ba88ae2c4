"""The reaper finds what nobody looks after."""

import time

import pytest
from django.db import connection, transaction
from django.test import override_settings

from config.celery import app
from processes import python, start_python, wait_until
from runs import reaper, services
from runs.querysets import ClockTimestamp, seconds_from_now


@pytest.fixture
def messages():
    """How many messages wait in the etl queue; the queue is empty before and after."""

    def count():
        with app.connection_for_read() as broker:
            return broker.default_channel.client.llen("etl")

    def empty():
        with app.connection_for_read() as broker:
            broker.default_channel.client.delete("etl")

    empty()
    yield count
    empty()


def test_a_run_of_a_dead_worker_is_queued_again_and_rung_for(runs, held, messages):
    run = held(lease=-1)
    assert reaper.reap() == {"failed": 0, "requeued": 1, "rung": 1}
    run.refresh_from_db()
    assert (run.status, run.lease_token) == ("pending", None)
    assert messages() == 1


def test_a_living_worker_is_left_alone(held, messages):
    held()
    assert reaper.reap() == {"failed": 0, "requeued": 0, "rung": 0}


def test_a_run_that_dies_without_progress_stops_at_the_cap(runs, queued, messages):
    run = queued(max_attempts=3)
    for _ in range(3):
        assert runs.claim(run.pk)
        runs.filter(pk=run.pk).update(lease_until=seconds_from_now(-1))
        reaper.reap()
    run.refresh_from_db()
    assert (run.status, run.error, run.attempt) == ("failed", "worker-lost", 3)


def test_a_run_that_progresses_before_each_death_never_stops(runs, queued, messages):
    run = queued(max_attempts=2)
    for _ in range(6):
        runs.advance(run.pk, runs.claim(run.pk))
        runs.filter(pk=run.pk).update(lease_until=seconds_from_now(-1))
        reaper.reap()
    run.refresh_from_db()
    assert run.status == "pending"


def test_a_queued_run_at_its_cap_does_not_wait_for_ever(runs, queued, messages):
    run = queued(attempt=5)
    assert reaper.reap()["failed"] == 1
    run.refresh_from_db()
    assert run.error == "worker-lost"


def test_a_forgotten_run_is_rung_for_once_and_not_every_round(queued, messages):
    queued()
    assert [reaper.reap()["rung"] for _ in range(3)] == [1, 0, 0]
    assert messages() == 1


def test_a_message_long_unanswered_is_sent_again(runs, queued, messages):
    queued(dispatched_at=seconds_from_now(-3600))
    assert reaper.reap()["rung"] == 1


def test_a_run_not_due_yet_is_not_rung_for(queued, messages):
    queued(not_before=seconds_from_now(60))
    assert reaper.reap()["rung"] == 0


def test_a_row_that_someone_holds_locked_is_skipped(runs, held, messages):
    import threading

    run, counts = held(lease=-1), []

    def reap():
        counts.append(reaper.reap())
        connection.close()

    with transaction.atomic():
        runs.select_for_update().get(pk=run.pk)
        thread = threading.Thread(target=reap)
        thread.start()
        thread.join(timeout=5)
        assert counts == [{"failed": 0, "requeued": 0, "rung": 0}]


FROZEN_IN_A_COPY = """
import time
from django.db import connection, transaction
from django.test import override_settings
from etl.models import ProductSyncRun
run = ProductSyncRun.objects.get()
token = ProductSyncRun.objects.claim(run.pk)
with transaction.atomic(), connection.cursor() as cursor:
    ProductSyncRun.objects.advance(run.pk, token)
    cursor.execute("CREATE TEMPORARY TABLE incoming (line text)")
    with cursor.copy("COPY incoming FROM STDIN") as copy:
        print("copying", flush=True)
        time.sleep(600)
"""


def test_the_session_of_a_worker_frozen_in_the_middle_of_a_copy_is_ended(runs, queued, messages):
    """No timeout of PostgreSQL ends such a session: it is neither idle nor heeds a cancel."""
    run = queued()
    frozen = start_python(FROZEN_IN_A_COPY, RUN_LEASE_SECONDS="1")
    try:
        assert frozen.stdout.readline() == "copying\n"

        def taken_back():
            reaper.reap()
            run.refresh_from_db()
            return run.status == "pending"

        with override_settings(RUN_LEASE_SECONDS=1):
            wait_until(taken_back, what="the run to be taken back")
    finally:
        frozen.kill()
        frozen.communicate()


@pytest.mark.long
def test_a_session_that_works_longer_than_the_lease_is_left_alone(runs, held, messages):
    """Only one that waits for its client can be frozen; a long statement is slow, not dead."""
    run = held(lease=-1)
    slow = start_python(
        f"""
from django.db import connection, transaction
from django.test import override_settings
from etl.models import ProductSyncRun
with transaction.atomic(), connection.cursor() as cursor:
    ProductSyncRun.objects.select_for_update().get(pk={run.pk})
    ProductSyncRun.objects.filter(pk={run.pk}).update(phase="pages")
    print("working", flush=True)
    cursor.execute("SELECT pg_sleep(1.5)")
print("done", flush=True)
""",
        RUN_LEASE_SECONDS="600",
    )
    assert slow.stdout.readline() == "working\n"
    with override_settings(RUN_LEASE_SECONDS=0.5):
        while slow.poll() is None:
            reaper.reap()
            time.sleep(0.05)
    assert slow.communicate()[0] == "done\n"


def test_ringing_waits_for_the_commit(queued, messages):
    with transaction.atomic():
        run = queued()
        services.ring(run)
        assert messages() == 0
    assert messages() == 1
    run.refresh_from_db()
    assert run.dispatched_at is not None


def test_a_broker_that_is_down_costs_nothing_but_time(runs, messages):
    request = """
import time
from etl.products.services import SyncOptions, request_sync
began = time.monotonic()
run = request_sync(SyncOptions(), actor="test")
run.refresh_from_db()
print(run.status, run.dispatched_at, time.monotonic() - began < 2)
"""
    asked = python(request, REDIS_URL="redis://127.0.0.1:1/0")
    assert (asked.stdout, asked.returncode) == ("pending None True\n", 0)
    assert reaper.reap()["rung"] == 1
    assert messages() == 1


def test_a_ring_noted_beforehand_costs_no_write(queued, messages, django_assert_num_queries):
    run = queued(dispatched_at=ClockTimestamp())
    with django_assert_num_queries(0):
        services.ring(run, noted=True)
    assert messages() == 1


def test_a_ring_noted_beforehand_that_nobody_heard_is_repeated(queued, messages):
    """Its process died before it could send, or the broker lost the message."""
    run = queued(dispatched_at=seconds_from_now(-3600))
    assert (reaper.reap()["rung"], messages()) == (1, 1)
    run.refresh_from_db()
    assert run.attempt == 0


def test_a_ring_noted_beforehand_is_taken_back_when_the_broker_is_down(runs, queued, messages, monkeypatch):
    def down(*_arguments, **_options):
        raise OSError("connection refused")

    run = queued(dispatched_at=ClockTimestamp())
    with monkeypatch.context() as broken:
        broken.setattr(services.celery, "send_task", down)
        services.ring(run, noted=True)
    run.refresh_from_db()
    assert run.dispatched_at is None
    assert (reaper.reap()["rung"], messages()) == (1, 1)


def test_a_ring_that_failed_late_leaves_a_run_alone_that_works_already(runs, held):
    run = held()
    runs.ring_failed(run.pk)
    run.refresh_from_db()
    assert run.dispatched_at is not None


def test_the_default_lease_and_round_keep_the_promised_recovery_time():
    from config import settings

    assert settings.RUN_LEASE_SECONDS + settings.REAPER_SECONDS <= 90 + 15


def test_taking_over_ends_only_the_expired(runs, held):
    dead, alive = held(lease=-1), held()
    assert services.take_over_expired(runs.all()) == 1
    assert set(runs.values_list("pk", "status")) == {(dead.pk, "failed"), (alive.pk, "running")}


def test_cancelling_is_audited_once_and_refused_when_it_is_too_late(runs, queued):
    from access.models import AuditEvent
    from runs.errors import Conflict

    run = queued(dispatched_at=ClockTimestamp())
    services.cancel(run, actor="test")
    with pytest.raises(Conflict):
        services.cancel(run, actor="test")
    assert AuditEvent.objects.filter(action="productsyncrun.cancelled", object_id=str(run.pk)).count() == 1
