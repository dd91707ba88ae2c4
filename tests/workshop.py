"""Roadmaps straight into their tables: small ones, at any point of their making."""

from itertools import count
from uuid import uuid4

from roadmaps.models import (
    Concept,
    ConceptProgress,
    CurriculumDesignMetadata,
    QuizMetadata,
    ResourceRecommendationMetadata,
    Roadmap,
    RoadmapStep,
    RoadmapTask,
    TutorialMetadata,
)
from roadmaps.wishes import Wish
from runs.steps import input_hash

NUMBERS = count(1)
BY_RULES = {"generator_kind": "rules", "generator_name": "rules-planner/2", "generator_model": None}
BY_MODEL = {"generator_kind": "llm", "generator_name": "openai", "generator_model": "m-1"}
ENDED = "2026-01-01T00:00:00Z"
QUESTIONS = [
    {"question": "One?", "question_type": "single_choice", "options": ["a", "b", "c"], "correct_answer": [1],
     "explanation": "b is", "difficulty": "easy"},
    {"question": "Many?", "question_type": "multiple_choice", "options": ["a", "b", "c"], "correct_answer": [0, 2],
     "explanation": "two are", "difficulty": "medium"},
    {"question": "True?", "question_type": "true_false", "options": ["yes", "no"], "correct_answer": [0],
     "explanation": "", "difficulty": "hard"},
]  # fmt: skip
RESOURCES = [
    {"title": "Docs", "url": "https://example.org/a", "type": "documentation", "description": "", "language": "en",
     "relevance_score": 0.9, "confidence_score": None},
]  # fmt: skip


def task(owner, status="completed", **values):
    """A task of `owner`; its status decides about times, lease and error."""
    final = status in ("completed", "partial_failure", "failed", "cancelled")
    held = {"lease_token": 1, "lease_until": "2100-01-01T00:00:00Z"} if status == "processing" else {}
    error = {"error": "content-failed"} if status == "failed" else {}
    wish = Wish("Learn Redis").checked().as_json()
    fields = {"user_request": wish, "finished_at": ENDED if final else None, **held, **error}
    return RoadmapTask.objects.create(requested_by=owner, status=status, **(fields | values))


def framework(concepts):
    """One stage with one module of so many concepts, as it is stored."""
    return {
        "title": "Redis", "total_estimated_hours": 2, "recommended_completion_weeks": 1, "design_rationale": "so",
        "stages": [{
            "stage_id": "stage-1", "name": "Stage", "description": "first", "order": 1,
            "modules": [{
                "module_id": "mod-1-1", "name": "Module", "description": "",
                "concepts": [
                    {"concept_id": f"c-1-1-{n}", "name": f"Concept {n}", "description": "d", "estimated_hours": 1.5,
                     "difficulty": "easy", "keywords": ["k"], "prerequisites": []}
                    for n in range(1, concepts + 1)
                ],
            }],
        }],
    }  # fmt: skip


def roadmap(owner, *, concepts=2, status="completed", contents=True, by=BY_RULES, **values):
    """A roadmap with its task; with `contents` every concept has all of them."""
    tree = framework(concepts)
    number = next(NUMBERS)
    made = Roadmap.objects.create(
        roadmap_id=f"redis-{number:08d}", owner=owner, title=f"Redis {number}", total_estimated_hours="2.5",
        recommended_completion_weeks=1, framework=tree,
    )  # fmt: skip
    of = task(owner, status, roadmap=made, **({"current_step": "finalizing"} | values))
    CurriculumDesignMetadata.objects.create(
        task=of, roadmap_id=made.pk, title="Redis", total_estimated_hours=2, recommended_completion_weeks=1,
        framework=tree, **by,
    )  # fmt: skip
    state = "completed" if contents else "pending"
    Concept.objects.bulk_create(
        Concept(
            roadmap=made, concept_id=f"c-1-1-{n}", stage=1, module=1, position=n, name=f"Concept {n}", description="d",
            estimated_hours="1.5", difficulty="easy", keywords=["k"], tutorial_status=state, resources_status=state,
            quiz_status=state,
        )
        for n in range(1, concepts + 1)
    )  # fmt: skip
    for n in range(1, concepts + 1) if contents else ():
        fill(made, f"c-1-1-{n}", by=by)
    return made


def fill(made, concept_id, *, by=BY_RULES):
    """The three contents of a concept."""
    of = {"roadmap_id": made.pk, "concept_id": concept_id, **by}
    tutorial(made, concept_id, by=by)
    ResourceRecommendationMetadata.objects.create(resources=RESOURCES, resources_count=1, **of)
    QuizMetadata.objects.create(
        questions=QUESTIONS, total_questions=3, easy_count=1, medium_count=1, hard_count=1, **of
    )  # fmt: skip


def tutorial(made, concept_id="c-1-1-1", *, version=1, latest=True, by=BY_RULES):
    """A version of a tutorial."""
    return TutorialMetadata.objects.create(
        roadmap_id=made.pk, concept_id=concept_id, version=version, is_latest=latest, title=f"Version {version}",
        content=f"# Text {version}", estimated_completion_time=10, **by,
    )  # fmt: skip


def step(of, name="intent_analysis", key="", *, retry=0, given=None, **values):
    """What became of a step; `given` is its input."""
    fields = {
        "outcome": "created",
        "input_hash": input_hash(given),
        "input": given or {},
        "output": {},
        "milliseconds": 5,
    }
    return RoadmapStep.objects.create(run=of, step=name, key=key, retry=retry, **(fields | values))


def learnt(user, made, concept_id="c-1-1-1"):
    """The progress of a learner, read from the table; None without any."""
    return ConceptProgress.objects.filter(user=user, concept__roadmap=made, concept__concept_id=concept_id).first()


def nobody():
    """The id of a task that does not exist."""
    return str(uuid4())
