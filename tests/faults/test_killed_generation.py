"""Workers of generation are killed, frozen and rung for too often; no article is lost, none is made twice."""

import random

import pytest

from config.celery import app
from distillations.models import Distillation, GeneratedArticle, GenerationTask
from faulting import FAST, Recoveries, Victim, flush_broker, how_often
from generation_runs import ARTICLES, requested, requested_elsewhere, stocked, struck
from invariants import assert_all_hold, violations
from processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(900)]

KILLS = how_often(short=2, ci=5, full=20)
TIMES_AT_EACH_PLACE = how_often(short=1, ci=2, full=5)


@pytest.fixture(autouse=True)
def _stocked(transactional_db):
    stocked()


def assert_made_once_each(of):
    """Every article asked for, each from a distillation of its own, and all invariants hold."""
    assert (of.status, of.error_text, of.generated_count) == ("completed", "", ARTICLES)
    assert GeneratedArticle.objects.count() == ARTICLES
    assert sorted(Distillation.objects.values_list("usage_count", flat=True), reverse=True)[:ARTICLES] == [1] * ARTICLES
    assert_all_hold()


def test_killing_the_worker_again_and_again_loses_and_doubles_nothing(reaper):
    """Each worker dies by itself before it saves its second article, so every kill falls into the middle of one."""
    of = requested()
    recoveries = Recoveries("kill -9 in the middle of an article")
    with Victim("llm", FAILPOINT="commit.before:2", **FAST) as worker:
        for kill in range(KILLS):
            struck(worker)
            again = {"FAILPOINT": "commit.before:2"} if kill + 1 < KILLS else {}
            worker.start_again(**again)
            with recoveries.timed():
                of.moves_on()
        ended = of.ends()
    recoveries.report()
    assert_made_once_each(ended)


@pytest.mark.parametrize(
    "place",
    ["claim.before", "claim.after", "model.before", "model.after", "commit.before", "commit.after"],
)
@pytest.mark.long
def test_a_kill_at_a_marked_place_changes_nothing_in_the_end(reaper, place):
    of = requested()
    with Victim("llm", FAILPOINT=f"{place}:1", **FAST) as worker:
        for time in range(1, TIMES_AT_EACH_PLACE + 1):
            struck(worker)
            later = 1 if place.startswith("claim") else 1 + time
            again = {"FAILPOINT": f"{place}:{later}"} if time < TIMES_AT_EACH_PLACE else {}
            worker.start_again(**again)
        ended = of.ends()
    assert_made_once_each(ended)


@pytest.mark.parametrize("place", ["publish.before", "publish.after"])
@pytest.mark.long
def test_a_client_killed_around_its_message_leaves_a_task_that_is_done(reaper, place):
    assert requested_elsewhere(FAILPOINT=f"{place}:1") is None
    assert GenerationTask.objects.get().dispatched_at is None
    with Victim("llm", **FAST):
        wait_until(lambda: not GenerationTask.objects.open().exists(), timeout=120, what="the end")
    assert_made_once_each(GenerationTask.objects.get())


@pytest.mark.long
def test_a_worker_frozen_before_it_saves_finds_its_lease_gone(reaper):
    of = requested()
    with Victim("llm", FAILPOINT="commit.before:2:STOP", **FAST) as frozen:
        struck(frozen)
        with Victim("llm", **FAST):
            ended = of.ends()
            frozen.thaw()
            assert requested(2).ends().status == "completed"
    assert ended.status == "completed"
    assert GeneratedArticle.objects.count() == ARTICLES + 2
    assert_all_hold()


@pytest.mark.long
def test_every_message_three_times_makes_every_article_once(reaper):
    with Victim("llm", **FAST), Victim("llm", **FAST):
        of = requested()
        messages = [(of.row.TASK, [of.pk])] * 2 + [(of.row.TASK, [of.pk + 1_000_000])] * 2
        for task, arguments in random.sample(messages, len(messages)):
            app.send_task(task, arguments, queue="llm")
        ended = of.ends()
    assert_made_once_each(ended)


@pytest.mark.long
def test_a_flushed_broker_loses_no_task(reaper):
    of = requested()
    flush_broker()
    with Victim("llm", **FAST):
        ended = of.ends()
    assert_made_once_each(ended)


@pytest.mark.long
def test_without_the_reaper_a_killed_task_keeps_its_lease_and_its_slots():
    """The negative control: the pack says so."""
    requested()
    with Victim("llm", FAILPOINT="model.after:2", **FAST) as worker:
        struck(worker)
        worker.kill()
    found = violations()
    assert any(each.startswith("no_lease_is_left") for each in found)
    assert any(each.startswith("tasks_have_the_articles") for each in found)
