"""What a task's steps did in each of its attempts, and what a retry gave them that they had not had before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from roadmaps.choices import StepName
from roadmaps.models import RoadmapStep, RoadmapTask

MOST_CHANGES, LONGEST_TEXT = 20, 200  # of a step


def steps_of(task: RoadmapTask) -> list[RoadmapStep]:
    """Its steps as they happened, each with `changes`: how its input differs from that of the attempt before.

    [{"pointer", "before", "after"}], single values by RFC 6901 in the order of their pointers, cut to what a person
    reads; empty where the input is the same, and None for a step that no earlier attempt had.
    """
    steps = list(RoadmapStep.objects.of(task).in_order().defer("input", "output"))
    earlier: dict[tuple[str, str], RoadmapStep] = {}
    pairs: list[tuple[RoadmapStep, RoadmapStep]] = []
    for step in steps:
        before = earlier.get((step.step, step.key))
        step.changes = None if before is None else []  # type: ignore[attr-defined]
        if before is not None and before.input_hash != step.input_hash:
            pairs.append((before, step))
        earlier[step.step, step.key] = step
    inputs = _inputs({step.pk for pair in pairs for step in pair})
    for before, step in pairs:
        step.changes = changes(inputs[before.pk], inputs[step.pk])  # type: ignore[attr-defined]
    return steps


def changes(before: Any, after: Any) -> list[dict[str, Any]]:
    """Where two inputs differ: the first 20 values, long texts cut."""
    return [
        {"pointer": pointer, "before": _short(old), "after": _short(new)}
        for pointer, old, new in islice(differences(before, after), MOST_CHANGES)
    ]


def differences(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Pointer, value before and value after of every single value that differs between two inputs; None: not there."""
    old, new = dict(_values(before)), dict(_values(after))
    for pointer in sorted({*old, *new}):
        if old.get(pointer) != new.get(pointer):
            yield pointer, old.get(pointer), new.get(pointer)


def step_before(step: RoadmapStep) -> RoadmapStep | None:
    """The same step in the last attempt before that had it."""
    same = RoadmapStep.objects.filter(run=step.run_id, step=step.step, key=step.key, retry__lt=step.retry)
    return same.order_by("-retry").first()


def last_check(task: RoadmapTask) -> list[dict[str, Any]]:
    """The issues of the structure check that ran last or was used again, whatever rounds an earlier wish took."""
    checks = RoadmapStep.objects.of(task).filter(step=StepName.STRUCTURE_VALIDATION).usable()
    last = checks.in_order().last()
    return last.output["issues"] if last else []


def _inputs(keys: set[int]) -> dict[int, Any]:
    return dict(RoadmapStep.objects.filter(pk__in=keys).values_list("pk", "input")) if keys else {}


def _values(data: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value of JSON with its pointer."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _values(value, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from _values(value, f"{pointer}/{place}")
    else:
        yield pointer, data


def _short(value: Any) -> Any:
    return f"{value[:LONGEST_TEXT]}…" if isinstance(value, str) and len(value) > LONGEST_TEXT else value
