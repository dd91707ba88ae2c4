"""A tree without its faults; and what rules can follow of a reviewer's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from llm.rules.scripts import CHINESE, language_of
from roadmaps.contracts import Edit, Framework, Issue
from roadmaps.planning.curricula import weeks
from roadmaps.planning.feedback import followed
from roadmaps.planning.phrases import listed, say
from roadmaps.structure import concepts, numbered

MOST_NAMED, LONGEST_SUMMARY = 10, 2_000


def mend(framework: Framework, issues: Collection[Issue], feedback: str) -> Edit:
    """The tree as a reviewer wants it, as far as rules can follow; without a reviewer, the tree without its faults.

    What the issues say is found anew in the tree itself: only faults that can be proven are mended.
    """
    language = "zh" if language_of(framework.title) == CHINESE else "en"
    if feedback.strip():
        changed, told = followed(framework, feedback, language)
        return Edit(framework=_summed(changed, framework), modification_summary=told[:LONGEST_SUMMARY])
    return _without_faults(framework, language)


def _without_faults(framework: Framework, language: str) -> Edit:
    mended, changes = framework, []
    for phrase, remedy in REMEDIES.items():
        mended, names = remedy(mended)
        if mended.stages and names:
            shown = names[:MOST_NAMED] + (["…"] if len(names) > MOST_NAMED else [])
            changes.append(say(language, phrase, names=listed(language, shown)))
        if not mended.stages:
            return Edit(framework=framework, modification_summary=say(language, "mend.hopeless"))
    summed = _summed(mended, framework)
    if summed.total_estimated_hours != framework.total_estimated_hours:
        changes.append(say(language, "mend.total"))
    if not changes:
        return Edit(framework=framework, modification_summary=say(language, "mend.nothing"))
    told = say(language, "mend.done", changes=listed(language, changes))
    return Edit(framework=summed, modification_summary=told[:LONGEST_SUMMARY])


def without_empty_parts(framework: Framework) -> tuple[Framework, list[str]]:
    """Without modules that have no concept and stages that have no module, whose ids are told."""
    gone = [module.module_id for stage in framework.stages for module in stage.modules if not module.concepts]
    stages = []
    for stage in framework.stages:
        modules = [module for module in stage.modules if module.concepts]
        if modules:
            stages.append(stage.model_copy(update={"modules": modules}))
        else:
            gone.append(stage.stage_id)
    return framework.model_copy(update={"stages": stages}), gone


def _with_own_ids(framework: Framework) -> tuple[Framework, list[str]]:
    """Every concept with an id of its own, by its place."""
    times = Counter(concept.concept_id for concept in concepts(framework))
    return numbered(framework), [concept_id for concept_id, often in times.items() if often > 1]


def without_missing(framework: Framework) -> tuple[Framework, list[str]]:
    """Without prerequisites that are no concept of the tree."""
    known = {concept.concept_id for concept in concepts(framework)}
    copy, gone = framework.model_copy(deep=True), []
    for concept in concepts(copy):
        gone += [each for each in concept.prerequisites if each not in known]
        concept.prerequisites = [each for each in concept.prerequisites if each in known]
    return copy, list(dict.fromkeys(each.removeprefix("?") for each in gone))


def _without_cycles(framework: Framework) -> tuple[Framework, list[str]]:
    """Each circle cut at one edge: that of its earliest concept, which needs something later."""
    copy, cut = framework.model_copy(deep=True), []
    by_id = {concept.concept_id: concept for concept in concepts(copy)}
    places = {concept_id: place for place, concept_id in enumerate(by_id)}
    while around := _circle({key: concept.prerequisites for key, concept in by_id.items()}):
        # graphlib names each before the one that needs it
        needed, needing = min(pairwise(around), key=lambda edge: (places[edge[1]], edge))
        by_id[needing].prerequisites = [each for each in by_id[needing].prerequisites if each != needed]
        cut.append(f"{needing} → {needed}")
    return copy, cut


def _circle(needs: dict[str, list[str]]) -> list[str]:
    try:
        TopologicalSorter({key: sorted(wanted) for key, wanted in needs.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _summed(changed: Framework, before: Framework) -> Framework:
    """The hours added up again, and the weeks at the pace there was."""
    total = sum_of(concept.estimated_hours for concept in concepts(changed))
    if total == before.total_estimated_hours:
        return changed
    pace = before.total_estimated_hours / before.recommended_completion_weeks
    return changed.model_copy(
        update={"total_estimated_hours": total, "recommended_completion_weeks": weeks(total, pace)}
    )


def sum_of(hours: Iterable[Decimal]) -> Decimal:
    """Exact."""
    return sum(hours, Decimal(0))


REMEDIES: dict[str, Callable[[Framework], tuple[Framework, list[str]]]] = {
    "mend.empty": without_empty_parts,
    "mend.repeated": _with_own_ids,
    "mend.missing": without_missing,
    "mend.cycle": _without_cycles,
}
