"""A wish becomes a roadmap: every step once, and again only where it must."""

import json
from decimal import Decimal

import pytest

from config.language_model import RULES
from llm.models import LLMCall
from roadmaps import planner, structure, workflow
from roadmaps.choices import ContentKind, RoadmapError, StepName, Strategy
from roadmaps.contracts import Edit, Framework
from roadmaps.models import (
    Concept,
    CurriculumDesignMetadata,
    IntentAnalysisMetadata,
    QuizMetadata,
    ResourceRecommendationMetadata,
    Roadmap,
    RoadmapEditRecord,
    RoadmapStep,
    StructureValidationRecord,
    TutorialMetadata,
)
from roadmaps.services import RetryWish, cancel_roadmap, decide, request_roadmap, retry_concept, retry_roadmap
from roadmaps.wishes import Wish
from runs.errors import Conflict, RunFailed

pytestmark = pytest.mark.django_db(transaction=True)

REDIS = Wish("Learn Redis", hours_per_week=6)


@pytest.fixture
def requested(operator, small_trees):
    """requested(wish, **options): a queued task of the operator, for a small tree."""

    def make(wish=REDIS, **options):
        return request_roadmap(wish, user=operator, **options)

    return make


def worked(task):
    workflow.run_roadmap(task.pk)
    task.refresh_from_db()
    return task


def kept(task, **of):
    return list(RoadmapStep.objects.of(task).in_order().filter(**of).values_list("step", "key", "outcome"))


def broken(framework, *, times=99):
    """The planner's tree with a prerequisite that is not there, in the first `times` trees it gives."""
    left = [times]

    def curriculum(wish, intent):
        made = framework(wish, intent)
        if left[0] > 0:
            left[0] -= 1
            next(structure.concepts(made)).prerequisites.append("c-9-9-9")
        return made

    return curriculum


def test_a_wish_becomes_a_whole_roadmap_with_every_content(operator):
    task = worked(request_roadmap(REDIS, user=operator))
    assert (task.status, task.progress, task.error) == ("completed", 100, "")
    roadmap = Roadmap.objects.get()
    assert task.roadmap == roadmap
    assert roadmap.roadmap_id.startswith("redis-")
    concepts = list(Concept.objects.in_order())
    assert len(concepts) == len(list(structure.concepts(Framework.model_validate(roadmap.framework))))
    assert {(each.tutorial_status, each.resources_status, each.quiz_status) for each in concepts} == {
        ("completed",) * 3
    }
    for model in (TutorialMetadata, ResourceRecommendationMetadata, QuizMetadata):
        assert model.objects.count() == len(concepts)
        assert set(model.objects.values_list("generator_kind", "generator_model")) == {("rules", None)}
    assert IntentAnalysisMetadata.objects.get().roadmap_id == roadmap.pk
    assert CurriculumDesignMetadata.objects.get().framework == roadmap.framework
    assert StructureValidationRecord.objects.get().soft_judged is False
    assert task.summary["completed"] == dict.fromkeys(ContentKind.values, len(concepts))


def test_the_number_of_records_is_the_number_of_steps(requested):
    task = worked(requested())
    concepts = Concept.objects.count()
    assert len(kept(task)) == 4 + 3 * concepts
    assert kept(task)[0] == ("intent_analysis", "", "created")


def test_a_topic_that_only_a_model_would_know_fails_with_what_rules_know(requested, settings):
    settings.LLM_PROVIDER = "openai"
    task = requested(Wish("Learn falconry"))
    settings.LLM_PROVIDER = RULES
    worked(task)
    assert (task.status, task.error) == ("failed", "unknown-topic")
    assert "Redis" in task.error_text
    assert Roadmap.objects.count() == 0


def test_a_fault_that_rules_can_mend_is_mended_and_on_record(requested, monkeypatch):
    monkeypatch.setattr(planner, "curriculum", broken(planner.curriculum))
    task = worked(requested())
    assert task.status == "completed"
    rounds = StructureValidationRecord.objects.order_by("round").values_list("round", "is_valid")
    assert list(rounds) == [(1, False), (2, True)]
    edit = RoadmapEditRecord.objects.get()
    assert (edit.round, edit.origin, edit.modified_node_ids) == (1, "validation", ["c-1-1-1"])


def test_what_three_edits_do_not_mend_fails_and_is_tried_anew_by_a_retry(requested, monkeypatch):
    mend = planner.mend
    monkeypatch.setattr(planner, "curriculum", broken(planner.curriculum))
    monkeypatch.setattr(planner, "mend", lambda framework, issues, feedback: _unmended(framework))
    task = worked(requested())
    assert (task.status, task.error) == ("failed", "validation-failed")
    assert StructureValidationRecord.objects.filter(is_valid=False).count() == 4
    assert Concept.objects.exclude(tutorial_status="pending").count() == 0
    monkeypatch.setattr(planner, "mend", mend)
    assert retry_roadmap(task, RetryWish(), actor="test").resumed_from == "structure_validation"
    assert worked(task).status == "completed"


def _unmended(framework):
    return Edit(framework=framework, modification_summary="nothing")


def test_a_review_waits_for_a_person_and_goes_on_when_approved(requested, operator):
    task = worked(requested(human_review=True))
    assert (task.status, task.lease_token, task.current_step) == ("human_review_pending", None, "human_review")
    assert TutorialMetadata.objects.count() == 0
    decide(task, approved=True, user=operator)
    with pytest.raises(Conflict) as refusal:
        decide(task, approved=False, feedback="late", user=operator)
    assert refusal.value.slug == "not-waiting"
    assert worked(task).status == "completed"
    assert kept(task, step="human_review") == [("human_review", "1", "done")]


def test_a_rejection_with_feedback_changes_the_tree_and_asks_again(requested, operator):
    task = worked(requested(human_review=True))
    last = Concept.objects.in_order().last()
    decide(task, approved=False, feedback=f"remove {last.name}", user=operator)
    worked(task)
    assert task.status == "human_review_pending"
    assert not Concept.objects.filter(name=last.name).exists()
    assert RoadmapEditRecord.objects.get().origin == "review"
    decide(task, approved=True, user=operator)
    assert worked(task).status == "completed"


def test_a_rejection_without_feedback_ends_the_task(requested, operator):
    task = worked(requested(human_review=True))
    decide(task, approved=False, user=operator)
    assert (worked(task).status, task.error) == ("failed", "review-rejected")


@pytest.mark.parametrize("wish", [RetryWish(), RetryWish(strategy=Strategy.RESTART)], ids=["retry", "restart"])
def test_a_rejected_tree_is_reviewed_once_more_by_a_retry(requested, operator, wish):
    task = worked(requested(human_review=True))
    decide(task, approved=False, user=operator)
    worked(task)
    retry_roadmap(task, wish, actor="test")
    assert worked(task).status == "human_review_pending"
    decide(task, approved=True, user=operator)
    assert worked(task).status == "completed"


def test_an_approved_tree_is_not_reviewed_again_for_contents_that_failed(requested, operator, monkeypatch):
    quiz = planner.quiz
    monkeypatch.setattr(planner, "quiz", failing(quiz, of={"c-1-1-1"}))
    task = worked(requested(human_review=True))
    decide(task, approved=True, user=operator)
    assert worked(task).status == "partial_failure"
    monkeypatch.setattr(planner, "quiz", quiz)
    retry_roadmap(task, RetryWish(), actor="test")
    assert worked(task).status == "completed"


def test_changes_that_rules_cannot_make_end_the_task_until_somebody_looks_again(requested, operator):
    task = worked(requested(human_review=True))
    decide(task, approved=False, feedback="less theory", user=operator)
    assert (worked(task).status, task.error, task.error_text) == ("failed", "review-in-vain", "less theory")
    assert RoadmapEditRecord.objects.get().modified_node_ids == []
    last = Concept.objects.in_order().last()
    assert retry_roadmap(task, RetryWish(), actor="test").resumed_from == "human_review"
    assert worked(task).status == "human_review_pending"
    decide(task, approved=False, feedback=f"remove {last.name}", user=operator)
    assert worked(task).status == "human_review_pending"
    assert not Concept.objects.filter(name=last.name).exists()


def test_what_lacks_only_its_end_is_brought_to_it(requested, monkeypatch):
    """Cancelled after the last content and before the finalizing."""
    finalize = workflow.Workflow._finalize

    def cancelled(self):
        cancel_roadmap(self.task, actor="test")
        finalize(self)

    monkeypatch.setattr(workflow.Workflow, "_finalize", cancelled)
    task = worked(requested())
    assert (task.status, set(Concept.objects.values_list("quiz_status", flat=True))) == ("cancelled", {"completed"})
    monkeypatch.setattr(workflow.Workflow, "_finalize", finalize)
    retried = retry_roadmap(task, RetryWish(), actor="test")
    assert (retried.recovery_type, retried.resumed_from, retried.items_to_retry) == ("content", "finalizing", {})
    assert worked(task).status == "completed"
    assert {step for step, _key, outcome in kept(task, retry=1) if outcome != "reused"} == {"finalizing"}


def failing(make, *, of):
    """The planner's function, failing for concepts whose id is in `of`."""

    def made(wish, framework, concept):
        if concept.concept_id in of:
            raise RunFailed(RoadmapError.NOT_STORABLE, concept.concept_id)
        return make(wish, framework, concept)

    return made


def test_some_failed_contents_are_shown_and_only_they_are_tried_again(requested, monkeypatch):
    quiz = planner.quiz
    monkeypatch.setattr(planner, "quiz", failing(quiz, of={"c-1-1-1"}))
    task = worked(requested())
    assert (task.status, task.error, task.failed_concepts) == ("partial_failure", "some-content-failed", ["c-1-1-1"])
    concept = Concept.objects.get(concept_id="c-1-1-1")
    assert (concept.quiz_status, concept.quiz_error, concept.tutorial_status) == (
        "failed",
        "unusable-content",
        "completed",
    )
    monkeypatch.setattr(planner, "quiz", quiz)
    retried = retry_roadmap(task, RetryWish(), actor="test")
    assert (retried.recovery_type, retried.items_to_retry, retried.attempt) == (Strategy.CONTENT, {"quiz": 1}, 2)
    assert (worked(task).status, task.failed_concepts) == ("completed", [])
    assert kept(task, retry=1, outcome="created") == [("quiz_generation", "c-1-1-1", "created")]
    assert set(TutorialMetadata.objects.values_list("version", flat=True)) == {1}


def test_when_half_of_the_concepts_fail_the_roadmap_failed_and_what_was_made_stays(requested, monkeypatch):
    everything = {f"c-{s}-{m}-{n}" for s in range(9) for m in range(9) for n in range(9)}
    monkeypatch.setattr(planner, "quiz", failing(planner.quiz, of=everything))
    task = worked(requested())
    assert (task.status, task.error) == ("failed", "content-failed")
    assert TutorialMetadata.objects.count() == Concept.objects.count()


def test_one_content_made_anew_is_a_new_version_and_touches_nothing_else(requested):
    task = worked(requested())
    stamps = dict(QuizMetadata.objects.values_list("concept_id", "updated_at"))
    retry_concept(task.roadmap, "c-1-1-1", [ContentKind.TUTORIAL], actor="test")
    assert worked(task).status == "completed"
    versions = TutorialMetadata.objects.order_by("concept_id", "version").values_list(
        "concept_id", "version", "is_latest"
    )
    assert list(versions)[:2] == [("c-1-1-1", 1, False), ("c-1-1-1", 2, True)]
    assert TutorialMetadata.objects.filter(version=2).count() == 1
    assert dict(QuizMetadata.objects.values_list("concept_id", "updated_at")) == stamps


def test_a_changed_wish_updates_the_analysis_and_what_hangs_on_it(requested):
    task = worked(requested(Wish("Learn Python")))
    before = IntentAnalysisMetadata.objects.get()
    retry_roadmap(task, RetryWish(changes={"query": "Learn Redis"}), actor="test")
    assert worked(task).status == "completed"
    after = IntentAnalysisMetadata.objects.get()
    assert (after.pk, after.parsed_goal != before.parsed_goal) == (before.pk, True)
    assert kept(task, retry=1)[0] == ("intent_analysis", "", "updated")
    assert Roadmap.objects.count() == 1


def test_outlines_that_name_a_concept_follow_its_new_name(requested, monkeypatch):
    task, design = worked(requested()), planner.curriculum

    def renamed(wish, intent):
        framework = design(wish, intent)
        next(structure.concepts(framework)).name = "The new name"
        return framework

    monkeypatch.setattr(planner, "curriculum", renamed)
    RoadmapStep.objects.of(task).filter(step="curriculum_design").make_void()
    retry_roadmap(task, RetryWish(changes={"query": "Learn Redis"}), actor="test")
    assert worked(task).status == "completed"
    latest = TutorialMetadata.objects.filter(is_latest=True)
    needing = Concept.objects.filter(prerequisites__contains=["c-1-1-1"]).values("concept_id")
    assert latest.filter(concept_id__in=needing, content__contains="The new name").count() == needing.count() > 0


def test_what_is_complete_is_not_retried_and_what_runs_neither(requested):
    task = requested()
    for expected in ("already-running", "nothing-to-retry"):
        with pytest.raises(Conflict) as refusal:
            retry_roadmap(task, RetryWish(), actor="test")
        assert refusal.value.slug == expected
        worked(task)


def test_a_restart_makes_everything_anew_over_what_there_is(requested):
    task = worked(requested())
    retried = retry_roadmap(task, RetryWish(strategy=Strategy.RESTART), actor="test")
    assert (retried.resumed_from, retried.reused_steps) == ("intent_analysis", [])
    worked(task)
    assert (IntentAnalysisMetadata.objects.count(), CurriculumDesignMetadata.objects.count()) == (1, 1)
    assert kept(task, retry=1, outcome="reused") == []


def test_from_a_step_on_everything_behind_it_is_made_anew(requested):
    task = worked(requested())
    assert retry_roadmap(task, RetryWish(from_step=StepName.QUIZ), actor="test").resumed_from == "quiz_generation"
    assert worked(task).status == "completed"
    anew = {step for step, _key, outcome in kept(task, retry=1) if outcome != "reused"}
    assert anew == {"quiz_generation", "finalizing"}


def test_a_cancelled_task_can_be_tried_again(requested):
    task = requested()
    cancel_roadmap(task, actor="test")
    assert worked(task).status == "cancelled"
    assert retry_roadmap(task, RetryWish(), actor="test").resumed_from == "intent_analysis"
    assert worked(task).status == "completed"
    assert (task.error, task.finished_at is not None) == ("", True)


def test_hours_are_numbers_on_the_way_and_in_the_end(requested):
    worked(requested())
    roadmap = Roadmap.objects.get()
    first = roadmap.framework["stages"][0]["modules"][0]["concepts"][0]["estimated_hours"]
    assert isinstance(first, (int, Decimal))
    assert LLMCall.objects.count() == 0
    json.dumps(roadmap.framework, default=float)
