"""The words of this room: who wrote a text, and how a call of a model ended."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class GeneratorKind(TextChoices):
    """Who wrote a text."""

    RULES = "rules", _("Rule-based, no language model")
    LLM = "llm", _("Written by a language model")
    MANUAL = "manual", _("Written by hand")
    IMPORTED = "imported", _("Imported; who wrote it is not known")


class Outcome(TextChoices):
    """How one call ended. Those that begin with llm- are also why a run failed or waits (LLMError)."""

    ASKING = "asking", _("Asked, no answer yet")
    ANSWERED = "answered", _("Answered, not yet read")
    OK = "ok", _("Good answer")
    BAD_ANSWER = "llm-bad-answer", _("The answer does not fit what was asked for")
    TRUNCATED = "llm-truncated", _("The answer was cut off")
    WITHHELD = "llm-withheld", _("The model withheld its answer")
    BUSY = "llm-busy", _("The model's server is busy")
    FAILING = "llm-failing", _("The model's server fails")
    TIMEOUT = "llm-timeout", _("The model did not answer in time")
    UNREACHABLE = "llm-unreachable", _("The model's server cannot be reached")
    KEY_REFUSED = "llm-key-refused", _("The model's server refuses the key")
    NO_CREDIT = "llm-no-credit", _("The account at the model's server has no credit left")
    CONTEXT_TOO_LONG = "llm-context-too-long", _("The text is longer than the model can read")
    REQUEST_REFUSED = "llm-request-refused", _("The model's server refuses the request")


# these brought an answer, which was paid for
ANSWERED = (Outcome.ANSWERED, Outcome.OK, Outcome.BAD_ANSWER, Outcome.TRUNCATED, Outcome.WITHHELD)


class LLMError(TextChoices):
    """Why a run that needs a text may fail, or wait; known to every kind of run."""

    BAD_ANSWER = Outcome.BAD_ANSWER.value, Outcome.BAD_ANSWER.label
    TRUNCATED = Outcome.TRUNCATED.value, Outcome.TRUNCATED.label
    WITHHELD = Outcome.WITHHELD.value, Outcome.WITHHELD.label
    BUSY = Outcome.BUSY.value, Outcome.BUSY.label
    FAILING = Outcome.FAILING.value, Outcome.FAILING.label
    TIMEOUT = Outcome.TIMEOUT.value, Outcome.TIMEOUT.label
    UNREACHABLE = Outcome.UNREACHABLE.value, Outcome.UNREACHABLE.label
    KEY_REFUSED = Outcome.KEY_REFUSED.value, Outcome.KEY_REFUSED.label
    NO_CREDIT = Outcome.NO_CREDIT.value, Outcome.NO_CREDIT.label
    CONTEXT_TOO_LONG = Outcome.CONTEXT_TOO_LONG.value, Outcome.CONTEXT_TOO_LONG.label
    REQUEST_REFUSED = Outcome.REQUEST_REFUSED.value, Outcome.REQUEST_REFUSED.label
    BUDGET_SPENT = "llm-budget-spent", _("The daily budget of the language model is used up")
    NO_PRICE = "llm-no-price", _("The daily budget cannot be kept: the model has no price in its currency")
    NO_RULES = "llm-no-rules", _("This needs a language model; rules alone cannot do it")
