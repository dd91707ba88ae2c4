"""Workers of documents are killed, frozen and rung for too often; no task is lost, and no step is kept twice."""

import random

import pytest

from config.celery import app
from document_runs import Watched, assert_made_once_each, requested, requested_elsewhere, steps
from etl.documents.models import DocumentStep, ETLTask
from faulting import FAST, Recoveries, Victim, flush_broker, how_often
from invariants import assert_all_hold, violations
from processes import python, wait_until
from runs.querysets import seconds_from_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(1500)]

TASKS = how_often(short=12, ci=40, full=200)
KILLS = how_often(short=2, ci=5, full=20)
TIMES_AT_EACH_PLACE = how_often(short=1, ci=1, full=5)
# a task passes a step's places twice, once in each step
PLACES = [
    *[(place, 1) for place in ("claim.before", "claim.after")],
    *[(place, time) for place in ("model.before", "model.after", "commit.before", "commit.after") for time in (1, 2)],
]


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """Where all processes of a test find the files."""
    settings.DOCUMENTS_DIR = tmp_path
    return tmp_path


@pytest.fixture
def usual(folder):
    """What every worker of a test is told."""
    return FAST | {"DOCUMENTS_DIR": str(folder)}


def struck(worker):
    """Wait until the failpoint has ended (or frozen) the process that the pool began with."""
    child = wait_until(lambda: worker.children, what="the pool")[0]
    wait_until(lambda: worker.has_been_struck(child), timeout=60, what="the failpoint")


def work_here(pk, folder, place=None):
    """Work on a task in a process of its own, which dies when it comes to the place."""
    extra = {"FAILPOINT": place} if place else {}
    done = python(
        f"from etl.documents import processing\nprocessing.run_document({pk})", DOCUMENTS_DIR=str(folder), **extra
    )
    assert done.returncode == (-9 if place else 0), done.stderr


@pytest.mark.parametrize("victim", ["worker", pytest.param("pool's process", marks=pytest.mark.long)])
def test_kills_again_and_again_and_a_flushed_broker_lose_and_double_nothing(reaper, usual, victim):
    tasks = requested(*range(TASKS))
    recoveries = Recoveries(f"kill -9 of the {victim}")
    with Victim("etl", **usual) as worker:
        tasks.move_on()
        for kill in range(KILLS):
            worker.start_again(**usual) if victim == "worker" else worker.kill_child()
            if kill in (0, KILLS // 2):
                flush_broker()
            with recoveries.timed():
                tasks.move_on()
            tasks.reach((kill + 1) * TASKS // (KILLS + 1))
        tasks.end()
    recoveries.report()
    print(f"{TASKS} tasks, attempts of their steps {attempts(tasks)}")
    assert_made_once_each(tasks)
    assert_all_hold()


def attempts(tasks):
    """How often the steps were begun in all, as their records count."""
    return sum(DocumentStep.objects.filter(run__in=tasks.pks).values_list("attempts", flat=True))


@pytest.mark.parametrize(("place", "time"), PLACES)
@pytest.mark.long
def test_a_kill_at_a_marked_place_changes_nothing_and_no_finished_step_runs_again(folder, place, time):
    for _round in range(TIMES_AT_EACH_PLACE):
        tasks = requested(0)
        work_here(tasks.row.pk, folder, f"{place}:{time}")
        before = list(DocumentStep.objects.filter(run=tasks.row).order_by("id").values())
        assert len(before) == (time if place == "commit.after" else time - 1)
        ETLTask.objects.filter(pk=tasks.row.pk).active().update(lease_until=seconds_from_now(-1))
        work_here(tasks.row.pk, folder)
        assert_made_once_each(tasks)
        assert list(DocumentStep.objects.filter(run=tasks.row).order_by("id").values())[: len(before)] == before
    assert_all_hold()


@pytest.mark.parametrize("place", ["publish.before", "publish.after"])
@pytest.mark.long
def test_an_upload_killed_around_its_message_is_done_all_the_same(reaper, usual, folder, place):
    """The row says that the message was sent, so the reaper waits for an answer before it sends one."""
    assert requested_elsewhere(folder, FAILPOINT=f"{place}:1") == -9
    tasks = Watched(ETLTask.objects.values_list("pk", flat=True))
    assert tasks.row.dispatched_at is not None
    flush_broker()
    with Victim("etl", **usual):
        tasks.end(120)
    assert_made_once_each(tasks)
    assert_all_hold()


@pytest.mark.long
def test_an_upload_killed_before_its_commit_leaves_no_task_and_a_file_that_is_swept(folder):
    from etl.documents import storage

    assert requested_elsewhere(folder, FAILPOINT="rename.before:1") == -9
    assert not ETLTask.objects.exists()
    assert storage.sweep_orphans(older_than_seconds=-1) == 1
    assert_all_hold()


@pytest.mark.long
def test_every_message_three_times_and_in_disorder_makes_every_result_once(reaper, usual):
    with Victim("etl", **usual), Victim("etl", **usual):
        tasks = requested(*range(TASKS))
        messages = [(ETLTask.TASK, [pk]) for pk in tasks.pks * 2] + [(ETLTask.TASK, [max(tasks.pks) + 1_000_000])] * 2
        for task, arguments in random.sample(messages, len(messages)):
            app.send_task(task, arguments, queue="etl")
        tasks.end()
    assert_made_once_each(tasks)
    assert attempts(tasks) == 2 * TASKS
    assert_all_hold()


@pytest.mark.long
@pytest.mark.parametrize(
    "place",
    ["commit.before:2", *(pytest.param(each, marks=pytest.mark.long) for each in ("model.after:1", "commit.before:1"))],
)
def test_a_worker_frozen_beyond_its_lease_writes_nothing_when_it_wakes(reaper, usual, place):
    """Behind the reading, behind the shaping, and before the result is written: others have done it since."""
    tasks = requested(0)
    with Victim("etl", FAILPOINT=f"{place}:STOP", **usual) as frozen:
        struck(frozen)
        with Victim("etl", **usual) as other:
            tasks.end(120)
            other.kill()
            before = ETLTask.objects.filter(pk__in=tasks.pks).values().get(), steps(tasks)
            frozen.thaw()
            # with one process it takes another task only when it has given up the first
            assert_made_once_each(Watched([requested(1).end(120)[0].pk]))
    assert (ETLTask.objects.filter(pk__in=tasks.pks).values().get(), steps(tasks)) == before
    assert_made_once_each(tasks)
    assert_all_hold()


@pytest.mark.long
def test_without_the_reaper_a_killed_task_stays_open_and_leased(usual):
    """The negative control: the pack says so."""
    requested(0)
    with Victim("etl", FAILPOINT="commit.before:1", **usual) as worker:
        struck(worker)
        worker.kill()
    found = violations()
    assert any(each.startswith("no_run_is_open: ETLTask") for each in found)
    assert any(each.startswith("no_lease_is_left: ETLTask") for each in found)
