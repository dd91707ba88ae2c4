"""Workers of roadmaps are killed, frozen and rung for too often: no finished step again, no answer paid twice."""

import json
import os
import random
import signal

import pytest
from django.contrib.auth.models import User
from werkzeug import Response

from config.celery import app
from faulting import Reaper, Recoveries, Victim, eventually, flush_broker, how_often
from invariants import assert_all_hold, violations
from llm.models import LLMCall
from processes import wait_until
from roadmap_models import RoadmapModel, concept, tree
from roadmap_runs import Watched, expire, forked, killed_at_every_passing, requested
from roadmaps import storing, workflow
from roadmaps.models import (
    Concept,
    QuizMetadata,
    ResourceRecommendationMetadata,
    Roadmap,
    RoadmapStep,
    RoadmapTask,
    TutorialMetadata,
)
from roadmaps.services import RetryWish, retry_roadmap
from runs.lease import Lease
from runs.reaper import settle_expired
from tests.conftest import make_user
from tests.llm.conftest import chat

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(900)]

KILLS = how_often(short=2, ci=5, full=20)
FREEZES = how_often(short=1, ci=2, full=5)
RESTARTS = how_often(short=1, ci=1, full=3)
TIMES_AT_EACH_PLACE = how_often(short=1, ci=2, full=5)

# how many answers more than steps are asked for when every step dies once at the place
PAID_TWICE = {
    "model.before": 0,
    "answer.before": 1,  # in the one place where the server has answered and nobody has kept it
    "answer.after": 0,
    "model.after": 0,
    "commit.before": 0,
    "commit.after": 0,
}


def concepts(count):
    """A tree of so many concepts, in modules of ten."""
    framework, places = tree(), list(range(count))
    framework["stages"][0]["modules"] = [
        {
            "module_id": f"mod-1-{first // 10 + 1}",
            "name": f"Things {first}",
            "concepts": [concept(f"1-{first // 10 + 1}-{each % 10 + 1}") for each in places[first : first + 10]],
        }
        for first in range(0, count, 10)
    ]
    return framework


@pytest.fixture
def model(settings):
    """A server that answers every step properly; contents come one after the other."""
    settings.ROADMAPS_SIDE_BY_SIDE = 1
    with RoadmapModel(concepts(2)) as serving:
        serving.configure(settings)
        yield serving


def assert_made_once(model, task, *, more=0):
    """The whole roadmap, every step once, no request beyond those of steps that were interrupted."""
    task.refresh_from_db()
    assert (task.status, task.error_text) == ("completed", "")
    steps = model.expected.total() + 1  # and finalizing
    assert RoadmapStep.objects.filter(run=task.pk, retry=task.retries).count() == steps
    assert model.counts.total() == model.expected.total() + more, model.counts
    assert Roadmap.objects.count() == 1
    assert set(TutorialMetadata.objects.values_list("version", flat=True)) == {1}
    assert_all_hold()


# --- At every marked place -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [place if place == "commit.before" else pytest.param(place, marks=pytest.mark.long) for place in PAID_TWICE],
)
@pytest.mark.parametrize("_time", range(TIMES_AT_EACH_PLACE))
def test_a_kill_in_every_step_at_a_marked_place_changes_nothing_in_the_end(model, operator, place, _time):
    """Each step of the workflow dies there once: finished ones are not made again, and answers not paid twice."""
    task = requested(operator)
    asked = model.expected.total()
    passings = asked if place.startswith("answer") else asked + 1
    deaths = killed_at_every_passing(task.pk, place, steps=passings)
    assert deaths == passings
    assert_made_once(model, task, more=PAID_TWICE[place] * deaths)
    if place.startswith("model") or place.startswith("commit"):
        assert LLMCall.objects.count() == asked


@pytest.mark.long
@pytest.mark.parametrize("place", ["claim.before", "claim.after"])
def test_a_kill_around_the_claim_changes_nothing(model, operator, place):
    task = requested(operator)
    for _kill in range(TIMES_AT_EACH_PLACE if place == "claim.before" else min(4, TIMES_AT_EACH_PLACE)):
        assert forked(task.pk, f"{place}:1") == -9
        expire(task.pk)
    assert forked(task.pk) == 0
    assert_made_once(model, task)


@pytest.mark.long
def test_side_by_side_a_kill_interrupts_at_most_so_many_answers(model, operator, settings):
    settings.ROADMAPS_SIDE_BY_SIDE = 4
    model.framework = concepts(6)
    task = requested(operator)
    for _kill in range(min(4, KILLS)):
        assert forked(task.pk, "answer.before:6") == -9
        expire(task.pk)
    assert forked(task.pk) == 0
    interrupted = LLMCall.objects.filter(outcome="asking").count()
    assert interrupted <= 4 * KILLS
    assert_made_once(model, task, more=model.counts.total() - model.expected.total())
    assert model.counts.total() - model.expected.total() <= interrupted


@pytest.mark.long
@pytest.mark.parametrize("place", ["commit.before", "commit.after"])
def test_a_kill_in_a_retry_with_a_changed_wish_changes_nothing(model, operator, place):
    task = requested(operator)
    assert forked(task.pk) == 0
    task.refresh_from_db()
    retry_roadmap(task, RetryWish(changes={"query": "Learn Advanced Redis"}), actor="test")
    deaths = killed_at_every_passing(task.pk, place, steps=model.expected.total() + 1)
    task.refresh_from_db()
    assert deaths == model.expected.total() + 1
    assert (task.status, task.retries) == ("completed", 1)
    assert model.counts == model.expected + model.expected
    assert set(TutorialMetadata.objects.filter(is_latest=True).values_list("version", flat=True)) == {2}
    assert TutorialMetadata.objects.count() == 4
    assert_all_hold()


# --- Whole workers ---------------------------------------------------------------------------------


def struck(worker):
    """Wait until the failpoint has ended the process that the pool began with."""
    child = wait_until(lambda: worker.children, what="the pool")[0]  # looked at once: it may die any moment
    wait_until(lambda: worker.has_been_struck(child), timeout=60, what="the failpoint")


def test_killing_the_worker_again_and_again_makes_no_step_twice(reaper, model, operator):
    """Each worker dies by itself before its second commit, so every kill falls into a step that was paid for."""
    model.framework = concepts(2 + KILLS // 3)
    task = requested(operator)
    of, recoveries = Watched(task), Recoveries("kill -9 in the middle of a step")
    with Victim("llm", FAILPOINT="commit.before:2", **model.environment) as worker:
        for kill in range(KILLS):
            struck(worker)
            again = {"FAILPOINT": "commit.before:2"} if kill + 1 < KILLS else {}
            worker.start_again(**model.environment, **again)
            with recoveries.timed():
                of.moves_on()
        of.ends()
    recoveries.report()
    assert_made_once(model, task)


@pytest.mark.long
def test_killing_the_worker_at_any_moment_asks_at_most_once_more_for_each_kill(reaper, model, operator):
    model.framework = concepts(4 + KILLS)
    task = requested(operator)
    of, recoveries = Watched(task), Recoveries("kill -9 of a roadmap's worker")
    with Victim("llm", **model.environment) as worker:
        of.moves_on()
        for _kill in range(KILLS):
            worker.start_again(**model.environment)
            with recoveries.timed():
                of.moves_on()
        of.ends()
    recoveries.report()
    more = model.counts.total() - model.expected.total()
    print(f"{KILLS} kills, {more} answers asked for again")
    assert 0 <= more <= KILLS
    assert_made_once(model, task, more=more)


@pytest.mark.long
def test_two_runners_on_one_task_one_works(model, operator):
    task = requested(operator)
    with Victim("llm", **model.environment), Victim("llm", **model.environment):
        for _again in range(6):
            app.send_task(task.TASK, [str(task.pk)], queue="llm")
        Watched(task).ends()
    assert_made_once(model, task)


@pytest.mark.long
def test_a_worker_frozen_beyond_its_lease_writes_nothing_when_it_wakes(reaper, model, operator):
    for _freeze in range(FREEZES):
        RoadmapTask.objects.all().delete()
        Roadmap.objects.all().delete()
        model.prompts.clear()
        task = requested(operator)
        with Victim("llm", FAILPOINT="commit.before:5:STOP", **model.environment) as frozen:
            struck(frozen)
            with Victim("llm", **model.environment):
                ended = Watched(task).ends()
                stamp = TutorialMetadata.objects.order_by("-updated_at").first().updated_at
                frozen.thaw()
                later = requested(operator)
                Watched(later).ends()
        assert ended.status == "completed"
        assert RoadmapTask.objects.get(pk=task.pk).updated_at == ended.updated_at
        late = TutorialMetadata.objects.filter(roadmap_id=ended.roadmap_id, updated_at__gt=stamp)
        assert late.count() == 0
        assert_all_hold()


def test_a_failure_found_too_late_leaves_the_content_of_others_as_it_is(model, operator, settings):
    """Who lost the lease may not mark a content as failed that another worker has finished."""
    task = requested(operator)
    held = {}

    def stolen(request):
        """While this worker is being answered its lease runs out, and another makes everything."""
        if not held:
            held["stolen"] = True
            expire(task.pk)
            model.properly()
            with Lease.take(RoadmapTask, task.pk) as lease:
                held["token"] = lease.token
                workflow.Workflow(lease, RoadmapTask.objects.get(pk=task.pk)).work()
        return model_says("no JSON")

    model.on("Quiz", stolen, about="c-1-1-1")
    workflow.run_roadmap(task.pk)
    task.refresh_from_db()
    assert held
    assert task.status == "completed"
    assert Concept.objects.get(concept_id="c-1-1-1").quiz_status == "completed"
    assert_all_hold()


def model_says(text):
    """An answer with this text."""
    return Response(json.dumps(chat(text)), content_type="application/json")


@pytest.mark.long
def test_every_message_three_times_makes_every_step_once(reaper, model, operator):
    tasks = [requested(operator) for _task in range(2)]
    messages = [str(task.pk) for task in tasks] * 3
    with Victim("llm", **model.environment), Victim("llm", **model.environment):
        for pk in random.sample(messages, len(messages)):
            app.send_task(tasks[0].TASK, [pk], queue="llm")
        for task in tasks:
            assert Watched(task).ends().status == "completed"
    assert model.counts == model.expected + model.expected
    assert_all_hold()


@pytest.mark.long
def test_a_flushed_broker_loses_no_task(reaper, model, operator):
    task = requested(operator)
    flush_broker()
    with Victim("llm", **model.environment):
        Watched(task).ends()
    assert_made_once(model, task)


@pytest.mark.long
def test_without_the_reaper_a_killed_task_keeps_its_lease(model, operator):
    """The negative control: the pack says so."""
    requested(operator)
    with Victim("llm", FAILPOINT="model.after:2", **model.environment) as worker:
        struck(worker)
        worker.kill()
    found = violations()
    assert any(each.startswith("no_run_is_open") for each in found)
    assert any(each.startswith("no_lease_is_left") for each in found)


# --- A content that kills its worker ---------------------------------------------------------------


@pytest.mark.long
def test_a_content_that_always_kills_its_worker_is_named_and_all_others_are_made(
    model, operator, settings, monkeypatch
):
    """The attempts of the run are spent; a retry makes what is missing, and pays for nothing again."""
    settings.ROADMAPS_SIDE_BY_SIDE = 4
    model.framework = concepts(4)
    store = storing.store_quiz

    def deadly(task, concept_id, made, generator):
        if concept_id == "c-1-1-2":
            os.kill(os.getpid(), signal.SIGKILL)
        return store(task, concept_id, made, generator)

    monkeypatch.setattr(storing, "store_quiz", deadly)
    task, deaths = requested(operator), 0
    while task.is_open:
        deaths += forked(task.pk) == -signal.SIGKILL
        expire(task.pk)
        settle_expired(RoadmapTask)
        task.refresh_from_db()
        assert deaths < 20
    assert (task.status, task.error, task.error_text) == ("failed", "worker-lost", "quiz_generation c-1-1-2")
    states = Concept.objects.states_of(task.roadmap_id)
    open_ones = [(each, kind) for each in states for kind in states[each] if states[each][kind] != "completed"]
    assert open_ones == [("c-1-1-2", "quiz")]

    monkeypatch.setattr(storing, "store_quiz", store)
    before = model.counts
    assert retry_roadmap(task, RetryWish(), actor="test").items_to_retry == {"quiz": 1}
    assert forked(task.pk) == 0
    task.refresh_from_db()
    assert (task.status, task.error_text) == ("completed", "")
    assert model.counts == before
    assert_all_hold()


# --- A workflow that is another one now ------------------------------------------------------------


def test_a_step_that_was_renamed_is_refused_with_its_name(model, operator):
    task = requested(operator)
    assert forked(task.pk, "commit.after:3") == -9
    expire(task.pk)
    RoadmapStep.objects.filter(step="curriculum_design").update(step="curriculum_planning")
    assert forked(task.pk) == 0
    task.refresh_from_db()
    assert (task.status, task.error, task.error_text) == ("failed", "unknown-step", "curriculum_planning")
    assert model.counts.total() == 3


# --- Servers ---------------------------------------------------------------------------------------


@pytest.fixture
def own_operator(own_servers):
    """An operator where the servers are that may be killed; the roadmaps there are gone afterwards."""
    yield User.objects.filter(username="operator").first() or make_user("operator", role="operator")
    for model in (RoadmapTask, Roadmap, TutorialMetadata, ResourceRecommendationMetadata, QuizMetadata):
        model.objects.all().delete()


@pytest.mark.long
def test_postgresql_stopped_at_once_loses_no_step_that_was_committed(own_servers, own_operator, model):
    model.framework = concepts(6 + 3 * RESTARTS)
    task = requested(own_operator)
    of, recoveries = Watched(task), Recoveries("PostgreSQL -m immediate")
    with Reaper(), Victim("llm", **model.environment):
        of.moves_on()
        for _restart in range(RESTARTS):
            own_servers.restart_postgres()
            with recoveries.timed():
                of.moves_on()
        of.ends()
    recoveries.report()
    more = model.counts.total() - model.expected.total()
    assert 0 <= more <= RESTARTS
    assert_made_once(model, task, more=more)


@pytest.mark.long
def test_a_task_asked_for_while_the_broker_is_down_is_made_when_it_is_back(own_servers, own_operator, model):
    own_servers.kill_valkey()
    task = requested(own_operator)
    own_servers.start_valkey()
    with Reaper(), Victim("llm", **model.environment):
        eventually(lambda: not Watched(task).row.is_open, what="the end")
    assert_made_once(model, task)
