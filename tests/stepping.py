"""A workflow of three steps over a document task, each of which leaves one row; and what it leaves."""

from etl.models import DocumentStep, ETLRule, ETLTask, Project
from runs.lease import Lease
from runs.steps import Done, Steps

NAMES = ("first", "second", "third")
SCHEMA = {"type": "object"}


def a_task(**values):
    """A queued task that no worker knows of."""
    project = Project.objects.get_or_create(name="p")[0]
    given = {"filename": "a.txt", "media": "txt", "file": "0/source", "sha256": "0" * 64, "size": 1, "result": {}}
    return ETLTask.objects.create(project=project, **(given | values))


def claimed(task, *, names=NAMES, on_begin=None):
    """(lease, steps) of a task that this process takes."""
    lease = Lease.take(ETLTask, task.pk)
    assert lease is not None
    return lease, Steps(lease, ETLTask.objects.get(pk=task.pk), DocumentStep, names=names, on_begin=on_begin)


def leave_row(name):
    """The effect of a step: one row more, so that a step that ran twice shows."""

    def store(output):
        ETLRule.objects.create(name=name, json_schema=SCHEMA)
        return True

    return store


def work_through(pk, asked):
    """All three steps of the task, one after the other; `asked(name)` is told of each that runs."""
    lease = Lease.take(ETLTask, pk)
    if lease is None:
        return
    with lease:
        steps = Steps(lease, ETLTask.objects.get(pk=pk), DocumentStep, names=NAMES)
        before = None
        for name in NAMES:
            before = steps.do(
                name, inputs={"after": before}, work=lambda name=name: _ask(name, asked), store=leave_row(name)
            )


def _ask(name, asked):
    asked(name)
    return Done({"made": name})


def rows():
    """How often each step left its row."""
    return sorted(ETLRule.objects.values_list("name", flat=True))
