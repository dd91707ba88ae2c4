"""What each step stores: one atomic upsert per row, however often and by how many it is stored (document 004).

Every function runs inside the step's transaction, behind the fence, and tells whether it made its row.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import models
from django.db.models import Max

from roadmaps import structure
from roadmaps.choices import ContentKind, ContentStatus, EditOrigin, RoadmapError
from roadmaps.contracts import Edit, Framework, Intent, Issue, Judgement, Quiz, Resources, Tutorial
from roadmaps.models import (
    Concept,
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
from runs.errors import RunFailed
from runs.querysets import ClockTimestamp
from runs.upsert import upsert

logger = structlog.get_logger(__name__)

ALPHABET, SUFFIX = string.ascii_lowercase + string.digits, 8
TRIES = 10
DEFINING = (
    "stage", "module", "position", "name", "description", "estimated_hours", "difficulty", "keywords", "prerequisites",
    "updated_at",
)  # fmt: skip


def reserve_roadmap(task: RoadmapTask, slug: str) -> Roadmap:
    """The roadmap of a task, whose id is drawn now if it has none. Raises RunFailed when ten draws were taken."""
    # asked of the database: what the task in hand knows may stem from a transaction that was undone
    task.roadmap = Roadmap.objects.filter(tasks=task.pk).first()
    if task.roadmap is not None:
        return task.roadmap
    for _try in range(TRIES):
        suffix = "".join(secrets.choice(ALPHABET) for _ in range(SUFFIX))
        drawn, made = Roadmap.objects.get_or_create(
            roadmap_id=f"{slug}-{suffix}", defaults={"owner_id": task.requested_by_id}
        )
        if made:
            RoadmapTask.objects.filter(pk=task.pk).update(roadmap=drawn)
            task.roadmap = drawn
            return drawn
    raise RunFailed(RoadmapError.NO_PLACE_FOR_ID, slug)


def store_intent(task: RoadmapTask, intent: Intent, generator: Mapping[str, Any]) -> bool:
    """What the wish was understood to be; draws the roadmap's id."""
    roadmap = reserve_roadmap(task, intent.slug)
    data = intent.model_dump()
    return _upsert(
        task,
        IntentAnalysisMetadata,
        {"task_id": task.pk},
        {
            "roadmap_id": roadmap.pk,
            "parsed_goal": intent.parsed_goal,
            "key_technologies": intent.key_technologies,
            "difficulty_profile": intent.difficulty_profile,
            "time_constraint": intent.time_constraint,
            "recommended_focus": intent.recommended_focus,
            "user_profile_summary": intent.user_profile_summary or "",
            "skill_gap_analysis": intent.skill_gap_analysis or [],
            "personalized_suggestions": intent.personalized_suggestions or [],
            "estimated_learning_path_type": intent.estimated_learning_path_type,
            "content_format_weights": data["content_format_weights"],
            "language_preferences": data["language_preferences"],
            "full_analysis_data": data,
        },
        generator,
    )


def store_curriculum(task: RoadmapTask, framework: Framework, generator: Mapping[str, Any]) -> bool:
    """The tree as it was designed, which is the roadmap's from now on."""
    store_framework(task, framework)
    return _upsert(
        task,
        CurriculumDesignMetadata,
        {"task_id": task.pk},
        {
            "roadmap_id": task.roadmap_id,
            "title": framework.title,
            "total_estimated_hours": framework.total_estimated_hours,
            "recommended_completion_weeks": framework.recommended_completion_weeks,
            "design_rationale": framework.design_rationale,
            "framework": as_json(framework),
        },
        generator,
    )


def store_validation(
    task: RoadmapTask, number: int, found: list[Issue], judged: Judgement | None, generator: Mapping[str, Any]
) -> bool:
    """What a round of checks found; `judged` is None when no model did."""
    return _upsert(
        task,
        StructureValidationRecord,
        {"task_id": task.pk, "round": number},
        {
            "roadmap_id": task.roadmap_id,
            "is_valid": not any(issue.severity == "critical" for issue in found),
            "soft_judged": judged is not None,
            "overall_score": structure.score(judged) if judged else None,
            "dimension_scores": judged.scores.model_dump() if judged else None,
            "issues": [issue.model_dump() for issue in found],
            "validation_summary": judged.summary if judged else "",
        },
        generator,
    )


def store_edit(
    task: RoadmapTask,
    number: int,
    *,
    before: Framework,
    edit: Edit,
    origin: EditOrigin,
    feedback: str,
    generator: Mapping[str, Any],
) -> bool:
    """A mended tree, which is the roadmap's from now on, and what changed in it."""
    store_framework(task, edit.framework)
    return _upsert(
        task,
        RoadmapEditRecord,
        {"task_id": task.pk, "round": number},
        {
            "roadmap_id": task.roadmap_id,
            "origin": origin.value,
            "feedback": feedback,
            "original_framework": as_json(before),
            "modified_framework": as_json(edit.framework),
            "modification_summary": edit.modification_summary,
            "modified_node_ids": structure.changed_parts(before, edit.framework),
        },
        generator,
    )


def store_framework(task: RoadmapTask, framework: Framework) -> None:
    """The tree on the roadmap and its concepts, set-based. The contents of a concept that is another one now are
    pending; those of one that stayed as it was stay what they are."""
    Roadmap.objects.filter(pk=task.roadmap_id).update(
        title=framework.title,
        total_estimated_hours=framework.total_estimated_hours,
        recommended_completion_weeks=framework.recommended_completion_weeks,
        framework=as_json(framework),
        updated_at=ClockTimestamp(),
    )
    roadmap_id = str(task.roadmap_id)
    rows = [
        Concept(
            roadmap_id=roadmap_id,
            concept_id=concept.concept_id,
            stage=s,
            module=m,
            position=n,
            name=concept.name,
            description=concept.description,
            estimated_hours=concept.estimated_hours,
            difficulty=concept.difficulty,
            keywords=concept.keywords,
            prerequisites=concept.prerequisites,
            updated_at=ClockTimestamp(),
        )
        for s, stage in enumerate(framework.stages, start=1)
        for m, module in enumerate(stage.modules, start=1)
        for n, concept in enumerate(module.concepts, start=1)
    ]
    there = {concept.concept_id: concept for concept in Concept.objects.filter(roadmap=roadmap_id)}
    replaced = [row.concept_id for row in rows if row.concept_id in there and _differs(row, there[row.concept_id])]
    Concept.objects.filter(roadmap=roadmap_id).exclude(concept_id__in=[row.concept_id for row in rows]).delete()
    Concept.objects.filter(roadmap=roadmap_id, concept_id__in=replaced).make_pending(ContentKind)
    Concept.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["roadmap", "concept_id"], update_fields=DEFINING
    )


def _differs(new: Concept, old: Concept) -> bool:
    return (new.name, new.description, new.difficulty) != (old.name, old.description, old.difficulty)


def store_tutorial(task: RoadmapTask, concept_id: str, made: Tutorial, generator: Mapping[str, Any]) -> bool:
    """A tutorial: the same version again within one retry of the task, the next one in the next."""
    # first of all, since it locks the concept: of many at once each sees the versions of those before
    note_content(str(task.roadmap_id), concept_id, ContentKind.TUTORIAL)
    versions = TutorialMetadata.objects.filter(roadmap_id=task.roadmap_id, concept_id=concept_id)
    ours = versions.filter(retry=task.retries, is_latest=True).values_list("version", flat=True).first()
    version = ours or (versions.aggregate(last=Max("version"))["last"] or 0) + 1
    versions.filter(is_latest=True).exclude(version=version).update(is_latest=False)
    return _upsert(
        task,
        TutorialMetadata,
        {"roadmap_id": task.roadmap_id, "concept_id": concept_id, "version": version},
        {"retry": task.retries, "is_latest": True, **made.model_dump()},
        generator,
    )


def store_resources(task: RoadmapTask, concept_id: str, made: Resources, generator: Mapping[str, Any]) -> bool:
    """What else there is on a concept."""
    return _content(
        task,
        ResourceRecommendationMetadata,
        concept_id,
        {**made.model_dump(), "resources_count": len(made.resources)},
        generator,
        kind=ContentKind.RESOURCES,
    )


def store_quiz(task: RoadmapTask, concept_id: str, made: Quiz, generator: Mapping[str, Any]) -> bool:
    """The questions of a concept. Earlier tries at them keep what they were asked."""
    levels = [question.difficulty for question in made.questions]
    return _content(
        task,
        QuizMetadata,
        concept_id,
        {
            "questions": made.model_dump()["questions"],
            "total_questions": len(levels),
            **{f"{level}_count": levels.count(level) for level in ("easy", "medium", "hard")},  # type: ignore[arg-type]
        },
        generator,
        kind=ContentKind.QUIZ,
    )


def note_content(roadmap_id: str, concept_id: str, kind: ContentKind, *, error: str = "") -> None:
    """Where a content of a concept stands: completed, or failed with its reason."""
    status = ContentStatus.FAILED if error else ContentStatus.COMPLETED
    Concept.objects.filter(roadmap=roadmap_id, concept_id=concept_id).update(
        **{f"{kind}_status": status, f"{kind}_error": error}, updated_at=ClockTimestamp()
    )


def _content(
    task: RoadmapTask,
    model: type[models.Model],
    concept_id: str,
    values: dict[str, Any],
    generator: Mapping[str, Any],
    *,
    kind: ContentKind,
) -> bool:
    note_content(str(task.roadmap_id), concept_id, kind)
    return _upsert(task, model, {"roadmap_id": task.roadmap_id, "concept_id": concept_id}, values, generator)


def _upsert(
    task: RoadmapTask,
    model: type[models.Model],
    unique: dict[str, Any],
    values: dict[str, Any],
    generator: Mapping[str, Any],
) -> bool:
    row, created = upsert(model, unique=unique, values={**values, **generator})
    table = model._meta.db_table
    if created:
        logger.info(f"{table}_created", task_id=str(task.pk))
    else:
        logger.info(f"{table}_updated", task_id=str(task.pk), existing_id=row.pk)
    return created


def as_json(framework: Framework) -> dict[str, Any]:
    """The tree as it is stored."""
    return framework.model_dump()
