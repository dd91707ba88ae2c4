"""What of this room may go by age (access.pruning)."""

from datetime import datetime

from llm.models import LLMCall


class OldAnswers:
    """The text of old answers; the calls with their numbers stay, for the account."""

    def __init__(self, before: datetime) -> None:
        self._calls = LLMCall.objects.with_old_answers(before)

    def count(self) -> int:
        return self._calls.count()

    def delete(self, limit: int) -> int:
        chosen = list(self._calls.order_by("pk").values_list("pk", flat=True)[:limit])
        return LLMCall.objects.filter(pk__in=chosen, raw__isnull=False).update(raw=None) if chosen else 0


def raw_answers(before: datetime) -> OldAnswers:
    """Raw answers of the model."""
    return OldAnswers(before)
