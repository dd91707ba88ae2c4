"""Steps under everything that can befall a run, in any order: effects are records, and what is kept is not made again.

A model in plain Python says after each deed what the database must hold.
"""

import contextlib

import pytest
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from etl.models import DocumentStep, ETLTask
from runs.errors import LeaseLost, RunFailed
from runs.querysets import seconds_from_now
from runs.steps import Done
from stepping import a_task, claimed, leave_row, rows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long, pytest.mark.timeout(900)]

NAMES = ("first", "second")
names, inputs = st.sampled_from(NAMES), st.integers(1, 2)


class Life(RuleBasedStateMachine):
    """One task, its present holder, and those that were taken for dead."""

    def __init__(self):
        super().__init__()
        ETLTask.objects.all().delete()
        self.task = a_task(max_attempts=1000)
        self.effects_before = len(rows())
        self.holder, self.frozen = None, []
        self.kept = {}  # (retry, step) → input, None for a failure
        self.void, self.committed, self.retry, self.is_final = set(), 0, 0, False

    @property
    def row(self):
        return ETLTask.objects.get(pk=self.task.pk)

    def usable(self, step):
        """The input of the latest record that may be used."""
        usable = [retry for (retry, name), value in self.kept.items() if name == step and value is not None]
        usable = [retry for retry in usable if (retry, step) not in self.void]
        return self.kept[max(usable), step] if usable else None

    def keep(self, step, value):
        self.kept[self.retry, step] = value
        self.void.discard((self.retry, step))

    @precondition(lambda self: self.holder is None and not self.is_final)
    @rule()
    def claim(self):
        self.holder = claimed(self.task, names=NAMES)

    @precondition(lambda self: self.holder)
    @rule(step=names, value=inputs)
    def do(self, step, value):
        worked = []
        expected = self.usable(step) != value
        _lease, steps = self.holder
        work = lambda: worked.append(1) or Done({"of": value, "as": 1e22})  # noqa: E731
        made = steps.do(step, inputs=value, work=work, store=leave_row(step))
        assert (made["of"], bool(worked)) == (value, expected)
        self.committed += expected
        self.keep(step, value)

    @precondition(lambda self: self.holder)
    @rule(step=names)
    def fail(self, step):
        def fails():
            raise RunFailed("needs_ocr")

        _lease, steps = self.holder
        with pytest.raises(RunFailed):
            steps.do(step, inputs="never kept", work=fails, store=leave_row(step))
        self.keep(step, None)
        self.kill()  # what its earlier retry kept is found by the next claim

    @precondition(lambda self: self.holder)
    @rule()
    def kill(self):
        """Without a word: the lease runs out, and the reaper gives the task back."""
        ETLTask.objects.filter(pk=self.task.pk).update(lease_until=seconds_from_now(-1))
        with transaction.atomic():
            assert ETLTask.objects.requeue_expired() == [self.task.pk]
        self.frozen.append(self.holder)
        self.holder = None

    @precondition(lambda self: self.frozen)
    @rule(step=names)
    def wake(self, step):
        """Who was taken for dead does its work at last."""
        _lease, steps = self.frozen.pop()
        with pytest.raises(LeaseLost):
            steps.do(step, inputs="too late", work=lambda: Done("too late"), store=leave_row(step))

    @precondition(lambda self: self.holder)
    @rule(status=st.sampled_from(["completed", "failed"]))
    def finish(self, status):
        lease, _steps = self.holder
        lease.finish(status, error="needs_ocr" if status == "failed" else "")
        self.holder, self.is_final = None, True

    @precondition(lambda self: self.holder)
    @rule(step=names)
    def die_in_the_commit(self, step):
        """Effects and end alike are gone with the transaction."""
        lease, steps = self.holder

        def store(made):
            leave_row(step)(made)
            lease.finish("completed")
            raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt), lease:
            steps.do(step, inputs="rolled back", work=lambda: Done({}), store=store)
        assert self.row.status == "pending"
        self.frozen.append(self.holder)
        self.holder = None

    @rule()
    def cancel(self):
        assert ETLTask.objects.cancel(self.task.pk) != self.is_final
        self.is_final = True
        if self.holder:
            self.frozen.append(self.holder)
            self.holder = None

    @rule(voided=st.sets(names))
    def reopen(self, voided):
        was_final = self.is_final
        if was_final:
            DocumentStep.objects.of(self.task).filter(step__in=voided).make_void()
            self.void |= {key for key in self.kept if key[1] in voided}
        assert ETLTask.objects.reopen(self.task.pk, of=ETLTask.STATUSES.final) == was_final
        self.retry += was_final
        self.is_final = False

    @invariant()
    def effects_are_the_steps_committed(self):
        assert len(rows()) - self.effects_before == self.committed

    @invariant()
    def what_is_kept_is_what_the_model_kept(self):
        kept = DocumentStep.objects.of(self.task).values_list("retry", "step", "input", "outcome", "is_void")
        assert {
            (retry, step): (None if outcome == "failed" else value, is_void)
            for retry, step, value, outcome, is_void in kept
        } == {key: (value, key in self.void) for key, value in self.kept.items()}

    @invariant()
    def a_lease_is_held_exactly_by_the_holder(self):
        assert self.row.lease_token == (self.holder[0].token if self.holder else None)


def test_no_order_of_events_loses_an_effect_or_makes_a_kept_step_again():
    run_state_machine_as_test(Life, settings=settings(stateful_step_count=25))
