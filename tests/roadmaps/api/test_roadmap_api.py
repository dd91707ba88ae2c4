"""Roadmaps and concepts: whose they are, how contents stand, what a page costs, what is made anew."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import workshop
from roadmaps.models import Concept, QuizMetadata, Roadmap, RoadmapTask, TutorialMetadata

pytestmark = pytest.mark.django_db(transaction=True)

ROADMAPS, TASKS = "/api/v1/roadmaps", "/api/v1/roadmaps/tasks"


def queries(api, path):
    """How many queries it costs, once who asks and how many there are is known."""
    assert api.get(path).status_code == 200
    with CaptureQueriesContext(connection) as asked:
        assert api.get(path).status_code == 200
    return len(asked)


# --- Whose they are ------------------------------------------------------------------------------


def of_one(made):
    """Every route about one roadmap or its task: method, path and a body that fits."""
    here, task = f"{ROADMAPS}/{made.pk}", made.tasks.get().pk
    concept = f"{here}/concepts/c-1-1-1"
    return [
        ("get", here, None),
        ("get", f"{here}/active-task", None),
        ("get", f"{here}/progress", None),
        ("get", concept, None),
        ("put", f"{concept}/progress", {"isCompleted": True}),
        ("get", f"{concept}/quiz-attempts", None),
        ("post", f"{concept}/quiz-attempts", {"answers": [[], [], []]}),
        ("post", f"{concept}/retry", {"kinds": ["quiz"]}),
        ("get", f"{TASKS}/{task}", None),
        ("post", f"{TASKS}/{task}/cancel", None),
        ("post", f"/api/v1/generation/retry/{task}", {}),
        ("post", f"/api/v1/generation/cancel/{task}", None),
        ("post", f"/api/v1/generation/approve/{task}", {"approved": True}),
        ("delete", here, None),
    ]


def send(client, method, path, body):
    return getattr(client, method)(path, body) if body is not None else getattr(client, method)(path)


@pytest.mark.parametrize("status", ["completed", "human_review_pending", "processing"])
def test_what_belongs_to_another_is_not_there_on_any_route(operator, other, refused, status):
    made = workshop.roadmap(operator, status=status)
    for method, path, body in of_one(made):
        refused(send(other, method, path, body), 404, "not-found")
    assert other.get(ROADMAPS).json()["roadmaps"] == []
    assert other.get(TASKS).json()["tasks"] == []
    assert RoadmapTask.objects.get().status == status
    assert Roadmap.objects.filter(pk=made.pk).exists()
    assert workshop.learnt(operator, made) is None


def test_administrators_see_and_retry_those_of_all(operator, administrator, client_of):
    made = workshop.roadmap(operator)
    api = client_of(administrator)
    assert [each["owner"] for each in api.get(ROADMAPS).json()["roadmaps"]] == ["operator"]
    assert [each["requestedBy"] for each in api.get(TASKS).json()["tasks"]] == ["operator"]
    statuses = {path: send(api, method, path, body).status_code for method, path, body in of_one(made)}
    assert not [path for path, status in statuses.items() if status == 404], statuses


def test_learners_have_progress_and_tries_of_their_own(api, operator, administrator, client_of):
    made = workshop.roadmap(operator)
    api.put(f"{ROADMAPS}/{made.pk}/concepts/c-1-1-1/progress", {"isCompleted": True})
    api.post(f"{ROADMAPS}/{made.pk}/concepts/c-1-1-1/quiz-attempts", {"answers": [[], [], []]})
    admin = client_of(administrator)
    assert admin.get(f"{ROADMAPS}/{made.pk}/progress").json()["completed"] == 0
    assert admin.get(f"{ROADMAPS}/{made.pk}/concepts/c-1-1-1/quiz-attempts").json()["attempts"] == []
    assert admin.get(f"{ROADMAPS}/{made.pk}/concepts/c-1-1-1").json()["quiz"]["withAnswers"] is False


@pytest.mark.parametrize(
    "path",
    [
        f"{ROADMAPS}/no-such-roadmap-12345678",
        f"{ROADMAPS}/no-such-roadmap-12345678/concepts/c-1-1-1",
        f"{ROADMAPS}/no-such-roadmap-12345678/concepts/c-1-1-1/quiz-attempts",
        f"{ROADMAPS}/{'a' * 300}",
        f"{ROADMAPS}/Redis-12345678",
        f"{TASKS}/1",
        f"{TASKS}/00000000-0000-4000-8000-000000000000",
    ],
)
def test_what_nobody_has_is_404(api, refused, path):
    refused(api.get(path), 404, "not-found")


@pytest.mark.parametrize("concept", ["c-9-9-9", "c-1-1-0", "c-1-1", "c-01-1-1", "stage-1"])
def test_a_concept_that_is_not_in_the_roadmap_is_404(api, made, refused, concept):
    here = f"{ROADMAPS}/{made.pk}/concepts/{concept}"
    refused(api.get(here), 404, "not-found")
    refused(api.put(f"{here}/progress", {"isCompleted": True}), 404, "not-found")
    refused(api.get(f"{here}/quiz-attempts"), 404, "not-found")
    refused(api.post(f"{here}/quiz-attempts", {"answers": []}), 404, "not-found")
    refused(api.post(f"{here}/retry", {}), 404, "not-found")


def test_tasks_of_articles_are_on_their_own_route(api, operator):
    workshop.task(operator)
    assert api.get("/api/v1/generation/tasks").json() == {"tasks": [], "total": 0, "page": 1, "pageSize": 10}


# --- How contents stand --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "step", "shown"),
    [
        ("pending", "", "pending"),
        ("processing", "curriculum_design", "pending"),
        ("human_review_pending", "human_review", "pending"),
        ("processing", "tutorial_generation", "generating"),
        ("processing", "quiz_generation", "generating"),
        ("pending", "resource_recommendation", "generating"),
        ("failed", "tutorial_generation", "pending"),
        ("cancelled", "quiz_generation", "pending"),
    ],
)
def test_a_pending_content_is_being_written_while_the_task_is_at_the_contents(api, operator, status, step, shown):
    made = workshop.roadmap(operator, status=status, contents=False, current_step=step)
    Concept.objects.filter(concept_id="c-1-1-2").update(
        tutorial_status="completed", quiz_status="failed", quiz_error="x"
    )
    stages = api.get(f"{ROADMAPS}/{made.pk}").json()["stages"]
    first, second = ({kind: each["status"] for kind, each in concept["contents"].items()} for concept in
                     stages[0]["modules"][0]["concepts"])  # fmt: skip
    assert first == {"tutorial": shown, "resources": shown, "quiz": shown}
    assert second == {"tutorial": "completed", "resources": shown, "quiz": "failed"}
    one = api.get(f"{ROADMAPS}/{made.pk}/concepts/c-1-1-1").json()
    assert one["contents"]["tutorial"]["status"] == shown
    assert (one["tutorial"], one["tutorialVersions"], one["resources"], one["quiz"]) == (None, [], None, None)
    active = api.get(f"{ROADMAPS}/{made.pk}/active-task").json()
    assert active["hasActiveTask"] is (status not in ("failed", "cancelled"))
    assert active["currentStep"] == (step if active["hasActiveTask"] else None)


def test_a_roadmap_without_a_tree_yet_is_listed_and_empty(api, operator):
    bare = Roadmap.objects.create(roadmap_id="redis-abcdefgh", owner=operator)
    workshop.task(operator, "processing", roadmap=bare)
    (row,) = api.get(ROADMAPS).json()["roadmaps"]
    assert (row["title"], row["generator"], row["conceptsInAll"], row["taskStatus"]) == ("", None, 0, "processing")
    whole = api.get(f"{ROADMAPS}/{bare.pk}").json()
    assert (whole["stages"], whole["designRationale"], whole["totalEstimatedHours"]) == ([], "", None)
    assert api.get(f"{ROADMAPS}/{bare.pk}/progress").json()["percent"] == 0


def test_an_unchanged_tree_or_concept_is_304_until_anything_it_shows_moves(api, made):
    here = f"{ROADMAPS}/{made.pk}"
    for path in (here, f"{here}/concepts/c-1-1-1"):
        seen = api.get(path)
        assert api.get(path, HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 304
        api.put(f"{here}/concepts/c-1-1-1/progress", {"isCompleted": path == here})
        assert api.get(path, HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 200


def test_older_versions_of_a_tutorial_can_be_read(api, made, refused):
    TutorialMetadata.objects.filter(concept_id="c-1-1-1").update(is_latest=False)
    workshop.tutorial(made, version=2)
    here = f"{ROADMAPS}/{made.pk}/concepts/c-1-1-1"
    whole = api.get(here).json()
    assert (whole["tutorial"]["version"], whole["tutorial"]["content"]) == (2, "# Text 2")
    assert [(each["version"], each["isLatest"]) for each in whole["tutorialVersions"]] == [(2, True), (1, False)]
    assert "content" not in whole["tutorialVersions"][0]
    assert api.get(here, {"tutorialVersion": 1}).json()["tutorial"]["content"] == "# Text 1"
    refused(api.get(here, {"tutorialVersion": 3}), 404, "not-found")
    for wrong in ({"tutorialVersion": "x"}, {"tutorialVersion": 0}, {"tutorialVersion": "1.0"}, {"withAnswers": "1"}):
        refused(api.get(here, wrong), 400, "validation-error")
    refused(api.get(here, {"version": 1}), 400, "unknown-parameter")


def test_numbers_of_the_tree_are_numbers_digit_for_digit(api, made):
    body = api.get(f"{ROADMAPS}/{made.pk}").content
    assert b'"estimatedHours":1.5' in body
    assert b'"totalEstimatedHours":2.5' in body


# --- What it costs -------------------------------------------------------------------------------


def test_a_list_and_a_tree_cost_the_same_for_three_and_three_hundred(api, operator):
    small = workshop.roadmap(operator, concepts=3)
    for _ in range(2):
        workshop.roadmap(operator, concepts=1)
    few = [queries(api, f"{ROADMAPS}?pageSize=2"), queries(api, f"{ROADMAPS}/{small.pk}"),
           queries(api, f"{ROADMAPS}/{small.pk}/progress")]  # fmt: skip
    large = workshop.roadmap(operator, concepts=300, contents=False)
    for _ in range(40):
        workshop.roadmap(operator, concepts=1, contents=False)
    many = [queries(api, f"{ROADMAPS}?pageSize=30"), queries(api, f"{ROADMAPS}/{large.pk}"),
            queries(api, f"{ROADMAPS}/{large.pk}/progress")]  # fmt: skip
    assert many == few


# --- Made anew, and deleted ----------------------------------------------------------------------


def test_contents_of_one_concept_are_made_anew_by_name_or_because_they_are_missing(api, operator, refused):
    made = workshop.roadmap(operator)
    retry = f"{ROADMAPS}/{made.pk}/concepts/c-1-1-1/retry"
    refused(api.post(retry, {}), 409, "nothing-to-retry")
    for wrong in ({"kinds": []}, {"kinds": ["video"]}, {"kinds": "quiz"}, {"kind": "quiz"}, {"kinds": ["quiz"] * 4}):
        refused(api.post(retry, wrong), 400, "validation-error")
    Concept.objects.filter(concept_id="c-1-1-1").update(quiz_status="failed", quiz_error="unusable-content")
    answer = api.post(retry)
    assert (answer.status_code, answer.json()["itemsToRetry"], answer.json()["recoveryType"]) == (
        202,
        {"quiz": 1},
        "content",
    )
    refused(api.post(retry, {"kinds": ["quiz"]}), 409, "already-running")
    states = Concept.objects.get(concept_id="c-1-1-1")
    assert (states.quiz_status, states.tutorial_status) == ("pending", "completed")


def test_a_roadmap_is_deleted_with_what_was_learnt_unless_a_task_works_on_it(api, operator, refused):
    busy, done = workshop.roadmap(operator, status="processing"), workshop.roadmap(operator)
    refused(api.delete(f"{ROADMAPS}/{busy.pk}"), 409, "already-running")
    api.put(f"{ROADMAPS}/{done.pk}/concepts/c-1-1-1/progress", {"isCompleted": True})
    api.post(f"{ROADMAPS}/{done.pk}/concepts/c-1-1-1/quiz-attempts", {"answers": [[], [], []]})
    assert api.delete(f"{ROADMAPS}/{done.pk}").status_code == 204
    refused(api.delete(f"{ROADMAPS}/{done.pk}"), 404, "not-found")
    assert list(Roadmap.objects.values_list("pk", flat=True)) == [busy.pk]
    assert workshop.learnt(operator, done) is None
    assert QuizMetadata.objects.filter(roadmap_id=done.pk).exists()  # until it is pruned
    assert api.get(TASKS).json()["total"] == 2
