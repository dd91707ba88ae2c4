"""What makes a tree sound: pure, and asked before any model (document 004, "validation fails closed")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter

from roadmaps.contracts import ConceptDesign, Framework, Issue, Judgement

WEIGHTS = {
    "completeness": Decimal("0.30"),
    "progression": Decimal("0.25"),
    "coherence": Decimal("0.20"),
    "module_clarity": Decimal("0.15"),
    "user_alignment": Decimal("0.10"),
}
PER_CRITICAL, PER_WARNING = 10, 5
UNKNOWN = "?"


def concepts(framework: Framework) -> Iterator[ConceptDesign]:
    """All concepts, in the order in which they are learnt."""
    for stage in framework.stages:
        for module in stage.modules:
            yield from module.concepts


def needed(framework: Framework, concept: ConceptDesign) -> list[str]:
    """The names of its prerequisites that are in the tree."""
    names = {each.concept_id: each.name for each in concepts(framework)}
    return [names[each] for each in concept.prerequisites if each in names]


def numbered(framework: Framework) -> Framework:
    """The tree with ids and order by place (stage-N, mod-S-N, c-S-M-N), prerequisites following their concepts.

    A model counts badly, and ids are keys. A prerequisite that names no concept keeps its name, as a fault to be found;
    of concepts that shared an id the first is meant.
    """
    new_ids: dict[str, str] = {}
    stages = []
    for s, stage in enumerate(framework.stages, start=1):
        modules = []
        for m, module in enumerate(stage.modules, start=1):
            placed = []
            for n, concept in enumerate(module.concepts, start=1):
                new_ids.setdefault(concept.concept_id, f"c-{s}-{m}-{n}")
                placed.append(concept.model_copy(update={"concept_id": f"c-{s}-{m}-{n}"}))
            modules.append(module.model_copy(update={"module_id": f"mod-{s}-{m}", "concepts": placed}))
        stages.append(stage.model_copy(update={"stage_id": f"stage-{s}", "order": s, "modules": modules}))
    result = framework.model_copy(update={"stages": stages}, deep=True)
    for concept in concepts(result):
        renamed = [new_ids.get(each, _unknown(each)) for each in concept.prerequisites]
        concept.prerequisites = list(dict.fromkeys(renamed))
    return result


def _unknown(name: str) -> str:
    """A name that is no old id, marked once, lest it fall on what has that place now."""
    return name if name.startswith(UNKNOWN) else UNKNOWN + name


def faults(framework: Framework) -> list[Issue]:
    """Every hard fault, each of them critical: ids that come twice, prerequisites that are not there, cycles, stages
    and modules without anything in them."""
    return [
        *_empty_parts(framework),
        *_repeated_ids(framework),
        *_missing_prerequisites(framework),
        *_cycles(framework),
    ]


def score(judgement: Judgement) -> Decimal:
    """The five soft scores weighted, less 10 for each critical issue and 5 for each warning, at least 0."""
    weighted = sum((WEIGHTS[name] * getattr(judgement.scores, name) for name in WEIGHTS), Decimal(0))
    severities = Counter(issue.severity for issue in judgement.issues)
    less = PER_CRITICAL * severities["critical"] + PER_WARNING * severities["warning"]
    return max(Decimal(0), weighted - less).quantize(Decimal("0.1"))


def changed_parts(before: Framework, after: Framework) -> list[str]:
    """Ids of concepts, modules and stages that are new, gone or different."""
    old, new = _parts(before), _parts(after)
    return sorted(each for each in old.keys() | new.keys() if old.get(each) != new.get(each))


def _parts(framework: Framework) -> dict[str, object]:
    found: dict[str, object] = {}
    for stage in framework.stages:
        found[stage.stage_id] = (stage.name, stage.description)
        for module in stage.modules:
            found[module.module_id] = (module.name, module.description)
            found |= {concept.concept_id: concept.model_dump() for concept in module.concepts}
    return found


def _empty_parts(framework: Framework) -> Iterator[Issue]:
    for stage in framework.stages:
        if not stage.modules:
            yield _fault(stage.stage_id, f"The stage {stage.name!r} has no module.", "Give it one or leave it out.")
        for module in stage.modules:
            if not module.concepts:
                yield _fault(
                    module.module_id, f"The module {module.name!r} has no concept.", "Give it one or leave it out."
                )


def _repeated_ids(framework: Framework) -> Iterator[Issue]:
    times = Counter(concept.concept_id for concept in concepts(framework))
    for concept_id, often in times.items():
        if often > 1:
            yield _fault(concept_id, f"The id {concept_id} is that of {often} concepts.", "Give each its own.")


def _missing_prerequisites(framework: Framework) -> Iterator[Issue]:
    known = {concept.concept_id for concept in concepts(framework)}
    for concept in concepts(framework):
        for missing in [each for each in concept.prerequisites if each not in known]:
            yield _fault(
                concept.concept_id,
                f"The prerequisite {missing} of {concept.name!r} is not in the roadmap.",
                "Add the concept or drop the prerequisite.",
            )


def _cycles(framework: Framework) -> Iterator[Issue]:
    """One fault for the first cycle found: cutting it may well cut others."""
    needs = {concept.concept_id: set(concept.prerequisites) for concept in concepts(framework)}
    try:
        TopologicalSorter({each: wanted & needs.keys() for each, wanted in needs.items()}).prepare()
    except CycleError as error:
        around = list(error.args[1])
        yield _fault(
            around[0], f"These concepts need each other: {' → '.join(around)}.", "Drop one prerequisite of them."
        )


def _fault(location: str, issue: str, suggestion: str) -> Issue:
    return Issue(severity="critical", category="structural_flaw", location=location, issue=issue, suggestion=suggestion)
