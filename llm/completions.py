"""What the door hands out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from llm.choices import GeneratorKind
from llm.generator import generator_label
from llm.models import LLMCall


@dataclass(frozen=True)
class Usage:
    """What a completion used, its re-asks included. None: the server did not say, or no price is known."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: Decimal | None = None
    currency: str = ""
    calls: int = 0

    @property
    def tokens(self) -> int | None:
        """Both ways together."""
        return None if self.tokens_in is None or self.tokens_out is None else self.tokens_in + self.tokens_out


@dataclass(frozen=True)
class Composed:
    """What rules make of the same wish: a text or data, with the name and version of the rules.

    `is_outline` says that there was nothing to quote from, so that it is a frame and no text.
    """

    text: str = ""
    data: Any = None
    name: str = "rules/1"
    is_outline: bool = False


@dataclass(frozen=True)
class Completion:
    """A text, or data that fit the schema, and where they come from."""

    text: str
    data: Any
    provider: str
    model: str | None
    generator_kind: str
    generator_name: str
    usage: Usage = field(default_factory=Usage)
    reused: bool = False  # answered by what an earlier attempt had paid for
    is_outline: bool = False

    @property
    def generator_label(self) -> str:
        """What is said of the text wherever it is shown."""
        return generator_label(self.generator_kind, self.model)

    @property
    def generator(self) -> dict[str, Any]:
        """The fields of llm.generator.Generated."""
        return {
            "generator_kind": self.generator_kind,
            "generator_name": self.generator_name,
            "generator_model": self.model,
        }


def completed_by_model(text: str, data: Any, calls: list[LLMCall], *, reused: bool) -> Completion:
    """The last of these calls brought the answer."""
    last = calls[-1]
    return Completion(
        text=text,
        data=data,
        provider=last.provider,
        model=last.model,
        generator_kind=GeneratorKind.LLM,
        generator_name=last.provider,
        usage=usage_of(calls),
        reused=reused,
    )


def usage_of(calls: list[LLMCall]) -> Usage:
    """The sum; unknown as soon as one part of it is."""
    currencies = {call.currency for call in calls}
    return Usage(
        tokens_in=_sum(call.tokens_in for call in calls),
        tokens_out=_sum(call.tokens_out for call in calls),
        cost=_sum(call.cost for call in calls) if len(currencies) == 1 else None,
        currency=currencies.pop() if len(currencies) == 1 else "",
        calls=len(calls),
    )


def _sum(parts: Iterable[Any]) -> Any:
    known = list(parts)
    return None if any(part is None for part in known) else sum(known)
