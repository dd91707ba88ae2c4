"""Which ends of a call let the run wait, and which fail it."""

from typing import Any

from llm.choices import LLMError, Outcome
from runs.errors import Outage, RunFailed

WAITS = frozenset({Outcome.BUSY, Outcome.FAILING, Outcome.TIMEOUT, Outcome.UNREACHABLE})


class ModelAway(Outage):
    """The model's server is busy, fails, is silent or cannot be reached: nothing was answered."""

    def __init__(self, slug: str, text: str, retry_after: float = 0) -> None:
        super().__init__(text)
        self.slug, self.retry_after = slug, retry_after


def failure(slug: LLMError | Outcome, text: Any = "", *, retry_after: float = 0) -> Outage | RunFailed:
    """What to raise for this end."""
    text = str(text) or str(slug.label)
    return ModelAway(slug.value, text, retry_after) if slug in WAITS else RunFailed(slug.value, text)
