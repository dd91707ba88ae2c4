"""Fifty at once on every row a roadmap keeps once: one row, no error, one maker. Reading first fails beside it."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from django.db import IntegrityError, connection

from invariants import violations
from roadmap_models import concept, edit, intent, judgement, quiz, tree
from roadmaps import storing, workflow
from roadmaps.choices import EditOrigin
from roadmaps.contracts import Edit, Framework, Intent, Issue, Judgement, Quiz, Resources, Tutorial
from roadmaps.models import (
    Concept,
    ConceptProgress,
    CurriculumDesignMetadata,
    IntentAnalysisMetadata,
    QuizMetadata,
    ResourceRecommendationMetadata,
    Roadmap,
    RoadmapEditRecord,
    RoadmapTask,
    StructureValidationRecord,
    TutorialMetadata,
)
from roadmaps.services import request_roadmap
from roadmaps.wishes import Wish
from runs.transactions import atomic_retried
from runs.upsert import upsert

pytestmark = [pytest.mark.django_db(transaction=True)]

CLIENTS = 50
RULES = {"generator_kind": "rules", "generator_name": "test/1", "generator_model": None}
TREE = Framework.model_validate(tree(concept("1-1-1")))
LINK = {"title": "t", "url": "https://example.com/", "type": "article", "relevance_score": 1}


def save_validation(task):
    judged = Judgement.model_validate(judgement("wrong"))
    return storing.store_validation(task, 1, judged.issues, judged, RULES)


def save_edit(task):
    made = Edit.model_validate(edit(tree(concept("1-1-1", name="New"))))
    return storing.store_edit(
        task, 1, before=TREE, edit=made, origin=EditOrigin.VALIDATION, feedback="", generator=RULES
    )


SAVES = {
    IntentAnalysisMetadata: lambda task: storing.store_intent(task, Intent.model_validate(intent("g")), RULES),
    CurriculumDesignMetadata: lambda task: storing.store_curriculum(task, TREE, RULES),
    StructureValidationRecord: save_validation,
    RoadmapEditRecord: save_edit,
    TutorialMetadata: lambda task: storing.store_tutorial(
        task, "c-1-1-1", Tutorial(title="t", content="c", estimated_completion_time=1), RULES
    ),
    ResourceRecommendationMetadata: lambda task: storing.store_resources(
        task, "c-1-1-1", Resources.model_validate({"resources": [LINK]}), RULES
    ),
    QuizMetadata: lambda task: storing.store_quiz(task, "c-1-1-1", Quiz.model_validate(quiz()), RULES),
}


@pytest.fixture
def task(operator):
    """A task with a roadmap of one concept."""
    queued = request_roadmap(Wish("Learn Redis"), user=operator)
    roadmap = Roadmap.objects.create(roadmap_id="redis-12345678", owner=operator)
    RoadmapTask.objects.filter(pk=queued.pk).update(roadmap=roadmap)
    queued.refresh_from_db()
    storing.store_framework(queued, TREE)
    return queued


def at_once(work):
    """What CLIENTS threads get, all of which begin together; an error is a result."""
    together = threading.Barrier(CLIENTS, timeout=60)

    def one(number):
        try:
            connection.ensure_connection()
            together.wait()
            return work()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, range(CLIENTS)))


@pytest.mark.long
@pytest.mark.parametrize("model", SAVES, ids=lambda model: model._meta.db_table)
def test_of_fifty_saves_at_once_one_makes_the_row_and_each_says_what_it_did(task, model):
    with structlog.testing.capture_logs() as logs:
        made = at_once(lambda: atomic_retried(lambda: SAVES[model](RoadmapTask.objects.get(pk=task.pk))))
    assert Counter(made) == {True: 1, False: CLIENTS - 1}
    row, table = model.objects.get(), model._meta.db_table
    events = Counter(log["event"] for log in logs if log["event"].startswith(table))
    assert events == {f"{table}_created": 1, f"{table}_updated": CLIENTS - 1}
    for log in logs:
        if log["event"].startswith(table):
            assert log["task_id"] == str(task.pk)
            assert log.get("existing_id") == (row.pk if log["event"].endswith("_updated") else None)
    assert row.updated_at > row.created_at
    assert Roadmap.objects.count() == 1


@pytest.mark.long
def test_of_fifty_learners_clicks_at_once_one_makes_the_row(task, operator):
    learnt = Concept.objects.get()
    unique, values = {"user_id": operator.pk, "concept_id": learnt.pk}, {"is_completed": False, "completed_at": None}
    made = at_once(lambda: upsert(ConceptProgress, unique=unique, values=values)[1])
    assert Counter(made) == {True: 1, False: CLIENTS - 1}
    assert ConceptProgress.objects.count() == 1


NAIVE = {
    IntentAnalysisMetadata: ("task", {"parsed_goal": "g", "full_analysis_data": {}}),
    CurriculumDesignMetadata: (
        "task",
        {"title": "t", "total_estimated_hours": 1, "recommended_completion_weeks": 1, "framework": {}},
    ),
    StructureValidationRecord: ("task", {"round": 1, "is_valid": True}),
    RoadmapEditRecord: (
        "task",
        {"round": 1, "origin": "validation", "original_framework": {}, "modified_framework": {}},
    ),
    TutorialMetadata: ("concept", {"version": 1, "title": "t", "content": "c"}),
    ResourceRecommendationMetadata: ("concept", {"resources": [], "resources_count": 0}),
    QuizMetadata: (
        "concept",
        {"questions": [], "total_questions": 0, "easy_count": 0, "medium_count": 0, "hard_count": 0},
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("model", NAIVE, ids=lambda model: model._meta.db_table)
def test_who_selects_first_and_then_inserts_fails_forty_nine_times(task, model):
    """The way of document 004, on the same tables with the same constraints."""
    whose, values = NAIVE[model]
    unique = {"task": task} if whose == "task" else {"roadmap_id": task.roadmap_id, "concept_id": "c-1-1-1"}
    looked = threading.Barrier(CLIENTS, timeout=60)

    def select_then_insert():
        there = model.objects.filter(**unique).first()
        looked.wait()
        if there is not None:
            return False
        model.objects.create(**unique, **values, **RULES)
        return True

    made = at_once(select_then_insert)
    assert sum(isinstance(each, IntegrityError) for each in made) == CLIENTS - 1
    assert model.objects.count() == 1


def test_a_crash_between_two_saves_leaves_the_first_and_the_second_says_updated(task):
    """The document's own case: the step runs again, finds its row, and nobody fails."""
    for expected in (True, False, False):
        assert atomic_retried(lambda: SAVES[IntentAnalysisMetadata](task)) is expected
    assert IntentAnalysisMetadata.objects.get().roadmap_id == "redis-12345678"


def test_a_changed_save_is_what_is_kept(task):
    saved = []
    for goal in ("Learn Python", "Learn Advanced Python"):
        made = Intent.model_validate(intent(goal))
        atomic_retried(lambda made=made: storing.store_intent(task, made, RULES))
        saved.append(IntentAnalysisMetadata.objects.get())
    first, second = saved
    assert second.parsed_goal == "Learn Advanced Python"
    assert second.full_analysis_data["parsed_goal"] == "Learn Advanced Python"
    assert (second.pk, second.created_at) == (first.pk, first.created_at)
    assert second.updated_at > first.updated_at


def test_what_the_analysis_lacks_is_kept_as_the_document_says(task):
    made = Intent.model_validate(intent("g"))
    assert (made.user_profile_summary, made.skill_gap_analysis, made.content_format_weights) == (None, None, None)
    atomic_retried(lambda: storing.store_intent(task, made, RULES))
    row = IntentAnalysisMetadata.objects.get()
    assert (row.user_profile_summary, row.skill_gap_analysis, row.personalized_suggestions) == ("", [], [])
    assert (row.content_format_weights, row.language_preferences) == (None, None)
    with connection.cursor() as cursor:  # SQL's NULL and not JSON's null
        cursor.execute("SELECT content_format_weights IS NULL FROM intent_analysis_metadata")
        assert cursor.fetchone() == (True,)


def test_every_step_says_that_it_started(operator):
    started = {f"{step}_started" for step in ("intent_analysis", "curriculum_design", "structure_validation",
               "tutorial_generation", "resource_recommendation", "quiz_generation", "finalizing")}  # fmt: skip
    task = request_roadmap(Wish("Learn Redis"), user=operator)
    with structlog.testing.capture_logs() as logs:
        workflow.run_roadmap(task.pk)
    assert {log["event"] for log in logs} >= started
    assert {log["task_id"] for log in logs if log["event"] in started} == {str(task.pk)}
    assert violations() == []


def test_a_judgement_keeps_its_issues(task):
    issue = Issue(severity="warning", category="user_mismatch", location="stage-1", issue="short")
    atomic_retried(lambda: storing.store_validation(task, 1, [issue], None, RULES))
    row = StructureValidationRecord.objects.get()
    assert (row.is_valid, row.issues[0]["issue"], row.overall_score) == (True, "short", None)
