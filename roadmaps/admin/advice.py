"""What to do about a task that did not come to its end."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from llm.choices import LLMError
from roadmaps.choices import RoadmapError
from roadmaps.models import RoadmapTask
from runs.choices import RunError

_MODEL_LATER = _("The language model did not answer. Retry later; what is finished is not asked for again.")
_MODEL_SETTINGS = _("Somebody has to look at the account or the settings of the language model; then retry.")
_MODEL_ANSWER = _("The language model answered with something that cannot be used. Retry, or change the wish.")

ADVICE: dict[str, Any] = {
    RoadmapError.VALIDATION_FAILED: _(
        "Retry to have the structure checked and mended anew, or change the wish: fewer topics help."
    ),
    RoadmapError.UNKNOWN_TOPIC: _("Change the wish to a topic that is known, then retry."),
    RoadmapError.NO_PLACE_FOR_ID: _("Retry; another id is drawn."),
    RoadmapError.CONTENT_FAILED: _("Retry makes only the contents that failed; those that are finished stay."),
    RoadmapError.SOME_CONTENT_FAILED: _("Retry makes only the contents that failed; those that are finished stay."),
    RoadmapError.REJECTED: _("Retry to review the tree once more, or change the wish."),
    RoadmapError.REVIEW_IN_VAIN: _("Retry to review the tree once more and ask in other words, or change the wish."),
    RoadmapError.NOT_STORABLE: _MODEL_ANSWER,
    RunError.WORKER_LOST: _("Retry goes on at the first step that is not finished. If it happens again, see the log."),
    RunError.INTERNAL_ERROR: _("The log has the details. Retry goes on at the step that failed."),
    RunError.UNKNOWN_STEP: _("It was begun by another version. Restart makes everything anew."),
    LLMError.BAD_ANSWER: _MODEL_ANSWER,
    LLMError.TRUNCATED: _MODEL_ANSWER,
    LLMError.WITHHELD: _MODEL_ANSWER,
    LLMError.BUSY: _MODEL_LATER,
    LLMError.FAILING: _MODEL_LATER,
    LLMError.TIMEOUT: _MODEL_LATER,
    LLMError.UNREACHABLE: _MODEL_LATER,
    LLMError.BUDGET_SPENT: _("The budget is for a day: retry tomorrow, or have it raised."),
    LLMError.KEY_REFUSED: _MODEL_SETTINGS,
    LLMError.NO_CREDIT: _MODEL_SETTINGS,
    LLMError.CONTEXT_TOO_LONG: _("Shorten motivation and background with “Change the wish”."),
    LLMError.REQUEST_REFUSED: _MODEL_SETTINGS,
    LLMError.NO_PRICE: _MODEL_SETTINGS,
}


def advice_for(task: RoadmapTask) -> Any:
    """A sentence for the error of a task; empty without one."""
    return ADVICE.get(task.error, _("Retry goes on at the step that failed.")) if task.error else ""
