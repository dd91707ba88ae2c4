"""What the house shows of roadmaps: the sample, the doctor, the metrics; and what may be pruned."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily

import workshop
from access.pruning import prune
from observed import everything
from roadmaps import checkup, metrics, workflow
from roadmaps.models import (
    Concept,
    QuizMetadata,
    ResourceRecommendationMetadata,
    Roadmap,
    RoadmapTask,
    TutorialMetadata,
)
from roadmaps.sample import load
from runs.querysets import seconds_from_now
from watch.findings import Up

pytestmark = pytest.mark.django_db(transaction=True)

UP = Up(database=True, redis=True)


def found():
    return [(each.ok, each.text, each.mend) for each in checkup.examine(UP)]


@pytest.mark.long
def test_the_sample_is_worked_in_both_languages_and_one_waits_for_a_review(operator):
    assert len(load(operator)) == 1
    for task in RoadmapTask.objects.all():
        workflow.run_roadmap(task.pk)
    ended = {task.user_request["language"]: task.status for task in RoadmapTask.objects.filter(human_review=False)}
    assert ended == {"en": "completed", "zh": "completed"}
    assert RoadmapTask.objects.get(human_review=True).status == "human_review_pending"
    assert set(TutorialMetadata.objects.values_list("generator_kind", flat=True)) == {"rules"}
    before = everything()
    assert load(operator) == []
    assert everything() == before
    assert [ok for ok, _text, _mend in found()] == [True]


def test_no_roadmap_is_asked_of_a_model_that_costs_money(operator, settings):
    settings.LLM_PROVIDER = "openai"
    assert load(operator) == []
    assert not RoadmapTask.objects.exists()


def test_the_doctor_names_what_is_called_complete_and_is_not(operator):
    assert found() == []
    made = workshop.roadmap(operator)
    assert [ok for ok, _text, _mend in found()] == [True]
    Concept.objects.filter(roadmap=made, concept_id="c-1-1-2").update(quiz_status="pending")
    ((ok, text, mend),) = found()
    assert (ok, mend) == (False, f"manage.py retry_roadmap {made.tasks.get().pk}")
    assert str(made.tasks.get().pk) in text
    call_command("retry_roadmap", str(made.tasks.get().pk))  # the cure is one
    assert [ok for ok, _text, _mend in found()] == [True]


def test_the_doctor_reminds_of_a_review_after_a_week(operator):
    made = workshop.roadmap(operator, status="human_review_pending", contents=False)
    assert [ok for ok, _text, _mend in found()] == [True]
    RoadmapTask.objects.filter(roadmap=made).update(updated_at=seconds_from_now(-8 * 86_400))
    ((ok, text, _mend),) = found()
    assert (ok, text[:1]) == (False, "1")


def test_a_database_that_is_down_costs_no_question():
    assert list(checkup.examine(Up(database=False, redis=True))) == []


def test_metrics_tell_how_long_steps_took_and_what_failed(operator):
    made = workshop.roadmap(operator)
    Concept.objects.filter(concept_id="c-1-1-1").update(quiz_status="failed", quiz_error="unusable-content")
    task = made.tasks.get()
    for number, took in enumerate((1000, 2000, 3000)):
        workshop.step(task, "quiz_generation", str(number), milliseconds=took)
    workshop.step(task, "quiz_generation", "0", retry=1, milliseconds=0, outcome="reused")
    families: dict[str, GaugeMetricFamily] = {family.name: family for family in metrics.collect()}
    seconds = {
        (each.labels["step"], each.labels["quantile"]): each.value
        for each in families["pressroom_roadmap_step_seconds"].samples
    }
    assert seconds == {("quiz_generation", "0.5"): 2.0, ("quiz_generation", "0.95"): pytest.approx(2.9)}
    failed = {each.labels["kind"]: each.value for each in families["pressroom_roadmap_contents_failed"].samples}
    assert failed == {"tutorial": 0, "resources": 0, "quiz": 1}


def test_contents_go_by_age_once_their_roadmap_is_gone(operator):
    gone, stays = workshop.roadmap(operator), workshop.roadmap(operator)
    Roadmap.objects.filter(pk=gone.pk).delete()
    kinds = (TutorialMetadata, ResourceRecommendationMetadata, QuizMetadata)
    names = ("roadmap-tutorials", "roadmap-resources", "roadmap-quizzes")
    for name in names:
        assert prune(name, timezone.now() - timedelta(days=1), actor="test").rows == 0
        assert prune(name, timezone.now() + timedelta(days=1), actor="test").rows == 2
    for model in kinds:
        assert set(model.objects.values_list("roadmap_id", flat=True)) == {stays.pk}
