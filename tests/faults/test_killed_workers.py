"""Workers of product sync are killed, frozen and told the wrong time; nothing is lost, nothing written twice."""

import random

import pytest
from django.core.cache import cache

from bench.scenarios import ProductSource
from config.celery import app
from etl.models import Product, ProductSyncRun, StagingProduct
from faulting import FAST, WRONG_CLOCK, Recoveries, Victim, flush_broker, how_often
from invariants import assert_all_hold
from processes import wait_until
from product_runs import ROWS, batches_between, outcome, requested, requested_elsewhere

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(900)]

KILLS = how_often(short=2, ci=5, full=20)
FREEZES = how_often(short=1, ci=3, full=20)
TIMES_AT_EACH_PLACE = how_often(short=1, ci=2, full=4)  # at the fifth death without progress a run has failed


def assert_done_as_if_undisturbed(run, expected):
    """The run read every row, left what an undisturbed one leaves, and all invariants hold."""
    assert (run.status, run.error_text) == ("completed", "")
    assert run.read == ROWS
    assert outcome() == expected
    assert_all_hold()


def test_killing_the_worker_again_and_again_changes_nothing_in_the_end(undisturbed, reaper):
    run = requested()
    recoveries = Recoveries("kill -9 of the worker")
    with Victim("etl", **FAST) as worker:
        run.moves_on()
        for _ in range(KILLS):
            worker.start_again()
            with recoveries.timed():
                run.moves_on()
            run.reaches(run.row.batches + batches_between(KILLS) - 1)
        ended = run.ends()
    recoveries.report()
    assert_done_as_if_undisturbed(ended, undisturbed)


@pytest.mark.long
def test_killing_the_process_of_the_pool_again_and_again_changes_nothing_in_the_end(undisturbed, reaper):
    run = requested()
    recoveries = Recoveries("kill -9 of the pool's process")
    with Victim("etl", **FAST) as worker:
        run.moves_on()
        for _ in range(KILLS):
            worker.kill_child()
            with recoveries.timed():
                run.moves_on()
            run.reaches(run.row.batches + batches_between(KILLS) - 1)
        ended = run.ends()
        assert worker.process.poll() is None, "the worker itself lives on"
    recoveries.report()
    assert_done_as_if_undisturbed(ended, undisturbed)


@pytest.mark.long
def test_workers_frozen_beyond_their_lease_write_nothing_when_they_wake(undisturbed, reaper):
    run = requested()
    recoveries = Recoveries("SIGSTOP beyond the lease")
    with Victim("etl", **FAST) as one, Victim("etl", **FAST) as other:
        run.moves_on()
        for _ in range(FREEZES):
            # the one that works, or the one that waits: either must do no harm
            for frozen in random.sample([one, other], 2):
                frozen.freeze()
                with recoveries.timed():
                    run.moves_on()
                frozen.thaw()
        ended = run.ends()
        assert_done_as_if_undisturbed(ended, undisturbed)
    recoveries.report()


@pytest.mark.parametrize("place", ["claim.before", "claim.after", "batch.before", "commit.before", "commit.after"])
@pytest.mark.long
def test_a_kill_at_a_marked_place_changes_nothing_in_the_end(undisturbed, reaper, place):
    run = requested()
    with Victim("etl", FAILPOINT=f"{place}:1", **FAST) as worker:
        for time in range(1, TIMES_AT_EACH_PLACE + 1):
            struck(worker)
            # a claim happens once per start, a batch again and again
            later = 1 if place.startswith("claim") else 1 + time
            again = {"FAILPOINT": f"{place}:{later}"} if time < TIMES_AT_EACH_PLACE else {}
            worker.start_again(**again)
        ended = run.ends()
    assert_done_as_if_undisturbed(ended, undisturbed)


def struck(worker):
    """Wait until the failpoint has ended the process that the pool began with."""
    wait_until(lambda: worker.children, what="the pool")
    child = worker.children[0]
    wait_until(lambda: worker.has_been_struck(child), timeout=60, what="the failpoint")


@pytest.mark.parametrize("place", ["publish.before", "publish.after"])
@pytest.mark.long
def test_a_client_killed_around_its_message_leaves_a_run_that_is_done(undisturbed, reaper, place):
    assert requested_elsewhere(FAILPOINT=f"{place}:1") is None
    run = ProductSyncRun.objects.get()
    assert run.dispatched_at is None, "it died before it could note the message"
    with Victim("etl", **FAST):
        wait_until(lambda: not ProductSyncRun.objects.open().exists(), timeout=120, what="the end")
    run.refresh_from_db()
    assert_done_as_if_undisturbed(run, undisturbed)


def test_a_worker_frozen_before_it_writes_finds_its_lease_gone(undisturbed, reaper):
    """The fence at work: it had decided what to write before it froze, and others have written it since."""
    run = requested()
    with Victim("etl", FAILPOINT="batch.before:3:STOP", **FAST) as frozen:
        struck(frozen)
        with Victim("etl", **FAST) as other:
            run.ends()
            other.kill()
            frozen.thaw()
            # with one process it takes another task only when it has given up the first
            assert requested().ends().status == "completed"
    run_ended = run.row
    assert (run_ended.status, run_ended.read) == ("completed", ROWS)
    assert outcome() == undisturbed
    assert_all_hold()


@pytest.mark.long
def test_every_message_three_times_and_in_disorder_is_worked_on_once(undisturbed, reaper):
    with Victim("etl", **FAST), Victim("etl", **FAST), Victim("etl", **FAST):
        run = requested()
        messages = [(run.row.TASK, [run.pk])] * 2 + [(run.row.TASK, [run.pk + 1_000_000])] * 2
        for task, arguments in random.sample(messages, len(messages)):
            app.send_task(task, arguments, queue="etl")
        ended = run.ends()
    assert ProductSyncRun.objects.count() == 1
    assert_done_as_if_undisturbed(ended, undisturbed)


@pytest.mark.long
def test_a_flushed_broker_loses_no_run(undisturbed, reaper):
    run = requested()
    flush_broker()
    with Victim("etl", **FAST):
        run.reaches(3)
        cache.clear()
        flush_broker()
        ended = run.ends()
    assert_done_as_if_undisturbed(ended, undisturbed)


@pytest.mark.parametrize("shift", [3600, -3600])
@pytest.mark.long
def test_a_worker_whose_clock_is_an_hour_wrong_neither_loses_nor_steals(undisturbed, reaper, shift):
    run = requested()
    with Victim("etl", CLOCK_SHIFT=str(shift), **WRONG_CLOCK, **FAST) as wrong:
        run.reaches(3)
        token = run.row.lease_token
        with Victim("etl", **FAST):
            app.send_task(run.row.TASK, [run.pk], queue="etl")
            run.reaches(run.row.batches + 3)
            assert run.row.lease_token in (token, None), "nobody took the run from a worker that lives"
            wrong.kill()
            ended = run.ends()
    assert_done_as_if_undisturbed(ended, undisturbed)


@pytest.mark.long
def test_a_poisonous_run_stops_at_its_cap_and_its_neighbour_is_done(reaper, transactional_db):
    ProductSource(500).stage()
    run = requested()
    ProductSyncRun.objects.update(max_attempts=2)
    with Victim("etl", FAILPOINT="commit.before:1", **FAST) as worker:
        ended = run.ends()
        assert (ended.status, ended.error) == ("failed", "worker-lost")
        assert ended.attempt == 2
        assert not Product.objects.exists()
        assert StagingProduct.objects.count() == 500
        worker.start_again()
        neighbour = requested().ends()
    assert (neighbour.status, neighbour.read) == ("completed", 500)
    assert_all_hold()
