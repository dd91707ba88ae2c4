"""Trees: ids by place, every fault found, and the score as document 004 counts it."""

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadmaps import structure
from roadmaps.contracts import ConceptDesign, DimensionScores, Framework, Issue, Judgement, ModuleDesign, StageDesign

IDS = st.sampled_from([f"c-{s}-{m}-{n}" for s in (1, 2) for m in (1, 2) for n in (1, 2, 3)])
NAMES = IDS | st.sampled_from(["?c-9-9-9", "c-9-9-9", "Basics", "?"])


def concept(concept_id, prerequisites=()):
    return ConceptDesign(
        concept_id=concept_id, name=concept_id, description="d", estimated_hours=1, difficulty="easy",
        prerequisites=list(prerequisites),
    )  # fmt: skip


def framework(*stages):
    """A tree from stages of modules of concepts."""
    return Framework(
        title="t",
        total_estimated_hours=1,
        recommended_completion_weeks=1,
        stages=[
            StageDesign(
                stage_id=f"stage-{s}",
                name=f"S{s}",
                order=s,
                modules=[
                    ModuleDesign(module_id=f"mod-{s}-{m}", name=f"M{s}.{m}", concepts=module)
                    for m, module in enumerate(modules, start=1)
                ],
            )
            for s, modules in enumerate(stages, start=1)
        ],
    )


def trees(ids=IDS, names=NAMES):
    """Any tree as a model may give it: ids twice, prerequisites of all sorts, parts without anything."""
    some = st.builds(concept, ids, st.lists(names, max_size=3))
    return st.lists(st.lists(st.lists(some, max_size=3), max_size=2), min_size=1, max_size=2).map(
        lambda stages: framework(*stages)
    )


def sound_trees():
    """Trees without a fault: whatever is needed comes earlier."""

    @st.composite
    def draw_tree(draw):
        placed, stages = [], []
        for s in range(1, draw(st.integers(1, 2)) + 1):
            modules = []
            for m in range(1, draw(st.integers(1, 2)) + 1):
                module = []
                for n in range(1, draw(st.integers(1, 3)) + 1):
                    earlier = draw(st.lists(st.sampled_from(placed), max_size=2, unique=True)) if placed else []
                    placed.append(f"c-{s}-{m}-{n}")
                    module.append(concept(placed[-1], earlier))
                modules.append(module)
            stages.append(modules)
        return framework(*stages)

    return draw_tree()


def ids(tree):
    return [each.concept_id for each in structure.concepts(tree)]


# --- Numbering -------------------------------------------------------------------------------------


@given(trees())
def test_numbering_gives_each_its_place_and_numbering_again_changes_nothing(tree):
    once = structure.numbered(tree)
    assert max(Counter(ids(once)).values(), default=1) == 1
    for s, stage in enumerate(once.stages, start=1):
        assert (stage.stage_id, stage.order) == (f"stage-{s}", s)
        for m, module in enumerate(stage.modules, start=1):
            assert module.module_id == f"mod-{s}-{m}"
            assert [each.concept_id for each in module.concepts] == [
                f"c-{s}-{m}-{n}" for n in range(1, len(module.concepts) + 1)
            ]
    assert structure.numbered(once) == once


@given(trees())
def test_numbering_changes_nothing_of_what_a_concept_teaches_and_nothing_of_its_argument(tree):
    before = tree.model_dump()
    after = structure.numbered(tree)
    assert [each.name for each in structure.concepts(after)] == [each.name for each in structure.concepts(tree)]
    assert tree.model_dump() == before


@given(trees())
def test_prerequisites_follow_their_concepts_and_unknown_ones_stay_unknown(tree):
    first = {}
    for each in structure.concepts(tree):
        first.setdefault(each.concept_id, each.name)
    names = {each.concept_id: each.name for each in structure.concepts(structure.numbered(tree))}
    for old, new in zip(structure.concepts(tree), structure.concepts(structure.numbered(tree)), strict=True):
        known = {first[each] for each in old.prerequisites if each in first}
        assert {names[each] for each in new.prerequisites if each in names} == known
        assert any(each not in first for each in old.prerequisites) == any(
            each not in names for each in new.prerequisites
        )


@given(sound_trees())
def test_a_sound_tree_is_its_own_numbering_and_has_no_fault(tree):
    assert structure.numbered(tree) == tree
    assert structure.faults(tree) == []


# --- Faults ----------------------------------------------------------------------------------------


def nth(tree, number):
    every = list(structure.concepts(tree))
    return every[number % len(every)]


@given(sound_trees(), st.integers(0, 99))
def test_a_planted_prerequisite_that_is_not_there_is_found(tree, number):
    victim = nth(tree, number)
    victim.prerequisites.append("c-9-9-9")
    found = structure.faults(tree)
    assert [(each.location, each.severity) for each in found] == [(victim.concept_id, "critical")]
    assert "c-9-9-9" in found[0].issue


@given(sound_trees(), st.integers(0, 99))
def test_a_planted_cycle_is_found(tree, number):
    """Two concepts that need each other; where there is one only, it needs itself."""
    one, other = nth(tree, number), nth(tree, number + 1)
    one.prerequisites.append(other.concept_id)
    other.prerequisites.append(one.concept_id)
    (fault,) = structure.faults(tree)
    assert fault.severity == "critical"
    assert "need each other" in fault.issue


@given(sound_trees(), st.integers(0, 99), st.integers(0, 99))
def test_a_planted_id_that_comes_twice_is_found(tree, number, other):
    one, twin = nth(tree, number), nth(tree, other)
    if one is twin:
        return
    twin.concept_id = one.concept_id
    assert f"The id {one.concept_id} is that of 2 concepts." in [each.issue for each in structure.faults(tree)]


@given(sound_trees(), st.integers(0, 99))
def test_a_planted_empty_module_and_an_empty_stage_are_found(tree, number):
    stage = tree.stages[number % len(tree.stages)]
    stage.modules.append(ModuleDesign(module_id="mod-1-9", name="M"))
    tree.stages.append(StageDesign(stage_id="stage-9", name="S", order=9))
    assert sorted(each.location for each in structure.faults(tree)) == ["mod-1-9", "stage-9"]


@given(trees())
def test_faults_are_none_exactly_when_the_tree_can_be_learnt_in_some_order(tree):
    """Against another way to find out: learn whatever is possible, until nothing is left."""
    every = list(structure.concepts(tree))
    learnt = set()
    while ready := [each for each in every if each.concept_id not in learnt and set(each.prerequisites) <= learnt]:
        learnt |= {each.concept_id for each in ready}
    empty = any(not stage.modules or any(not module.concepts for module in stage.modules) for stage in tree.stages)
    doubled = len(set(ids(tree))) != len(every)
    stuck = {each.concept_id for each in every} - learnt
    assert bool(structure.faults(tree)) == bool(empty or doubled or stuck)


# --- The score -------------------------------------------------------------------------------------

PERCENT = st.integers(0, 100)
SEVERITIES = st.lists(st.sampled_from(["critical", "warning"]), max_size=12)


@given(PERCENT, PERCENT, PERCENT, PERCENT, PERCENT, SEVERITIES)
def test_the_score_is_the_weighted_sum_less_ten_and_five_and_never_below_nothing(
    completeness, progression, coherence, module_clarity, user_alignment, severities
):
    scores = DimensionScores(
        completeness=completeness, progression=progression, coherence=coherence, module_clarity=module_clarity,
        user_alignment=user_alignment,
    )  # fmt: skip
    found = [Issue(severity=each, category="user_mismatch", location="stage-1", issue="x") for each in severities]
    twentieths = 6 * completeness + 5 * progression + 4 * coherence + 3 * module_clarity + 2 * user_alignment
    twentieths -= 200 * severities.count("critical") + 100 * severities.count("warning")
    score = structure.score(Judgement(scores=scores, issues=found))
    assert abs(20 * score - max(0, twentieths)) <= 1  # rounded to a tenth
    assert 0 <= score <= 100
    assert score == score.quantize(Decimal("0.1"))


def test_the_weights_are_the_documents():
    assert {name: float(weight) for name, weight in structure.WEIGHTS.items()} == {
        "completeness": 0.30, "progression": 0.25, "coherence": 0.20, "module_clarity": 0.15, "user_alignment": 0.10,
    }  # fmt: skip


# --- What changed ----------------------------------------------------------------------------------


@given(sound_trees())
def test_nothing_changed_between_a_tree_and_itself(tree):
    assert structure.changed_parts(tree, tree.model_copy(deep=True)) == []


@given(sound_trees(), st.integers(0, 99))
def test_exactly_the_changed_concept_is_named(tree, number):
    after = tree.model_copy(deep=True)
    nth(after, number).name = "Other"
    assert structure.changed_parts(tree, after) == [nth(tree, number).concept_id]


@pytest.mark.parametrize("place", ["stage", "module"])
def test_a_renamed_part_and_what_is_gone_are_named(place):
    before = framework([[concept("c-1-1-1")], [concept("c-1-2-1")]])
    after = before.model_copy(deep=True)
    part = after.stages[0] if place == "stage" else after.stages[0].modules[0]
    part.name = "Other"
    del after.stages[0].modules[1]
    named = "stage-1" if place == "stage" else "mod-1-1"
    assert structure.changed_parts(before, after) == sorted([named, "mod-1-2", "c-1-2-1"])
