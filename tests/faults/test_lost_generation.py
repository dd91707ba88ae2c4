"""Workers of generation that wait for a model are killed, frozen, poisoned and told the wrong time, at any moment."""

import random
import time

import pytest
from django.db.models import Count

from config.celery import app
from distillations import services
from distillations.models import Distillation, GeneratedArticle, GenerationSlot, GenerationTask
from distilled import distilled, usage
from faulting import FAST, SABOTAGED, WRONG_CLOCK, Reaper, Recoveries, Victim, eventually, flush_broker, how_often
from generation_runs import ARTICLES, Watched, requested, requested_elsewhere, stocked, struck
from invariants import assert_all_hold, violations
from llm.models import LLMCall
from model_server import ModelServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(1800)]

KILLS = how_often(short=2, ci=5, full=20)
FREEZES = how_often(short=1, ci=3, full=20)
RESTARTS = how_often(short=1, ci=2, full=3)
THINKS = 0.3


@pytest.fixture
def model():
    with ModelServer(thinks=THINKS) as server:
        yield server


def asked(count):
    """A task that a test about losing workers again and again must not see fail at its cap."""
    stocked(count + 5)
    of = requested(count)
    GenerationTask.objects.update(max_attempts=100)
    return of


def assert_made_once_each(ended, count):
    """Every article asked for, each from a distillation of its own, and all invariants hold."""
    assert (ended.status, ended.error_text, ended.generated_count) == ("completed", "", count)
    assert GeneratedArticle.objects.count() == count
    assert sorted(Distillation.objects.values_list("usage_count", flat=True), reverse=True)[:count] == [1] * count
    assert_all_hold()


def assert_paid_for_at_most(model, articles, kills):
    """Only a call that was under way when its worker died is asked again."""
    print(f"{len(model.asked)} requests for {articles} articles and {kills} deaths")
    assert len(model.asked) <= articles + kills
    assert LLMCall.objects.filter(outcome="ok").count() == articles


# --- Processes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", ["the worker", "the pool's process"])
@pytest.mark.long
def test_a_kill_at_any_moment_loses_no_article_doubles_none_and_pays_for_what_was_under_way_only(model, reaper, victim):
    count = KILLS * 2 + 3
    of = asked(count)
    recoveries = Recoveries(f"kill -9 of {victim} at any moment")
    with Victim("llm", **model.environment) as worker:
        of.moves_on()
        for _ in range(KILLS):
            time.sleep(random.uniform(0, THINKS))  # noqa: S311
            with recoveries.timed():
                if victim == "the worker":
                    worker.start_again(**model.environment)
                else:
                    worker.kill_child()
                of.moves_on()
        ended = of.ends()
    recoveries.report()
    assert_made_once_each(ended, count)
    assert_paid_for_at_most(model, count, KILLS)


@pytest.mark.long
def test_workers_frozen_beyond_their_lease_save_nothing_when_they_wake(model, reaper):
    count = FREEZES * 4 + 3
    of = asked(count)
    recoveries = Recoveries("SIGSTOP beyond the lease")
    with Victim("llm", **model.environment) as one, Victim("llm", **model.environment) as other:
        of.moves_on()
        for _ in range(FREEZES):
            # the one that works, or the one that waits: either must do no harm
            for frozen in random.sample([one, other], 2):
                frozen.freeze()
                with recoveries.timed():
                    of.moves_on()
                frozen.thaw()
        ended = of.ends()
        assert_made_once_each(ended, count)
        neighbour = requested(2).ends()  # both are awake again and harm nothing
        assert neighbour.status == "completed"
        assert_all_hold()
    recoveries.report()


@pytest.mark.long
def test_without_the_tokens_a_worker_that_wakes_saves_an_article_again(model, reaper):
    """The negative control: with the fences of task and slot taken out, the pack says so."""
    of = asked(3)
    model.thinks = 1.0  # so that the other one is not done when it wakes
    sabotage = {"SABOTAGE": "no-token", "FAILPOINT": "model.after:1:STOP"}
    with Victim("llm", application="sabotaged", **(model.environment | SABOTAGED | sabotage)) as frozen:
        struck(frozen)
        with Victim("llm", **model.environment):
            of.reaches(1)
            frozen.thaw()
            twice = GeneratedArticle.objects.values("question").annotate(times=Count("pk")).filter(times=2)
            eventually(twice.exists, what="the same article once more")
            ended = of.ends()
    found = violations()
    print(f"without the tokens: {ended.status} {ended.error_text}, {found}")
    assert found


@pytest.mark.parametrize("shift", [3600, -3600])
@pytest.mark.long
def test_a_worker_whose_clock_is_an_hour_wrong_neither_loses_its_task_nor_steals_one(model, reaper, shift):
    count = 10
    of = asked(count)
    with Victim("llm", CLOCK_SHIFT=str(shift), **WRONG_CLOCK, **model.environment) as wrong:
        of.moves_on()
        token = of.row.lease_token
        with Victim("llm", **model.environment):
            app.send_task(of.row.TASK, [of.pk], queue="llm")
            of.reaches(of.row.generated_count + 3)
            assert of.row.lease_token in (token, None), "nobody took the task from a worker that lives"
            wrong.kill()
            of.moves_on()
            wrong.start()  # and now it is rung for what another one holds
            token = of.row.lease_token
            app.send_task(of.row.TASK, [of.pk], queue="llm")
            of.reaches(of.row.generated_count + 2)
            assert of.row.lease_token in (token, None)
            ended = of.ends()
    assert_made_once_each(ended, count)


# --- Poison --------------------------------------------------------------------------------------


@pytest.mark.long
def test_an_article_that_kills_its_worker_every_time_fails_alone_and_its_neighbours_are_done(model, reaper):
    poisonous, *others = distilled(5, keyword="poison in")
    of = requested(3)
    with Victim("llm", application="sabotaged", SABOTAGE="poison", **(model.environment | SABOTAGED)):
        neighbour = requested(2)
        ended, beside = of.ends(), neighbour.ends()
    assert (ended.status, ended.generated_count, ended.error_text) == ("partial", 2, "worker-lost × 1")
    assert (beside.status, beside.generated_count) == ("completed", 2)
    slot = GenerationSlot.objects.get(distillation=poisonous)
    assert (slot.status, slot.error, slot.attempt) == ("failed", "worker-lost", 4)
    assert usage(poisonous, *others) == [0, 1, 1, 1, 1]
    assert_all_hold()


@pytest.mark.long
def test_a_task_that_kills_its_worker_before_any_article_fails_at_its_cap_and_gives_back_what_it_reserved(reaper):
    stocked()
    of = requested()
    GenerationTask.objects.update(max_attempts=2)
    with Victim("llm", FAILPOINT="claim.after:1", **FAST) as worker:
        ended = of.ends()
        assert (ended.status, ended.error, ended.attempt) == ("failed", "worker-lost", 2)
        assert set(Distillation.objects.values_list("load", flat=True)) == {0}
        worker.start_again()
        again = Watched(services.retry_generation(ended, actor="test").pk).ends()
    assert_made_once_each(again, ARTICLES)


# --- Messages and servers ------------------------------------------------------------------------


@pytest.mark.long
def test_a_broker_flushed_while_workers_write_loses_no_task(model, reaper):
    of = asked(6)
    with Victim("llm", **model.environment) as worker:
        of.moves_on()
        others = [requested(1) for _ in range(3)]  # their messages wait
        flush_broker()
        worker.kill_child()
        flush_broker()
        ended = of.ends()
        assert {each.ends().status for each in others} == {"completed"}
    assert ended.status == "completed"
    assert GeneratedArticle.objects.count() == 9
    assert_all_hold()


@pytest.mark.long
def test_postgresql_stopped_at_once_while_an_article_is_written_loses_and_doubles_nothing(own_servers, model):
    count = RESTARTS * 4 + 4
    stocked(count + 5)
    recoveries = Recoveries("PostgreSQL -m immediate and restart under generation")
    with Reaper(), Victim("llm", **model.environment) as worker:
        of = requested_elsewhere(count)
        of.moves_on()
        for _ in range(RESTARTS):
            own_servers.restart_postgres()
            with recoveries.timed():
                of.moves_on()
            of.moves_on()
        ended = of.ends()
        assert worker.process.poll() is None, "the worker lives on"
    recoveries.report()
    assert_made_once_each(ended, count)


@pytest.mark.long
def test_a_killed_broker_loses_no_task(own_servers, model):
    count = RESTARTS * 2 + 3
    stocked(count + 5)
    recoveries = Recoveries("kill -9 of the broker under generation, pool's process with it")
    with Reaper(), Victim("llm", **model.environment) as worker:
        of = requested_elsewhere(count)
        of.moves_on()
        for _ in range(RESTARTS):
            own_servers.kill_valkey()
            worker.kill_child()  # so that the message is needed again
            own_servers.start_valkey()
            with recoveries.timed():
                of.moves_on()
        ended = of.ends()
    recoveries.report()
    assert_made_once_each(ended, count)


@pytest.mark.long
def test_tasks_asked_for_while_the_broker_is_down_are_accepted_picked_evenly_and_done_later(own_servers):
    stocked(12)
    own_servers.kill_valkey()
    try:
        wishes = [requested_elsewhere(3) for _ in range(3)]
        assert None not in wishes, "the wish is a row, and needs no broker"
        assert {(each.row.status, each.row.dispatched_at) for each in wishes} == {("pending", None)}
        assert sum(Distillation.objects.values_list("reserved_count", flat=True)) == 9
        assert set(Distillation.objects.values_list("load", flat=True)) == {0, 1}
    finally:
        own_servers.start_valkey()
    recoveries = Recoveries("broker back")
    with recoveries.timed(), Reaper(), Victim("llm", **FAST):
        assert {each.ends().status for each in wishes} == {"completed"}
    recoveries.report()
    assert GeneratedArticle.objects.count() == 9
    assert_all_hold()
