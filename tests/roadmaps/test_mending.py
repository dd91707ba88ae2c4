"""A tree is mended of each fault, and a reviewer is followed as far as rules can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadmaps import planner, structure
from roadmaps.contracts import Edit, Framework
from roadmaps.wishes import Wish


def tree(query="Learn Redis", **kwargs):
    wish = Wish(query, **kwargs).checked()
    return planner.curriculum(wish, planner.intent(wish))


def by_name(framework):
    return {concept.name: concept for concept in structure.concepts(framework)}


def mended(framework, *, feedback=""):
    edit = planner.mend(framework, structure.faults(framework), feedback)
    assert Edit.model_validate(edit.model_dump()) == edit
    return edit


def with_missing(framework):
    by_name(framework)["Streams"].prerequisites.append("c-9-9-9")


def with_cycle(framework):
    keys, streams = by_name(framework)["Keys and expiry"], by_name(framework)["Streams"]
    keys.prerequisites.append(streams.concept_id)


def with_itself(framework):
    keys = by_name(framework)["Keys and expiry"]
    keys.prerequisites.append(keys.concept_id)


def with_empty_module(framework):
    framework.stages[1].modules[0].concepts.clear()


def with_empty_stage(framework):
    framework.stages[1].modules.clear()


def with_same_id(framework):
    by_name(framework)["Streams"].concept_id = by_name(framework)["Lists"].concept_id


FAULTS = [with_missing, with_cycle, with_itself, with_empty_module, with_empty_stage, with_same_id]


@given(st.lists(st.sampled_from(FAULTS[:3] + FAULTS[5:]), max_size=4), st.sampled_from([None, *FAULTS[3:5]]))
def test_every_mix_of_faults_is_mended(spoilers, last):
    framework = tree()
    for spoil in (*spoilers, *([last] if last else [])):
        spoil(framework)
    edit = mended(framework)
    assert structure.faults(edit.framework) == []
    assert structure.numbered(edit.framework) == edit.framework
    assert edit.framework.total_estimated_hours == sum(
        concept.estimated_hours for concept in structure.concepts(edit.framework)
    )


@pytest.mark.parametrize("spoil", FAULTS)
def test_each_fault_is_found_mended_and_told(spoil):
    framework = tree()
    spoil(framework)
    assert structure.faults(framework)
    edit = mended(framework)
    assert structure.faults(edit.framework) == []
    assert edit.modification_summary.startswith("Mended by rules: ")


def test_a_cycle_loses_one_edge_and_no_concept():
    whole, framework = tree(), tree()
    with_cycle(framework)
    assert mended(framework).framework == whole


def test_a_sound_tree_is_left_as_it_is():
    framework = tree()
    edit = mended(framework)
    assert edit.framework == framework
    assert "nothing was changed" in edit.modification_summary


def test_a_tree_without_any_concept_cannot_be_mended_and_says_so():
    framework = tree()
    for stage in framework.stages:
        stage.modules.clear()
    edit = mended(framework)
    assert edit.framework == framework
    assert "cannot mend" in edit.modification_summary


@pytest.mark.parametrize(
    "feedback",
    [
        "Remove Streams",
        "please remove the concept “Streams”.",
        "delete streams",
        "去掉 Streams",
        "请删除“Streams”概念。",
    ],
)
def test_a_named_concept_is_removed(feedback):
    whole = tree()
    edit = mended(whole, feedback=feedback)
    assert by_name(whole).keys() - by_name(edit.framework).keys() == {"Streams"}
    assert structure.faults(edit.framework) == []
    assert edit.framework.total_estimated_hours == whole.total_estimated_hours - 3
    assert "removed “Streams”" in edit.modification_summary


def test_what_needed_a_removed_concept_needs_what_that_needed():
    edit = mended(tree(), feedback="Remove Persistence")
    names = {concept.concept_id: concept.name for concept in structure.concepts(edit.framework)}
    followers = by_name(edit.framework)["Replication and failover"].prerequisites
    assert [names[each] for each in followers] == ["Server and client"]


def test_several_are_removed_and_a_module_with_its_concepts():
    edit = mended(tree(), feedback="Remove Lists and Sets; drop the module Working safely")
    assert not {"Lists", "Sets", "Transactions", "Pipelining", "Lua scripts"} & by_name(edit.framework).keys()
    assert structure.faults(edit.framework) == []


def test_a_chinese_roadmap_is_answered_in_chinese():
    edit = mended(tree("学习 Redis"), feedback="删除流；缩短列表到0.5小时")
    assert "流" not in by_name(edit.framework)
    assert by_name(edit.framework)["列表"].estimated_hours == pytest.approx(0.5)
    assert edit.modification_summary == "规则已修正：去掉了“流”、“列表”改为 0.5 小时。"


def test_a_concept_is_shortened_to_half_or_to_what_is_said():
    half = mended(tree(), feedback="shorten Streams").framework
    stated = mended(tree(), feedback="Shorten Streams to 2 hours").framework
    assert (by_name(half)["Streams"].estimated_hours, by_name(stated)["Streams"].estimated_hours) == (1.5, 2)
    assert stated.total_estimated_hours == tree().total_estimated_hours - 1


@pytest.mark.parametrize(
    "feedback",
    [
        "More practice, please",
        "Don't remove Streams",
        "不要太难",
        "Remove everything about quantum knitting",
        "Remove Streams and quantum knitting",
        "Shorten Streams to 900 hours",
        "Shorten Streams to 0 hours",
        "Remove First steps and make it nicer",
        "remove",
    ],
)
def test_what_rules_cannot_follow_changes_nothing_and_is_said(feedback):
    framework = tree()
    edit = mended(framework, feedback=feedback)
    assert edit.framework == framework
    assert "Not followed" in edit.modification_summary
    assert "Nothing was changed." in edit.modification_summary


def test_what_can_be_followed_is_and_the_rest_is_named():
    edit = mended(tree(), feedback="Remove Streams. Add more jokes.")
    assert "Streams" not in by_name(edit.framework)
    assert "Not followed: “Add more jokes”" in edit.modification_summary


def test_the_last_concept_cannot_be_removed():
    framework = Framework.model_validate(tree().model_dump())
    framework.stages[1:] = []
    framework.stages[0].modules[0].concepts[1:] = []
    edit = mended(framework, feedback=f"Remove {framework.stages[0].modules[0].concepts[0].name}")
    assert list(structure.concepts(edit.framework)) == list(structure.concepts(framework))
