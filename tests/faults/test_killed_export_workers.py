"""Workers of the automatic brief are killed and frozen; no brief is half there, no article in two of them."""

import random
import time

import pytest
from django.db import connection

from config.celery import app
from exports import services, worker
from exports.models import BriefBatch, BriefItem, ExportRun
from faulting import FAST, Recoveries, Victim, eventually, how_often
from invariants import assert_all_hold, invariant
from processes import python, wait_until
from runs.services import cancel
from worker_briefs import articles, empty, options, outcome

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(900)]

ARTICLES = how_often(short=4_000, ci=6_000, full=10_000)
PER_BRIEF = ARTICLES // 2
KILLS = how_often(short=2, ci=5, full=20)
TIMES_AT_EACH_PLACE = how_often(short=1, ci=2, full=5)
LONGEST_DRAFT = 1.5  # seconds from the claim to the commit, about


@invariant
def briefs_of_the_worker_have_no_gaps_and_no_article_twice():
    """Places and numbers of the day count from one; who skips what was exported never exports it again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT brief_batch_id FROM brief_items GROUP BY 1"
            " HAVING count(*) <> max(order_index) OR min(order_index) <> 1"
        )
        for (batch,) in cursor.fetchall():
            yield f"brief {batch} has gaps"
        cursor.execute(
            "SELECT report_date FROM brief_batches GROUP BY 1"
            " HAVING count(*) <> max(sequence_no) OR min(sequence_no) <> 1"
        )
        for (day,) in cursor.fetchall():
            yield f"{day} has gaps in its numbers"
        cursor.execute("SELECT article_id FROM brief_items WHERE source = 'worker' GROUP BY 1 HAVING count(*) > 1")
        if not ExportRun.objects.filter(skip_exported=False).exists():
            for (article_id,) in cursor.fetchall():
                yield f"{article_id} is in two briefs of the worker"


@invariant
def a_completed_export_has_recorded_what_it_printed():
    """All of an export is there, or nothing of it."""
    worked = ExportRun.objects.filter(kind="worker", dry_run=False)
    for run in worked.exclude(status=ExportRun.STATUSES.completed):
        if run.content or run.recorded or run.brief_batch_id:
            yield f"run {run.pk} is {run.status} and left something"
    for run in worked.filter(status=ExportRun.STATUSES.completed):
        if run.recorded + len(run.skipped_duplicates) != run.printed or (run.printed > 0) != bool(
            run.content and run.brief_batch_id
        ):
            yield f"run {run.pk} printed {run.printed}, recorded {run.recorded}"
    for batch in BriefBatch.objects.filter(source="worker"):
        recorded = sum(worked.filter(brief_batch=batch).values_list("recorded", flat=True))
        if recorded != batch.items.count():
            yield f"brief {batch} has {batch.items.count()} articles, its runs recorded {recorded}"


class Watched:
    """A run as a test watches it."""

    def __init__(self, pk):
        self.pk = pk

    @property
    def row(self):
        """The run now."""
        return ExportRun.objects.get(pk=self.pk)

    def is_taken(self):
        """Wait until a worker is at it; its fencing token."""
        return eventually(lambda: self.row.lease_token or (not self.row.is_open and -1), what="a worker")

    def ends(self, timeout=240):
        """Wait for the end; the run."""
        eventually(lambda: not self.row.is_open, timeout=timeout, what="the end of the run")
        return self.row


def requested(tag="2026-03-01", **wish):
    """A run as an operator asks for it, which may be lost more often than most."""
    run = services.request_export(options(tag, **({"limit": PER_BRIEF} | wish)), actor="test")
    ExportRun.objects.filter(pk=run.pk).update(max_attempts=100)
    return Watched(run.pk)


@pytest.fixture
def undisturbed():
    """What two undisturbed briefs leave, one behind the other; the tables are empty again."""
    articles(ARTICLES)
    for tag in ("2026-03-01", "2026-03-02"):
        run = services.start_export_here(options(tag, limit=PER_BRIEF), actor="test")
        worker.run_export(run.pk)
    expected = outcome()
    assert len(expected["items"]) == ARTICLES
    empty()
    return expected


def assert_done_as_if_undisturbed(run, expected):
    """The run left what an undisturbed one leaves, the next one goes on behind it, and all invariants hold."""
    assert (run.status, run.error_text, run.printed) == ("completed", "", PER_BRIEF)
    assert outcome()["items"] == [item for item in expected["items"] if item[0] == run.report_tag]
    next_one = services.start_export_here(options("2026-03-02", limit=PER_BRIEF), actor="test")
    worker.run_export(next_one.pk)
    assert outcome() == expected
    assert_all_hold()


def killed_again_and_again(run, kill):
    """Strike KILLS times while the run is being worked on, each time at another moment."""
    recoveries = Recoveries(f"kill -9 of {kill.__name__}")
    token = run.is_taken()
    for _ in range(KILLS):
        time.sleep(random.uniform(0, LONGEST_DRAFT))  # noqa: S311
        if not run.row.is_open:
            break
        with recoveries.timed():
            kill()
            eventually(lambda known=token: run.row.lease_token != known or not run.row.is_open, what="another worker")
            token = run.is_taken()
    recoveries.report()
    return run.ends()


def test_killing_the_worker_again_and_again_changes_nothing_in_the_end(undisturbed, reaper):
    run = requested()
    with Victim("default", **FAST) as victim:

        def the_worker():
            victim.start_again()

        ended = killed_again_and_again(run, the_worker)
    assert_done_as_if_undisturbed(ended, undisturbed)


@pytest.mark.long
def test_killing_the_process_of_the_pool_again_and_again_changes_nothing_in_the_end(undisturbed, reaper):
    run = requested()
    with Victim("default", **FAST) as victim:

        def its_pool():
            victim.kill_child()

        ended = killed_again_and_again(run, its_pool)
        assert victim.process.poll() is None, "the worker itself lives on"
    assert_done_as_if_undisturbed(ended, undisturbed)


def struck(victim):
    """Wait until the failpoint has ended the process that the pool began with."""
    child = wait_until(lambda: next(iter(victim.children), None), what="the pool")
    wait_until(lambda: victim.has_been_struck(child), timeout=60, what="the failpoint")


@pytest.mark.parametrize("place", ["claim.before", "claim.after", "batch.before", "commit.before", "commit.after"])
@pytest.mark.long
def test_a_kill_at_a_marked_place_leaves_all_or_nothing(undisturbed, reaper, place):
    run = requested()
    with Victim("default", FAILPOINT=f"{place}:1", **FAST) as victim:
        for times in range(1, TIMES_AT_EACH_PLACE + 1):
            struck(victim)
            left = len(BriefItem.objects.all())
            assert left == (PER_BRIEF if place == "commit.after" else 0)
            again = {"FAILPOINT": f"{place}:1"} if times < TIMES_AT_EACH_PLACE and place != "commit.after" else {}
            victim.start_again(**again)
            if place == "commit.after":
                break
        ended = run.ends()
    assert_done_as_if_undisturbed(ended, undisturbed)


@pytest.mark.long
def test_a_worker_frozen_before_it_records_finds_its_lease_gone(undisturbed, reaper):
    """The fence at work: it had its draft before it froze, and others have recorded it since."""
    run = requested()
    with Victim("default", FAILPOINT="batch.before:1:STOP", **FAST) as frozen:
        struck(frozen)
        with Victim("default", **FAST):
            ended = run.ends()
            frozen.thaw()
            time.sleep(3)
    assert_done_as_if_undisturbed(ended, undisturbed)


@pytest.mark.parametrize("place", ["publish.before", "publish.after"])
@pytest.mark.long
def test_a_client_killed_around_its_message_leaves_a_run_that_is_done(undisturbed, reaper, place):
    died = python(
        f"""
from exports import services
services.request_export(services.ExportOptions(report_tag="2026-03-01", limit={PER_BRIEF}), actor="test")
""",
        FAILPOINT=f"{place}:1",
        DEBUG="1",
        **FAST,
    )
    assert died.returncode == -9
    with Victim("default", **FAST):
        ended = Watched(ExportRun.objects.get().pk).ends()
    assert_done_as_if_undisturbed(ended, undisturbed)


@pytest.mark.long
def test_every_message_three_times_and_in_disorder_is_worked_on_once(undisturbed, reaper):
    with Victim("default", **FAST), Victim("default", **FAST), Victim("default", **FAST):
        run = requested()
        messages = [(run.row.TASK, [run.pk])] * 2 + [(run.row.TASK, [run.pk + 1_000_000])] * 2
        for task, arguments in random.sample(messages, len(messages)):
            app.send_task(task, arguments, queue="default")
        ended = run.ends()
    assert ExportRun.objects.count() == 1
    assert_done_as_if_undisturbed(ended, undisturbed)


@pytest.mark.long
def test_a_cancelled_run_stops_and_leaves_nothing(reaper):
    articles(ARTICLES)
    with Victim("default", **FAST):
        run = requested(limit=ARTICLES)
        run.is_taken()
        cancel(run.row, actor="test")
        neighbour = requested("2026-03-02", limit=10).ends()
    assert (run.row.status, run.row.content) == ("cancelled", "")
    assert (neighbour.status, neighbour.printed) == ("completed", 10)
    assert list(BriefBatch.objects.values_list("report_tag", flat=True)) == ["2026-03-02"]
    assert_all_hold()


@pytest.mark.long
def test_workers_on_one_tag_and_on_several_print_no_article_twice(reaper):
    """All choose the same best articles at first; whoever comes second chooses again."""
    articles(600)
    tags = ["2026-03-01", "2026-03-01", "2026-03-01-late", "2026-03-01-late", "2026-03-02", "2026-03-02-late"]
    with Victim("default", **FAST), Victim("default", **FAST), Victim("default", **FAST):
        for ended in [watched.ends() for watched in [requested(tag, limit=80) for tag in tags]]:
            assert (ended.status, ended.printed, ended.recorded) == ("completed", 80, 80)
    assert BriefItem.objects.values("article_id").distinct().count() == BriefItem.objects.count() == 480
    assert_all_hold()
