"""What a step of a roadmap costs beside what makes its content: whole tasks whose contents are known beforehand.

The planner's answers are remembered from a first task, so that what is left is the workflow's own: claiming, fences,
contracts, upserts, records, progress, threads and their connections.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.signals import connection_created

from bench.measure import Meter, Sample
from roadmaps import planner, workflow
from roadmaps.choices import StepName
from roadmaps.models import RoadmapStep, RoadmapTask
from roadmaps.services import RetryWish, request_roadmap, retry_roadmap
from roadmaps.wishes import Wish

WISH = Wish("Learn Redis", hours_per_week=6)


class Remembered:
    """The planner, each of whose answers is made once."""

    NAME = planner.NAME

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], Any] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        make = getattr(planner, name)

        def answered(*asked: Any) -> Any:
            key = (name, getattr(asked[-1], "concept_id", ""))
            if key not in self._made:
                self._made[key] = make(*asked)
            return self._made[key]

        return answered


def run(design: str, rows: int) -> Iterator[Sample]:
    """One round: roadmaps made one content after the other, side by side, and tried again with nothing to make."""
    workflow.planner = Remembered()  # type: ignore[assignment]
    _worked([_requested()])
    for kind, side_by_side in (("one after the other", 1), ("side by side", settings.ROADMAPS_SIDE_BY_SIDE)):
        settings.ROADMAPS_SIDE_BY_SIDE = side_by_side
        yield _measured(design, kind, [_requested() for _task in range(rows)])
    yield _measured(
        design, "tried again, all reused", [_tried_again(task) for task in RoadmapTask.objects.all()[:rows]]
    )


def _measured(design: str, kind: str, tasks: list[RoadmapTask]) -> Sample:
    before = RoadmapStep.objects.count()
    with Meter(with_ended=True) as meter:
        _worked(tasks)
    steps = RoadmapStep.objects.count() - before
    notes = {"msPerStep": 1000 * meter.seconds / steps, "queriesPerStep": _queries_per_step()}
    return meter.sample(design, kind, steps, notes=notes)


def _worked(tasks: list[RoadmapTask]) -> None:
    for task in tasks:
        workflow.run_roadmap(task.pk)
    assert not RoadmapTask.objects.filter(pk__in=[task.pk for task in tasks]).exclude(status="completed").exists()


def _requested() -> RoadmapTask:
    return request_roadmap(WISH, user=None, actor="bench")


def _tried_again(task: RoadmapTask) -> RoadmapTask:
    """All of it is reused but its end."""
    return retry_roadmap(task, RetryWish(from_step=StepName.FINALIZING), actor="bench").task


@cache
def _queries_per_step() -> float:
    """Of one more roadmap, from the claim to the end, transactions' BEGIN and COMMIT not counted."""
    asked: list[int] = []

    def counted(execute: Callable[..., Any], *arguments: Any) -> Any:
        asked.append(1)
        return execute(*arguments)

    def count(sender: Any, connection: Any, **_more: Any) -> None:
        if counted not in connection.execute_wrappers:  # opened again
            connection.execute_wrappers.append(counted)

    task, before = _requested(), RoadmapStep.objects.count()
    connection_created.connect(count, weak=False)
    connection.close()
    try:
        _worked([task])
    finally:
        connection_created.disconnect(count)
        connection.execute_wrappers.remove(counted)
    return len(asked) / (RoadmapStep.objects.count() - before)
