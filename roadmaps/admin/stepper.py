"""The workflow of one task as its page shows it: every step, where it stands, and what each attempt made of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Sum
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from desk.badges import Tone, badge
from roadmaps.admin.links import steps_url
from roadmaps.choices import CONTENT_STEPS, ContentKind, ContentStatus, StepName, TaskStatus
from roadmaps.models import RoadmapStep, RoadmapTask
from runs.choices import StepOutcome

OUTCOME_TONES: dict[str, Tone] = {
    StepOutcome.CREATED: "ok",
    StepOutcome.UPDATED: "info",
    StepOutcome.DONE: "ok",
    StepOutcome.REUSED: "muted",
    StepOutcome.FAILED: "danger",
}
KIND_OF_STEP = {step: kind for kind, step in CONTENT_STEPS.items()}
ONLY_IF_NEEDED = (StepName.ROADMAP_EDIT, StepName.HUMAN_REVIEW)


@dataclass
class Attempt:
    """What one attempt made of a step: the first is 1, each retry one more."""

    number: int
    outcomes: dict[str, int] = field(default_factory=dict)
    milliseconds: int = 0
    tokens: int | None = None

    @property
    def marks(self) -> list[SafeString]:
        """Created, updated, reused, failed; with a number where there are several."""
        return [outcome_badge(outcome, count) for outcome, count in self.outcomes.items()]

    @property
    def took(self) -> str:
        """How long its work was; empty where nothing was done."""
        return length(self.milliseconds) if self.milliseconds else ""


@dataclass(frozen=True)
class StepLine:
    """A step of the workflow."""

    name: str
    label: Any
    state: str  # done, running, waiting, failed, pending, skipped: also the class of its mark
    note: str
    attempts: list[Attempt]
    url: str

    @property
    def mark(self) -> SafeString:
        """Where it stands, in words."""
        label, tone = STATES[self.state]
        return badge(label(), tone)


STATES: dict[str, tuple[Any, Tone]] = {
    "done": (lambda: _("Done"), "ok"),
    "running": (lambda: _("Under way"), "info"),
    "waiting": (lambda: _("Waits for you"), "warning"),
    "failed": (lambda: _("Failed"), "danger"),
    "pending": (lambda: _("To come"), "neutral"),
    "skipped": (lambda: _("Not needed"), "muted"),
}


def outcome_badge(outcome: str, count: int = 1) -> SafeString:
    """Created, updated, done, reused or failed."""
    label = StepOutcome(outcome).label
    return badge(f"{label} {number_format(count)}" if count > 1 else label, OUTCOME_TONES[StepOutcome(outcome)])


def length(milliseconds: int) -> str:
    """A duration as a step has one: 12 ms, 3.4 s, 2 min 5 s."""
    if milliseconds < 1_000:
        return _("%(count)s ms") % {"count": milliseconds}
    if milliseconds < 60_000:
        return _("%(seconds)s s") % {"seconds": number_format(milliseconds / 1_000, 1)}
    seconds = round(milliseconds / 1_000)
    return _("%(minutes)s min %(seconds)s s") % {"minutes": seconds // 60, "seconds": seconds % 60}


def stepper(task: RoadmapTask, states: Mapping[str, Mapping[str, str]]) -> list[StepLine]:
    """All steps in order. `states` tells where the contents of each concept stand."""
    attempts = _attempts(task)
    lines: list[StepLine] = []
    for name in StepName:
        made = attempts.get(name, {})
        state = _state(task, name, made.get(task.retries + 1), states)
        if state == "pending" and not task.is_open and name in ONLY_IF_NEEDED and task.status != TaskStatus.CANCELLED:
            state = "skipped"
        shown = [made[number] for number in sorted(made)]
        url = steps_url(task.pk, step=name.value) if shown else ""
        lines.append(StepLine(name.value, name.label, state, _note(name, states), shown, url))
    return lines


def tokens_of(lines: Iterable[StepLine]) -> int | None:
    """What all attempts together cost; None where no model was asked."""
    known = [each.tokens for line in lines for each in line.attempts if each.tokens is not None]
    return sum(known) if known else None


def _attempts(task: RoadmapTask) -> dict[str, dict[int, Attempt]]:
    """Step → number of the attempt → what became of it; one question however many concepts there are."""
    found: dict[str, dict[int, Attempt]] = defaultdict(dict)
    counted = (
        RoadmapStep.objects.of(task)
        .order_by("retry", "outcome")
        .values_list("step", "retry", "outcome")
        .annotate(count=Count("pk"), time=Sum("milliseconds"), used=Sum("tokens"))
    )
    for step, retry, outcome, count, time, used in counted:
        attempt = found[step].setdefault(retry + 1, Attempt(retry + 1))
        attempt.outcomes[outcome] = count
        attempt.milliseconds += time
        if used is not None:
            attempt.tokens = (attempt.tokens or 0) + used
    return found


def _state(task: RoadmapTask, name: StepName, now: Attempt | None, states: Mapping[str, Mapping[str, str]]) -> str:
    if name in KIND_OF_STEP and states:
        return _state_of_contents(task, KIND_OF_STEP[name], states)
    if name == StepName.HUMAN_REVIEW and task.status == TaskStatus.HUMAN_REVIEW_PENDING:
        return "waiting"
    if task.status == TaskStatus.PROCESSING and task.current_step == name:
        return "running"
    if now is not None and StepOutcome.FAILED in now.outcomes:
        return "failed"
    if now is not None:
        return "done"
    if name == StepName.HUMAN_REVIEW and not task.human_review:
        return "skipped"
    is_beyond = task.current_step in (*KIND_OF_STEP, StepName.FINALIZING)
    return "skipped" if name in ONLY_IF_NEEDED and is_beyond else "pending"


def _state_of_contents(task: RoadmapTask, kind: ContentKind, states: Mapping[str, Mapping[str, str]]) -> str:
    found = {each[kind] for each in states.values()}
    if found == {ContentStatus.COMPLETED}:
        return "done"
    if is_writing(task):
        return "running"
    if task.is_open:
        return "pending"
    return "failed" if ContentStatus.FAILED in found else "pending"


def is_writing(task: RoadmapTask) -> bool:
    """Whether the contents that are pending are being written right now."""
    return task.status == TaskStatus.PROCESSING and task.current_step in KIND_OF_STEP


def _note(name: StepName, states: Mapping[str, Mapping[str, str]]) -> str:
    """How many contents of the kind are there."""
    if name not in KIND_OF_STEP or not states:
        return ""
    done = sum(each[KIND_OF_STEP[name]] == ContentStatus.COMPLETED for each in states.values())
    return f"{number_format(done)} / {number_format(len(states))}"
