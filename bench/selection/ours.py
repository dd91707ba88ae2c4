"""As the product does it: a task and its slots through the ORM and selection.pick(), written by the worker."""

from django.db import transaction

from distillations import generation, selection
from distillations.models import GenerationSlot, GenerationTask
from distillations.writing import Written

TAKEN = 3


def pick() -> None:
    """One task with three slots."""
    _task()


def pick_and_use() -> None:
    """The same, worked on to its end with texts that cost nothing."""
    generation.run_generation(_task().pk, write=_text)


def _task() -> GenerationTask:
    with transaction.atomic():
        task = GenerationTask(requested_count=TAKEN)
        task.save(force_insert=True)
        selection.pick(task)
    return task


def _text(slot: GenerationSlot, task: GenerationTask) -> Written:
    return Written(slot.question, slot.question, provider="rules", generator_kind="rules", generator_name="bench")
