"""PostgreSQL and the broker are killed under product sync, on servers of the test's own."""

import pytest

from faulting import FAST, Reaper, Recoveries, Victim, how_often
from invariants import assert_all_hold
from product_runs import ROWS, batches_between, outcome, requested_elsewhere, undisturbed_outcome

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(900)]

POSTGRES_RESTARTS = how_often(short=1, ci=2, full=3)
BROKER_KILLS = how_often(short=1, ci=2, full=2)


@pytest.mark.long
def test_postgresql_stopped_at_once_and_restarted_loses_nothing_and_doubles_nothing(own_servers):
    expected = undisturbed_outcome()
    recoveries = Recoveries("PostgreSQL -m immediate and restart")
    with Reaper(), Victim("etl", **FAST) as worker:
        run = requested_elsewhere()
        run.moves_on()
        for _ in range(POSTGRES_RESTARTS):
            own_servers.restart_postgres()
            with recoveries.timed():
                run.moves_on()
            run.reaches(run.row.batches + batches_between(POSTGRES_RESTARTS) - 1)
        ended = run.ends()
        assert worker.process.poll() is None, "the worker lives on"
    recoveries.report()
    assert (ended.status, ended.read) == ("completed", ROWS)
    assert outcome() == expected
    assert_all_hold()


@pytest.mark.long
def test_a_killed_broker_loses_no_run(own_servers):
    expected = undisturbed_outcome()
    recoveries = Recoveries("kill -9 of the broker, pool's process with it")
    with Reaper(), Victim("etl", **FAST) as worker:
        run = requested_elsewhere()
        run.moves_on()
        for _ in range(BROKER_KILLS):
            own_servers.kill_valkey()
            worker.kill_child()  # so that the message is needed again
            own_servers.start_valkey()
            with recoveries.timed():
                run.moves_on()
        ended = run.ends()
    recoveries.report()
    assert (ended.status, ended.read) == ("completed", ROWS)
    assert outcome() == expected
    assert_all_hold()


@pytest.mark.long
def test_a_run_asked_for_while_the_broker_is_down_is_accepted_and_done_later(own_servers):
    expected = undisturbed_outcome()
    recoveries = Recoveries("broker back")
    own_servers.kill_valkey()
    try:
        run = requested_elsewhere()
        assert run is not None, "the wish is a row, and needs no broker"
        assert run.row.status == "pending"
        assert run.row.dispatched_at is None
    finally:
        own_servers.start_valkey()
    with recoveries.timed(), Reaper(), Victim("etl", **FAST):
        run.moves_on()
        ended = run.ends()
    recoveries.report()
    assert (ended.status, ended.read) == ("completed", ROWS)
    assert outcome() == expected
    assert_all_hold()
