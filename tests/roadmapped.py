"""Roadmaps for tests: asked for as their owner does, and worked as a worker works them, without one."""

from roadmaps import workflow
from roadmaps.choices import CONTENT_STEPS, ContentKind
from roadmaps.models import Concept, RoadmapStep
from roadmaps.services import request_roadmap
from roadmaps.wishes import Wish


def asked(user, query="Learn Redis", **options):
    """A queued task of this user."""
    return request_roadmap(Wish(query), user=user, **options)


def worked(task):
    """The task after a worker had it."""
    workflow.run_roadmap(task.pk)
    task.refresh_from_db()
    return task


def broken_content(task, *, kind="quiz", concept_id="c-1-1-1", error="llm-timeout"):
    """The task as one content of it that failed left it."""
    concepts = Concept.objects.filter(roadmap=task.roadmap, concept_id=concept_id)
    concepts.update(**{f"{kind}_status": "failed", f"{kind}_error": error})
    step = CONTENT_STEPS[ContentKind(kind)]
    made = RoadmapStep.objects.of(task).filter(step=step, key=concept_id)
    made.update(outcome="failed", error=error, error_text="said so", output=None)
    type(task).objects.filter(pk=task.pk).update(
        status="partial_failure", error="some-content-failed", failed_concepts=[concept_id]
    )
    task.refresh_from_db()
    return task


def grown(task, count):
    """The task's roadmap with so many concepts more, each with a record for each of its contents."""
    rows = [
        Concept(
            roadmap=task.roadmap, concept_id=f"c-9-9-{number}", stage=9, module=9, position=number,
            name=f"concept {number}", estimated_hours=1, difficulty="easy", prerequisites=["c-1-1-1"],
        )
        for number in range(count)
    ]  # fmt: skip
    Concept.objects.bulk_create(rows)
    RoadmapStep.objects.bulk_create(
        RoadmapStep(run=task, step=step, key=row.concept_id, input_hash="0", input={}, outcome="created")
        for row in rows
        for step in CONTENT_STEPS.values()
    )
