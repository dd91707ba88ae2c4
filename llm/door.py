"""The one door to language models: complete().

    completion = llm.door.complete(
        [system("…"), user("…"), source("notes.md", text)],
        schema=Topics, purpose=Purpose("distillation-topics", version=2), run=run,
        by_rules=lambda: rules.topics(keyword, 12),
    )

What was paid for is committed before it is read: when the process dies between the answer and the caller's own
commit, the next attempt of the same run with the same prompt takes the stored answer. A process that dies while
the server is still answering asks again; that call may be billed twice and stays on record as "asked".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from pydantic import BaseModel

from config.language_model import RULES
from llm import budget, openai_endpoint
from llm.answers import BadAnswer, Shape, data_in, shape_of, spoken
from llm.choices import GeneratorKind, LLMError, Outcome
from llm.completions import Completion, Composed, completed_by_model
from llm.errors import failure
from llm.models import LLMCall
from llm.openai_endpoint import Exchange, host_of
from llm.prompts import Message, Purpose, assistant, prompt_hash, user
from runs import failpoints
from runs.models import Run
from runs.transactions import retried
from watch import counters

logger = structlog.get_logger(__name__)

REASKS = 2
REASONS = {"length": Outcome.TRUNCATED, "content_filter": Outcome.WITHHELD}


def complete(
    messages: Sequence[Message],
    *,
    schema: type[BaseModel] | Shape | None = None,
    purpose: Purpose,
    run: Run,
    part: str = "",
    by_rules: Callable[[], Composed] | None = None,
) -> Completion:
    """A text, or with `schema` data that fit it, from the configured model, or from `by_rules` without one.

    `part` names what of the run it is for, where a run may ask the same twice and wants two answers.
    Raises runs.errors.Outage when the server may answer later, RunFailed when a repeat is in vain (slugs of
    LLMError). Must not be called inside a transaction. A model that fails is never replaced by rules.
    """
    shape = shape_of(schema)
    if settings.LLM_PROVIDER == RULES:
        return _composed(by_rules, shape)
    asked = _Question(list(messages), shape, purpose, run, part)
    while True:
        call = asked.answer()
        try:
            text, data = asked.read(call)
        except BadAnswer as fault:
            asked.refuse(call, fault)
            continue
        _note(call, Outcome.OK)
        return completed_by_model(text, data, asked.calls, reused=asked.all_reused)


def forget(run: Run, purpose: Purpose | None = None) -> int:
    """Let the next attempt ask anew although the prompt is the same: a person wants another text. How many."""
    calls = LLMCall.objects.of_run(run).filter(usable=True)
    if purpose is not None:
        calls = calls.filter(purpose=purpose.name)
    return calls.update(usable=False)


def _composed(by_rules: Callable[[], Composed] | None, shape: Shape | None) -> Completion:
    """What rules make of it, held to the same shape."""
    if by_rules is None:
        raise failure(LLMError.NO_RULES)
    made = by_rules()
    data = made.data
    if shape is not None:
        data = shape.read(data.model_dump(mode="json") if isinstance(data, BaseModel) else data)
    return Completion(
        text=made.text,
        data=data,
        provider=RULES,
        model=None,
        generator_kind=GeneratorKind.RULES,
        generator_name=made.name,
        is_outline=made.is_outline,
    )


class _Question:
    """One wish, and the chain of calls that answers it: the first, and up to REASKS that carry the fault."""

    def __init__(self, messages: list[Message], shape: Shape | None, purpose: Purpose, run: Run, part: str) -> None:
        self.messages, self.shape, self.purpose, self.run, self.part = messages, shape, purpose, run, part
        self.model, self.host = settings.LLM_MODEL, host_of(settings.LLM_BASE_URL)
        self.calls: list[LLMCall] = []
        self.all_reused = True

    def answer(self) -> LLMCall:
        """The next call of the chain with its stored answer, perhaps one that an earlier attempt had paid for."""
        key = {
            "run_kind": self.run._meta.label_lower,
            "run_id": str(self.run.pk),
            "purpose": self.purpose.name,
            "prompt_hash": self._hash(),
        }
        there = LLMCall.objects.reusable(**key)
        if there is not None:
            logger.info("llm.reused", call=there.pk, purpose=self.purpose.name)
            self.calls.append(there)
            return there
        budget.check(self.model)
        self.all_reused = False
        call = retried(lambda: self._begin(key))
        self.calls.append(call)
        done = openai_endpoint.exchange(self.messages, self.shape)
        failpoints.reached("answer.before")
        retried(lambda: _store(call, done))
        failpoints.reached("answer.after")
        _count_tokens(call)
        if done.raw is None:
            _count_end(call)
            raise failure(done.outcome, done.error_text, retry_after=done.retry_after)
        return call

    def read(self, call: LLMCall) -> tuple[str, Any]:
        """Text and data of an answer. Raises BadAnswer for what asking again may mend, RunFailed for the rest."""
        if call.finish_reason in REASONS:
            outcome = REASONS[call.finish_reason]
            self._give_up(call, outcome)
            raise failure(outcome)
        text = spoken(call.raw or "")
        return text, data_in(text, self.shape) if self.shape else None

    def refuse(self, call: LLMCall, fault: BadAnswer) -> None:
        """Take the fault into the next prompt. Raises RunFailed after the last re-ask."""
        if len(self.calls) > REASKS:
            self._give_up(call, Outcome.BAD_ANSWER)
            raise failure(Outcome.BAD_ANSWER, fault) from fault
        _note(call, Outcome.BAD_ANSWER)
        self.messages += [
            assistant(call.raw or "…"),
            user(f"That answer cannot be used:\n{fault}\nAnswer again, completely, and correct this."),
        ]

    def _hash(self) -> str:
        schema = self.shape.json_schema if self.shape else None
        return prompt_hash(
            self.messages, purpose=self.purpose, model=self.model, host=self.host, schema=schema, part=self.part
        )

    def _begin(self, key: dict[str, str]) -> LLMCall:
        # durable: inside a caller's transaction the record of what was paid for would vanish with it
        with transaction.atomic(durable=True):
            return LLMCall.objects.create(
                **key,
                provider=settings.LLM_PROVIDER,
                model=self.model,
                host=self.host,
                prompt_version=self.purpose.version,
                run_attempt=self.run.attempt,
                reask=len(self.calls),
            )

    def _give_up(self, call: LLMCall, outcome: Outcome) -> None:
        """The chain led nowhere: whoever tries the run again asks anew."""
        _note(call, outcome)
        LLMCall.objects.filter(pk__in=[each.pk for each in self.calls]).update(usable=False)


def _store(call: LLMCall, done: Exchange) -> None:
    """The answer as it came, before anybody reads it."""
    call.outcome, call.raw = done.outcome, done.raw
    call.finish_reason, call.answer_format = done.finish_reason, done.answer_format
    call.http_attempts, call.http_status, call.seconds = done.http_attempts, done.http_status, done.seconds
    call.tokens_in, call.tokens_out, call.error_text = done.tokens_in, done.tokens_out, done.error_text
    call.cost, call.currency = budget.cost_of(call.model, done.tokens_in, done.tokens_out)
    with transaction.atomic(durable=True):
        call.save(
            update_fields=[
                "outcome", "raw", "finish_reason", "answer_format", "http_attempts", "http_status", "seconds",
                "tokens_in", "tokens_out", "error_text", "cost", "currency",
            ]
        )  # fmt: skip
    logger.info("llm.called", call=call.pk, purpose=call.purpose, outcome=str(call.outcome), seconds=done.seconds)


def _note(call: LLMCall, outcome: Outcome) -> None:
    """How the answer turned out, once it was read."""
    if call.outcome == outcome:
        return
    is_first_reading = call.outcome == Outcome.ANSWERED
    call.outcome = outcome
    LLMCall.objects.filter(pk=call.pk).update(outcome=outcome)
    if is_first_reading:
        _count_end(call)


def _count_end(call: LLMCall) -> None:
    counters.add("pressroom_llm_calls_total", outcome=str(call.outcome), model=call.model)


def _count_tokens(call: LLMCall) -> None:
    for direction, tokens in (("in", call.tokens_in), ("out", call.tokens_out)):
        if tokens:
            counters.add("pressroom_llm_tokens_total", tokens, direction=direction, model=call.model)
