"""The worker of a roadmap: from a wish to a tree whose every concept has its contents.

    intent_analysis → curriculum_design → structure_validation ⇄ roadmap_edit → human_review (if asked for)
    → tutorial_generation, resource_recommendation, quiz_generation for every concept, side by side → finalizing

Each is a step of runs.steps: killed anywhere, the workflow goes on at the first step that was not committed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Value
from django.db.models.functions import Greatest
from pydantic import BaseModel

from config.language_model import RULES
from llm.choices import GeneratorKind
from llm.completions import Completion, Composed
from llm.door import complete
from llm.prompts import Message, Purpose
from roadmaps import planner, prompts, storing, structure
from roadmaps.choices import CONTENT_STEPS, ContentKind, ContentStatus, EditOrigin, RoadmapError, StepName, TaskStatus
from roadmaps.contents import making_of
from roadmaps.contracts import ConceptDesign, Edit, Framework, Intent, Issue, Judgement
from roadmaps.models import Concept, HumanReview, Roadmap, RoadmapStep, RoadmapTask
from roadmaps.wishes import Wish
from runs.errors import LeaseLost, RunFailed
from runs.lease import Lease
from runs.steps import Done, Steps, input_hash
from runs.transactions import atomic_retried

logger = structlog.get_logger(__name__)

MOST_EDITS = 3  # between two reviews (document 004)
# of attempts in which the worker died before anything was made: then one content at a time, now from one end, now from
# the other, so that the one it dies of is left in the end, and named
ALONE_FROM = 3
INTENT_DONE, CURRICULUM_DONE, STRUCTURE_DONE, CONTENTS_DONE = 5, 15, 30, 95  # percent
BY_HARD_CHECKS = {"generator_kind": GeneratorKind.RULES, "generator_name": "structure/1", "generator_model": None}

M = TypeVar("M", bound=BaseModel)


def run_roadmap(pk: UUID) -> None:
    """Work on one task until it has ended or waits for a person; do nothing when it is not to be had."""
    lease = Lease.take(RoadmapTask, pk)
    if lease is None:
        return
    with lease:
        Workflow(lease, RoadmapTask.objects.select_related("roadmap").get(pk=pk)).work()


class Workflow:
    """One claimed task at work."""

    def __init__(self, lease: Lease, task: RoadmapTask) -> None:
        self.lease, self.task = lease, task
        self.wish = Wish.from_json(task.user_request)
        self.steps = Steps(lease, task, RoadmapStep, names=StepName.values, on_begin=self._begin)
        self._shown, self._settled, self._lock = task.current_step, 0, threading.Lock()

    def work(self) -> None:
        """All steps in order, up to a review that nobody has made yet."""
        intent = self._intent()
        framework = self._reviewed(self._valid(self._curriculum(intent)))
        if framework is not None:
            self._contents(framework)
            self._finalize()

    def _intent(self) -> Intent:
        def store(made: Any) -> bool:
            return storing.store_intent(self.task, Intent.model_validate(made["data"]), made["generator"])

        return self._asked(
            StepName.INTENT_ANALYSIS,
            Intent,
            prompts.INTENT,
            prompts.intent(self.wish),
            by_rules=lambda: planner.intent(self.wish),
            inputs={"wish": self.wish.as_json()},
            store=store,
            progress=INTENT_DONE,
        )

    def _curriculum(self, intent: Intent) -> Framework:
        def store(made: Any) -> bool:
            return storing.store_curriculum(self.task, Framework.model_validate(made["data"]), made["generator"])

        return self._asked(
            StepName.CURRICULUM_DESIGN,
            Framework,
            prompts.CURRICULUM,
            prompts.curriculum(self.wish, intent.model_dump()),
            by_rules=lambda: planner.curriculum(self.wish, intent),
            inputs={"wish": self.wish.as_json(), "intent": intent.model_dump()},
            store=store,
            finish=structure.numbered,
            progress=CURRICULUM_DONE,
        )

    def _valid(self, framework: Framework, *, edits: int = 0) -> Framework:
        """The tree once it has no critical issue; with a review wanted also one that three edits did not mend.

        Raises RunFailed ("validation-failed") for such a one otherwise.
        """
        for attempt in range(MOST_EDITS + 1):
            issues = self._validated(framework, edits + attempt + 1)
            if not any(issue.severity == "critical" for issue in issues):
                return self._standing(framework)
            if attempt < MOST_EDITS:
                framework = self._edited(framework, edits + attempt + 1, issues=issues)
        if self.task.human_review:
            return self._standing(framework)
        raise RunFailed(RoadmapError.VALIDATION_FAILED, "; ".join(issue.issue for issue in issues))

    def _standing(self, framework: Framework) -> Framework:
        """The tree, which is the roadmap's now: steps that are used again stored it before another wish did."""

        def put() -> None:
            self.lease.advance()
            storing.store_framework(self.task, framework)

        if not Roadmap.objects.filter(pk=self.task.roadmap_id, framework=storing.as_json(framework)).exists():
            atomic_retried(put)
        return framework

    def _validated(self, framework: Framework, number: int) -> list[Issue]:
        """What is wrong with the tree: its hard faults; if it has none, what a model finds."""

        def work() -> Done:
            issues = structure.faults(framework)
            made = self._judged(framework) if not issues and settings.LLM_PROVIDER != RULES else None
            return Done(
                {
                    "issues": [issue.model_dump() for issue in (made.data.issues if made else issues)],
                    "judged": made.data.model_dump() if made else None,
                    "generator": made.generator if made else BY_HARD_CHECKS,
                },
                tokens=made.usage.tokens if made else None,
            )

        def store(made: Any) -> bool:
            judged = Judgement.model_validate(made["judged"]) if made["judged"] else None
            return storing.store_validation(self.task, number, _issues(made), judged, made["generator"])

        made = self.steps.do(
            StepName.STRUCTURE_VALIDATION,
            key=str(number),
            inputs={"wish": self.wish.as_json(), "framework": storing.as_json(framework), "by": _by(prompts.JUDGEMENT)},
            work=work,
            store=store,
            run_values={"progress": STRUCTURE_DONE},
        )
        return _issues(made)

    def _judged(self, framework: Framework) -> Completion | None:
        """What a model says of it. One that cannot judge passes nothing: the hard checks alone decide then."""
        try:
            return complete(
                prompts.judgement(self.wish, framework), schema=Judgement, purpose=prompts.JUDGEMENT, run=self.task
            )
        except RunFailed as failure:
            logger.warning("structure.not_judged", task_id=str(self.task.pk), error=failure.slug)
            return None

    def _edited(self, framework: Framework, number: int, *, issues: list[Issue], feedback: str = "") -> Framework:
        origin = EditOrigin.REVIEW if feedback else EditOrigin.VALIDATION

        def store(made: Any) -> bool:
            edit = Edit.model_validate(made["data"])
            return storing.store_edit(
                self.task,
                number,
                before=framework,
                edit=edit,
                origin=origin,
                feedback=feedback,
                generator=made["generator"],
            )

        edit = self._asked(
            StepName.ROADMAP_EDIT,
            Edit,
            prompts.EDIT,
            prompts.edit(self.wish, framework, issues, feedback),
            key=str(number),
            by_rules=lambda: planner.mend(framework, issues, feedback),
            inputs={
                "wish": self.wish.as_json(),
                "framework": storing.as_json(framework),
                "issues": [issue.model_dump() for issue in issues],
                "feedback": feedback,
            },
            store=store,
            finish=lambda made: made.model_copy(update={"framework": structure.numbered(made.framework)}),
            progress=STRUCTURE_DONE,
        )
        return edit.framework

    def _reviewed(self, framework: Framework) -> Framework | None:
        """The tree that a person approved, perhaps after changes; None while the task waits for one to look at it.

        Raises RunFailed for a refusal, and for changes that lead back to a tree that was reviewed before.
        """
        edits, followed = MOST_EDITS, set[int]()
        while self.task.human_review:
            review = HumanReview.objects.of(self.task, storing.as_json(framework))
            if review is None:
                self.lease.park(TaskStatus.HUMAN_REVIEW_PENDING, current_step=StepName.HUMAN_REVIEW)
                return None
            if review.pk in followed:
                raise RunFailed(RoadmapError.REVIEW_IN_VAIN, review.feedback)
            self.steps.do(
                StepName.HUMAN_REVIEW,
                key=str(review.round),
                inputs={"review": review.pk, "approved": review.approved, "feedback": review.feedback},
                work=partial(Done, {"approved": review.approved, "feedback": review.feedback}),
            )
            if review.approved:
                return framework
            if not review.feedback:
                raise RunFailed(RoadmapError.REJECTED)
            changed = self._edited(framework, edits + 1, issues=[], feedback=review.feedback)
            followed.add(review.pk)
            if changed != framework:
                framework = self._valid(changed, edits=edits + 1)
            edits += MOST_EDITS + 1
        return framework

    def _contents(self, framework: Framework) -> None:
        """Tutorial, resources and quiz of every concept; what fails as expected is noted and stops no other."""
        concepts = list(structure.concepts(framework))
        states = Concept.objects.states_of(str(self.task.roadmap_id))
        works = {
            f"{kind}:{concept.concept_id}": self._content(
                kind, framework, concept, is_there=states[concept.concept_id][kind] == ContentStatus.COMPLETED
            )
            for concept in concepts
            for kind in ContentKind
        }
        self._settled, self._total = 0, len(works)
        side_by_side = settings.ROADMAPS_SIDE_BY_SIDE
        if self.task.attempt >= ALONE_FROM:
            side_by_side = 1
            if self.task.attempt % 2:
                works = dict(reversed(works.items()))
        self.steps.do_each("contents", works, side_by_side=side_by_side)

    def _content(
        self, kind: ContentKind, framework: Framework, concept: ConceptDesign, *, is_there: bool
    ) -> Callable[[], Any]:
        contract, purpose, ask, plan, keep = making_of(kind)

        def store(made: Any) -> bool:
            return keep(self.task, concept.concept_id, contract.model_validate(made["data"]), made["generator"])

        def note(failure: RunFailed) -> None:
            storing.note_content(str(self.task.roadmap_id), concept.concept_id, kind, error=failure.slug)

        def work() -> None:
            self._asked(
                CONTENT_STEPS[kind],
                contract,
                purpose,
                ask(self.wish, framework, concept),
                key=concept.concept_id,
                by_rules=lambda: plan(self.wish, framework, concept),
                inputs={
                    "wish": self.wish.as_json(),
                    "title": framework.title,
                    "concept": concept.model_dump(),
                    "needed": structure.needed(framework, concept),
                    # the planner looks around in the tree, a model is not shown it
                    "tree": input_hash(storing.as_json(framework)) if settings.LLM_PROVIDER == RULES else None,
                },
                store=store,
                fail=note,
                is_there=lambda: is_there,
                contained=True,
                progress=self._share_settled(),
            )

        return work

    def _share_settled(self) -> int:
        with self._lock:
            self._settled += 1
            return STRUCTURE_DONE + (CONTENTS_DONE - STRUCTURE_DONE) * self._settled // self._total

    def _finalize(self) -> None:
        """Whether every concept has what it needs, and the end of the task; one transaction."""
        states = Concept.objects.states_of(str(self.task.roadmap_id))
        self.steps.do(
            StepName.FINALIZING,
            # the number of the retry, too: what became of a retry is never that of an earlier one
            inputs={"retry": self.task.retries, "states": states},
            work=lambda: Done(_summary(states)),
            store=self._finish,
        )

    def _finish(self, summary: dict[str, Any]) -> None:
        failed = summary["failedConcepts"]
        values = {"progress": 100, "failed_concepts": failed, "summary": summary, "current_step": StepName.FINALIZING}
        share = f"{len(failed)} / {summary['concepts']}"
        if not failed:
            self.lease.finish(TaskStatus.COMPLETED, **values)
        elif 2 * len(failed) >= summary["concepts"]:
            self.lease.finish(TaskStatus.FAILED, error=RoadmapError.CONTENT_FAILED, error_text=share, **values)
        else:
            error = RoadmapError.SOME_CONTENT_FAILED
            self.lease.finish(TaskStatus.PARTIAL_FAILURE, error=error, error_text=share, **values)

    def _asked(
        self,
        step: StepName,
        contract: type[M],
        purpose: Purpose,
        messages: list[Message],
        *,
        by_rules: Callable[[], M],
        inputs: dict[str, Any],
        store: Callable[[Any], bool],
        fail: Callable[[RunFailed], None] | None = None,
        is_there: Callable[[], bool] | None = None,
        contained: bool = False,
        key: str = "",
        finish: Callable[[M], M] = lambda made: made,
        progress: int,
    ) -> M:
        """A step that a model answers, or the planner without one; its answer held to the contract."""

        def work() -> Done:
            def composed() -> Composed:
                return Composed(data=by_rules(), name=planner.NAME)

            made = complete(messages, schema=contract, purpose=purpose, run=self.task, by_rules=composed)
            return Done({"data": finish(made.data).model_dump(), "generator": made.generator}, tokens=made.usage.tokens)

        made = self.steps.do(
            step,
            key=key,
            inputs=inputs | {"by": _by(purpose)},
            work=work,
            store=store,
            fail=fail,
            is_there=is_there,
            contained=contained,
            # of contents that are made side by side an earlier one may be committed later
            run_values={"progress": Greatest("progress", Value(progress))},
        )
        return contract.model_validate(made["data"])

    def _begin(self, step: str, key: str) -> None:
        """Say what is being done, once for each step however many concepts it has."""
        self.lease.check()
        logger.info(f"{step}_started", task_id=str(self.task.pk), key=key)
        if step != self._shown:
            self._shown = step
            if not RoadmapTask.objects.heartbeat(self.task.pk, self.lease.token, current_step=step):
                raise LeaseLost


def _by(purpose: Purpose) -> dict[str, Any]:
    """Who is asked, and in which words: another model or another prompt has the step made anew."""
    return {"provider": settings.LLM_PROVIDER, "model": settings.LLM_MODEL, "version": purpose.version}


def _issues(made: Mapping[str, Any]) -> list[Issue]:
    return [Issue.model_validate(issue) for issue in made["issues"]]


def _summary(states: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """How many concepts there are, how many contents of each kind are done, and which concepts lack one."""
    failed = [
        concept for concept, kinds in states.items() if any(each != ContentStatus.COMPLETED for each in kinds.values())
    ]
    done = {
        kind: sum(kinds[kind] == ContentStatus.COMPLETED for kinds in states.values()) for kind in ContentKind.values
    }
    return {"concepts": len(states), "failedConcepts": failed, "completed": done}
