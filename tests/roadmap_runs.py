"""Roadmap tasks as fault tests see them: worked on by processes that die at a marked place, and watched."""

import multiprocessing
import os
import signal

from django.db import connections

from faulting import eventually
from roadmaps import workflow
from roadmaps.models import RoadmapStep, RoadmapTask
from roadmaps.services import request_roadmap
from roadmaps.wishes import Wish
from runs import failpoints
from runs.querysets import seconds_from_now


def requested(user, **options):
    """A queued task."""
    return request_roadmap(Wish("Learn Redis", hours_per_week=6), user=user, **options)


def forked(pk, failpoint=""):
    """A process that works on the task until its end, or until the failpoint; its exit code."""
    connections.close_all()  # a fork must not share a connection
    process = multiprocessing.get_context("fork").Process(target=_work, args=(pk, failpoint))
    process.start()
    process.join()
    return process.exitcode


def _work(pk, failpoint):
    os.setsid()
    if failpoint:
        failpoints._armed = failpoints.Failpoint(failpoint)
    workflow.run_roadmap(pk)
    connections.close_all()


def expire(pk):
    """The lease of whoever died has run out."""
    RoadmapTask.objects.filter(pk=pk).active().update(lease_until=seconds_from_now(-1))


def killed_at_every_passing(pk, place, *, steps):
    """Let one process after the other come to its next passing of the place and die there; how many died.

    What comes before the place in a step is done again by the next process, so it has to pass once more.
    """
    again = place in ("answer.after", "commit.after")  # what was there is kept: the next passing is another step's
    deaths = 0
    for _death in range(steps):
        times = 1 if again or deaths == 0 else 2
        code = forked(pk, f"{place}:{times}")
        if code == 0:
            break
        assert code == -signal.SIGKILL, code
        deaths += 1
        expire(pk)
    assert forked(pk) == 0
    return deaths


class Watched:
    """A task as a test watches it; all waiting outlasts a server that is away."""

    def __init__(self, task):
        self.pk = task.pk

    @property
    def row(self):
        """The task now."""
        return RoadmapTask.objects.get(pk=self.pk)

    @property
    def steps(self):
        """How many steps are done."""
        return RoadmapStep.objects.filter(run=self.pk).count()

    def moves_on(self):
        """Wait for the next step."""
        before = eventually(lambda: self.steps or 1, what="the steps")
        eventually(lambda: self.steps > before or not self.row.is_open, what=f"step {before + 1}")

    def ends(self, timeout=240):
        """Wait for the end; the task."""
        eventually(lambda: not self.row.is_open, timeout=timeout, what="the end of the task")
        return self.row
