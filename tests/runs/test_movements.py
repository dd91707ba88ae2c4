"""A run moves by guarded updates: who holds the token wins, everyone else changes nothing."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from runs.errors import LeaseLost
from runs.querysets import seconds_from_now


def status_of(runs, run):
    return runs.values_list("status", flat=True).get(pk=run.pk)


def test_of_eight_workers_one_claims(runs, queued):
    run, tokens, together = queued(), [], threading.Barrier(8)

    def claim():
        together.wait()
        tokens.append(runs.claim(run.pk))
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(token is not None for token in tokens) == 1
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("running", 1)
    assert run.started_at is not None
    assert run.heartbeat_at is not None


def test_tokens_rise_and_never_repeat(runs, held):
    tokens = [held().lease_token for _ in range(3)]
    assert tokens == sorted(set(tokens))


def test_a_held_run_cannot_be_claimed_until_its_lease_runs_out(runs, held):
    assert runs.claim(held().pk) is None
    assert runs.claim(held(lease=-1).pk) is not None


def test_a_run_not_due_yet_cannot_be_claimed(runs, queued):
    assert runs.claim(queued(not_before=seconds_from_now(60)).pk) is None
    assert runs.claim(queued(not_before=seconds_from_now(-60)).pk) is not None


def test_a_run_out_of_attempts_cannot_be_claimed(runs, queued):
    assert runs.claim(queued(attempt=5).pk) is None


def test_a_late_writer_changes_nothing_after_a_takeover(runs, held):
    run = held(lease=-1)
    late, now = run.lease_token, runs.claim(run.pk)
    assert not runs.heartbeat(run.pk, late, progress=50)
    assert not runs.finish(run.pk, late, "completed")
    assert not runs.release(run.pk, late)
    with pytest.raises(LeaseLost):
        runs.advance(run.pk, late, read=7)
    run.refresh_from_db()
    assert (run.status, run.lease_token, run.progress, run.read) == ("running", now, 0, 0)


def test_progress_clears_the_attempts_and_a_heartbeat_does_not(runs, held):
    run = held()
    runs.heartbeat(run.pk, run.lease_token)
    run.refresh_from_db()
    assert run.attempt == 1
    runs.advance(run.pk, run.lease_token)
    run.refresh_from_db()
    assert run.attempt == 0


def test_finishing_frees_the_lease_and_is_final(runs, held):
    run = held()
    assert runs.finish(run.pk, run.lease_token, "completed", progress=100)
    run.refresh_from_db()
    assert (run.status, run.lease_token, run.lease_until, run.progress) == ("completed", None, None, 100)
    assert run.finished_at is not None
    assert runs.claim(run.pk) is None
    assert not runs.cancel(run.pk)


def test_a_released_run_can_be_claimed_again(runs, held):
    run = held()
    assert runs.release(run.pk, run.lease_token)
    assert status_of(runs, run) == "pending"
    assert runs.claim(run.pk) > run.lease_token


@pytest.mark.parametrize("make", ["queued", "held"])
def test_an_open_run_can_be_cancelled_once(runs, make, request):
    run = request.getfixturevalue(make)()
    assert runs.cancel(run.pk)
    assert not runs.cancel(run.pk)
    run.refresh_from_db()
    assert (run.status, run.lease_token) == ("cancelled", None)


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("status_is_known", {"status": "sleeping"}),
        ("holds_lease_iff_active", {"status": "running"}),
        ("has_finished_at_iff_final", {"status": "completed"}),
        ("failed_says_why", {"status": "failed", "finished_at": seconds_from_now(0)}),
        ("progress_is_percent", {"progress": 101}),
        ("attempt_within_cap", {"attempt": 6}),
        ("accounts_for_every_row_read", {"read": 1}),
    ],
)
def test_the_database_refuses_a_run_that_cannot_be(runs, queued, constraint, values):
    run = queued()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        runs.filter(pk=run.pk).update(**values)


def test_a_heartbeat_is_a_heap_only_update(runs, held):
    run = held()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM etl_productsyncrun")
        for _ in range(20):
            runs.heartbeat(run.pk, run.lease_token, progress=1)
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'etl_productsyncrun'")
        before = cursor.fetchone()[0]
        for _ in range(20):
            runs.heartbeat(run.pk, run.lease_token, progress=2)
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'etl_productsyncrun'")
        assert cursor.fetchone()[0] - before <= 2
