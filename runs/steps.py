"""A small step runner: what a step made is committed together with the record that it was made.

So a run that is killed between or inside steps goes on at the first one without a record, and no finished step runs
again, unless its input changed or a person had it made anew. The workflow is an ordinary function that calls do() for
each step; there is no graph, and the record of a step is found by its name. Durable engines with a connection of their
own cannot commit a step's effects and its checkpoint in one transaction (docs/architecture.md, "Steps").
"""

from __future__ import annotations

import contextvars
import hashlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from django.db import connection

from api.codec import canonical
from runs import failpoints
from runs.choices import RunError, StepOutcome
from runs.errors import LeaseLost, RunFailed
from runs.lease import Lease, is_nobodys_fault
from runs.models import RunWithSteps, StepRecord
from runs.transactions import atomic_retried
from runs.upsert import upsert

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Done:
    """What a step's work gives: JSON, and what it cost if a language model was asked."""

    output: Any
    tokens: int | None = None


Work = Callable[[], Done]
Store = Callable[[Any], bool | None]  # writes the domain's rows; True: made, False: brought up to date, None: neither
Fail = Callable[[RunFailed], None]  # writes what the failure means
Begin = Callable[[str, str], None]


def input_hash(value: Any) -> str:
    """The fingerprint of a step's input, whatever the order of its keys."""
    return hashlib.sha256(canonical(value)).hexdigest()


@dataclass(frozen=True)
class _Wish:
    """What is asked of one step."""

    name: str
    key: str
    work: Work
    inputs: Any
    input_hash: str  # of before the work, which may change what it is given
    store: Store | None
    fail: Fail | None
    run_values: Mapping[str, Any]
    contained: bool
    ends_run: bool

    @property
    def place(self) -> tuple[str, str]:
        """Where its record is found."""
        return self.name, self.key


@dataclass(frozen=True)
class _Begun:
    """A step that is being made."""

    wish: _Wish
    attempts: int
    began: float  # of the monotonic clock
    cleared: Mapping[str, Any]  # values of the run that were set for the time of the work only

    def as_values(self) -> dict[str, Any]:
        """What its record says however it ends, which is now."""
        return {
            "input_hash": self.wish.input_hash,
            "input": self.wish.inputs,
            "attempts": self.attempts,
            "milliseconds": round(1000 * (time.monotonic() - self.began)),
        }


class Steps:
    """The steps of one claimed run, whose records are of `records`."""

    def __init__(
        self,
        lease: Lease,
        run: RunWithSteps,
        records: type[StepRecord],
        *,
        names: Collection[str],
        on_begin: Begin | None = None,
    ) -> None:
        """`names` are all steps of the workflow; `on_begin(step, key)` is told of each that has to run.

        Raises RunFailed ("unknown-step") when the run has records of other steps: a renamed one would run a second
        time, or what hangs on it would be taken for done.
        """
        self.lease, self.run, self.records = lease, run, records
        self.names = frozenset(names)
        self.on_begin = on_begin
        self._attempts = max(1, run.attempt)  # of the first step that this claim runs; those after it begin fresh
        # of several the latest wins; outputs may be long, so each is read when it is asked for
        kept = records.objects.of(run).in_order().defer("output", "input")
        self._made = {(record.step, record.key): record for record in kept.usable()}
        self._failed = {(record.step, record.key): record for record in kept.failed_in(run.retries)}
        unknown = sorted({step for step, _key in self._made} - self.names)
        if unknown:
            raise RunFailed(RunError.UNKNOWN_STEP, ", ".join(unknown))

    def do(
        self,
        name: str,
        *,
        work: Work,
        inputs: Any,
        store: Store | None = None,
        fail: Fail | None = None,
        key: str = "",
        run_values: Mapping[str, Any] | None = None,
        is_there: Callable[[], bool] | None = None,
        contained: bool = False,
        ends_run: bool = False,
    ) -> Any:
        """The step's output: kept from before if its input is the same, else made by `work` and committed.

        `work` runs outside of any transaction and may take minutes. `store` writes what the output means, in the one
        transaction that begins with the fence, sets `run_values` on the run and ends with the step's record; `fail`
        does so for a failure. With `ends_run` it begins with `store` instead, whose first write ends the run: then
        that is the fence. `inputs` is JSON with everything the output depends on: wishes, prompt versions, outputs of
        earlier steps. `is_there` is asked of a kept output: whether what it means still stands; if not, it is stored
        again. With `contained` an unexpected exception is a failure of this step ("internal-error") and not of the run.
        Raises RunFailed after its reason was kept, and again without work in the next attempt, until a person retries;
        what else `work` and `store` raise; LeaseLost when the run is no longer ours.
        """
        assert name in self.names, name
        wish = _Wish(
            name,
            key,
            work=work,
            inputs=inputs,
            input_hash=input_hash(inputs),
            store=store,
            fail=fail,
            run_values=run_values or {},
            contained=contained,
            ends_run=ends_run,
        )
        kept = self._usable(wish)
        if kept is None:
            return self._made_anew(wish)
        return self._reused(kept, store if is_there is not None and not is_there() else None)

    def do_each(
        self, name: str, works: Mapping[str, Callable[[], Any]], *, side_by_side: int
    ) -> dict[str, RunFailed | Any]:
        """Run `works`, each of which calls do() for its own key, several side by side; what each gave, by key.

        An expected failure (RunFailed) of one is its result and stops no other. Anything else (the lease is lost, a
        server is away) lets those that have begun come to their end, begins no more, and is raised.
        """
        made: dict[str, RunFailed | Any] = {}
        left, broken = iter(works.items()), threading.Event()

        def take_turns() -> None:
            """Work on one after the other, over one connection."""
            try:
                while not broken.is_set() and (turn := next(left, None)) is not None:
                    key, work = turn
                    made[key] = _result_of(work)
            except BaseException:
                broken.set()
                raise
            finally:
                connection.close()

        with ThreadPoolExecutor(side_by_side, thread_name_prefix=f"{name}-{self.run.pk}") as pool:
            ended = [pool.submit(contextvars.copy_context().run, take_turns) for _thread in range(side_by_side)]
            try:
                wait(ended)
            finally:  # nothing is left to begin, or nothing more shall: the worker is stopped
                broken.set()
        for each in ended:
            each.result()
        return {key: made[key] for key in works}

    def _usable(self, wish: _Wish) -> StepRecord | None:
        """What was made of the same input before. Raises RunFailed when that failed since a person last retried."""
        made = self._made.get(wish.place)
        if made is not None and made.input_hash == wish.input_hash:
            return made
        failed = self._failed.get(wish.place)
        if failed is not None and failed.input_hash == wish.input_hash:
            raise RunFailed(failed.error, failed.error_text)
        return None

    def _made_anew(self, wish: _Wish) -> Any:
        """The output of its work, committed; its failure is raised when it is kept."""
        begun = self._begin(wish)
        try:
            done = wish.work()
            failpoints.reached("model.after")
            row = atomic_retried(partial(self._commit, begun, done))
        except Exception as error:
            failure = _failure(error, contained=wish.contained)
            if failure is None:
                raise
            self._made.pop(wish.place, None)  # its row may now be that of the failure
            atomic_retried(partial(self._keep, begun, failure))
            logger.warning("step.failed", step=wish.name, key=wish.key, error=failure.slug)
            raise failure from error
        self._made[wish.place] = row
        failpoints.reached("commit.after")
        logger.info("step.done", step=wish.name, key=wish.key, outcome=row.outcome, milliseconds=row.milliseconds)
        return row.output  # so that what hangs on it is the same for who reads it again

    def _begin(self, wish: _Wish) -> _Begun:
        """Tell that it begins, and count it: the first step of a claim has the claim's attempts."""
        if self.on_begin is not None:
            self.on_begin(wish.name, wish.key)
        attempts, self._attempts = self._attempts, 1
        cleared = self._named_should_it_be_the_last(wish) if attempts >= self.run.max_attempts else {}
        begun = _Begun(wish, attempts, time.monotonic(), cleared)
        logger.info("step.started", step=wish.name, key=wish.key)
        failpoints.reached("model.before")
        return begun

    def _commit(self, begun: _Begun, done: Done) -> StepRecord:
        """The effects of what was made and its record, behind the fence; within one transaction."""
        wish = begun.wish
        if not wish.ends_run:
            self.lease.advance(**begun.cleared, **wish.run_values)
        outcome = _outcome(wish.store(done.output) if wish.store else None)
        assert self.lease.has_ended or not wish.ends_run, wish.name
        row = self._record(
            wish.name, wish.key, output=done.output, tokens=done.tokens, outcome=outcome, **begun.as_values()
        )
        row.refresh_from_db(fields=["output"])  # jsonb gives 1e22 and -0.0 back as others
        failpoints.reached("commit.before")
        return row

    def _keep(self, begun: _Begun, failure: RunFailed) -> None:
        """What the failure means and its record, behind the fence; within one transaction."""
        wish = begun.wish
        self.lease.advance(**begun.cleared, **wish.run_values)
        if wish.fail is not None:
            wish.fail(failure)
        why = {"error": failure.slug, "error_text": failure.text}
        self._record(wish.name, wish.key, outcome=StepOutcome.FAILED, **why, **begun.as_values())

    def _named_should_it_be_the_last(self, wish: _Wish) -> dict[str, str]:
        """Say on the run what its last attempt begins with, and give what takes that back: should the worker die of it
        once more, the reaper knows only that it did."""
        begins = f"{wish.name} {wish.key}".strip()
        if not self.lease.model.objects.heartbeat(self.run.pk, self.lease.token, error_text=begins):
            raise LeaseLost
        return {"error_text": ""}

    def _reused(self, made: StepRecord, store: Store | None) -> Any:
        """The output of a record, stored again with `store`; one of an earlier retry is noted as reused in this one."""
        is_of_now = made.retry == self.run.retries

        def use_again() -> StepRecord:
            self.lease.advance()
            if store is not None:
                store(made.output)
            return made if is_of_now else self._noted_as_reused(made)

        if store is not None or not is_of_now:
            made = self._made[made.step, made.key] = atomic_retried(use_again)
        return made.output

    def _noted_as_reused(self, made: StepRecord) -> StepRecord:
        kept = {"input_hash": made.input_hash, "input": made.input, "output": made.output}
        return self._record(made.step, made.key, outcome=StepOutcome.REUSED, **kept)

    def _record(self, step: str, key: str, **values: Any) -> StepRecord:
        fresh = {"output": None, "error": "", "error_text": "", "tokens": None, "is_void": False}
        row, _created = upsert(
            self.records,
            unique={"run_id": self.run.pk, "retry": self.run.retries, "step": step, "key": key},
            values=fresh | values,
        )
        return row


def _failure(error: Exception, *, contained: bool) -> RunFailed | None:
    """What is kept of an exception as the step's failure; None when it says nothing of the step."""
    if isinstance(error, RunFailed):
        return error
    if not contained or is_nobodys_fault(error):
        return None
    logger.error("step.crashed", exc_info=error)
    return RunFailed(RunError.INTERNAL_ERROR, type(error).__name__)


def _outcome(stored: bool | None) -> StepOutcome:
    if stored is None:
        return StepOutcome.DONE
    return StepOutcome.CREATED if stored else StepOutcome.UPDATED


def _result_of(work: Callable[[], Any]) -> RunFailed | Any:
    """What it gives, an expected failure too."""
    try:
        return work()
    except RunFailed as failure:
        return failure
