"""What existing clients send and read, field by field.

The tables are written by hand from the clients' own types, and know nothing of our serializers.
"""

import pytest

import workshop
from roadmaps import workflow
from roadmaps.models import RoadmapTask

pytestmark = pytest.mark.django_db(transaction=True)

STARTS = [
    "/api/v1/generation/roadmap",
    "/api/generation/roadmap",
    "/api/v1/roadmaps/generate",
    "/api/roadmaps/generate",
]
PREFIXES = ["/api/v1", "/api"]
NUMBER, TEXT, FLAG, LIST, OBJECT, REAL = int, str, bool, list, dict, (int, float)
NULL = type(None)
STARTED = {"taskId": TEXT, "status": TEXT, "message": TEXT}
TASK = {
    "taskId": TEXT, "status": TEXT, "currentStep": TEXT, "roadmapId": (TEXT, NULL), "errorMessage": (TEXT, NULL),
    "createdAt": TEXT, "updatedAt": TEXT, "completedAt": (TEXT, NULL), "stalled": FLAG, "progress": NUMBER,
    "query": TEXT, "attempt": NUMBER, "recoveryType": (TEXT, NULL), "humanReview": FLAG, "error": (OBJECT, NULL),
    "failedConcepts": LIST, "requestedBy": (TEXT, NULL), "startedAt": (TEXT, NULL), "heartbeatAt": (TEXT, NULL),
}  # fmt: skip
STEP = {
    "step": TEXT, "key": TEXT, "attempt": NUMBER, "runs": NUMBER, "outcome": TEXT, "isVoid": FLAG,
    "milliseconds": NUMBER, "tokens": (NUMBER, NULL), "error": (OBJECT, NULL), "inputChanges": (LIST, NULL),
    "createdAt": TEXT, "updatedAt": TEXT,
}  # fmt: skip
ENVELOPE = {"total": NUMBER, "page": NUMBER, "pageSize": NUMBER}
ACTIVE = {
    "hasActiveTask": FLAG, "taskId": (TEXT, NULL), "status": (TEXT, NULL), "currentStep": (TEXT, NULL),
    "progress": (NUMBER, NULL),
}  # fmt: skip
ROADMAP = {
    "roadmapId": TEXT, "title": TEXT, "totalEstimatedHours": (*REAL, NULL),
    "recommendedCompletionWeeks": (NUMBER, NULL),
    "conceptsInAll": NUMBER, "owner": (TEXT, NULL), "taskId": (TEXT, NULL), "taskStatus": (TEXT, NULL),
    "generator": (OBJECT, NULL), "createdAt": TEXT, "updatedAt": TEXT,
}  # fmt: skip
STAGE = {"stageId": TEXT, "name": TEXT, "description": TEXT, "order": NUMBER, "modules": LIST}
MODULE = {"moduleId": TEXT, "name": TEXT, "description": TEXT, "concepts": LIST}
CONCEPT = {
    "conceptId": TEXT, "name": TEXT, "description": TEXT, "estimatedHours": REAL, "difficulty": TEXT, "keywords": LIST,
    "prerequisites": LIST, "contents": OBJECT, "completedAt": (TEXT, NULL),
}  # fmt: skip
CONTENT = {"status": TEXT, "error": (TEXT, NULL), "errorMessage": (TEXT, NULL)}
WHOLE = CONCEPT | {
    "roadmapId": TEXT, "generator": OBJECT, "tutorial": (OBJECT, NULL), "tutorialVersions": LIST,
    "resources": (OBJECT, NULL), "quiz": (OBJECT, NULL),
}  # fmt: skip
VERSION = {
    "version": NUMBER, "isLatest": FLAG, "title": TEXT, "summary": TEXT, "estimatedCompletionTime": (NUMBER, NULL),
    "generator": OBJECT, "createdAt": TEXT, "updatedAt": TEXT,
}  # fmt: skip
RESOURCES = {
    "resources": LIST, "resourcesCount": NUMBER, "searchQueriesUsed": LIST, "generator": OBJECT, "createdAt": TEXT,
    "updatedAt": TEXT,
}  # fmt: skip
QUIZ = {
    "questions": LIST, "withAnswers": FLAG, "totalQuestions": NUMBER, "easyCount": NUMBER, "mediumCount": NUMBER,
    "hardCount": NUMBER, "generator": OBJECT, "createdAt": TEXT, "updatedAt": TEXT,
}  # fmt: skip
PROGRESS = {"conceptId": TEXT, "isCompleted": FLAG, "completedAt": (TEXT, NULL)}
ALL_PROGRESS = {"roadmapId": TEXT, "total": NUMBER, "completed": NUMBER, "percent": NUMBER, "concepts": LIST}
ATTEMPT = {
    "id": NUMBER, "roadmapId": TEXT, "conceptId": TEXT, "totalQuestions": NUMBER, "correctAnswers": NUMBER,
    "scorePercentage": REAL, "incorrectQuestionIndices": LIST, "answers": LIST, "questions": LIST, "generator": OBJECT,
    "createdAt": TEXT,
}  # fmt: skip
RETRIED = {
    "taskId": TEXT, "status": TEXT, "attempt": NUMBER, "recoveryType": TEXT, "resumedFrom": TEXT, "reusedSteps": LIST,
    "itemsToRetry": OBJECT,
}  # fmt: skip


def fits(found, wanted):
    """Just these fields are there, each with the right kind of value."""
    assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
    for name, kinds in wanted.items():
        assert isinstance(found[name], kinds), (name, found[name])
        assert not isinstance(found[name], bool) or kinds is FLAG, name
    return found


@pytest.mark.parametrize("start", STARTS)
def test_a_wish_of_the_older_console_is_taken_in_either_spelling(api, start):
    wish = {"query": "Learn Redis", "level": "intermediate", "hours_per_week": 4, "contentPreference": ["video"]}
    answer = api.post(start, wish)
    assert answer.status_code == 202, answer.content
    begun = fits(answer.json(), STARTED)
    assert begun["status"] == "pending"
    prefix = "/api/v1" if "v1" in start else "/api"
    assert answer["Location"] == f"{prefix}/roadmaps/tasks/{begun['taskId']}"
    assert answer["Retry-After"] == "2"
    stored = RoadmapTask.objects.get().user_request
    assert (stored["level"], stored["hours_per_week"], stored["content_preference"]) == ("intermediate", 4, ["video"])
    assert api.get(answer["Location"]).json()["userRequest"] == stored


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_route_has_the_fields_of_the_contract(api, operator, prefix):
    made = workshop.roadmap(operator)
    task = made.tasks.get()
    workshop.step(task)
    row = {"roadmapId": made.pk, "taskId": str(task.pk)}

    listed = fits(api.get(f"{prefix}/roadmaps/tasks").json(), ENVELOPE | {"tasks": LIST})
    assert fits(listed["tasks"][0], TASK).items() >= row.items()
    whole = fits(
        api.get(f"{prefix}/roadmaps/tasks/{task.pk}").json(),
        TASK | {"userRequest": OBJECT, "summary": OBJECT, "steps": LIST},
    )
    fits(whole["steps"][0], STEP)

    roadmaps = fits(api.get(f"{prefix}/roadmaps").json(), ENVELOPE | {"roadmaps": LIST})
    assert fits(roadmaps["roadmaps"][0], ROADMAP).items() >= row.items()
    here = f"{prefix}/roadmaps/{made.pk}"
    tree = fits(api.get(here).json(), ROADMAP | {"designRationale": TEXT, "stages": LIST})
    module = fits(fits(tree["stages"][0], STAGE)["modules"][0], MODULE)
    contents = fits(module["concepts"][0], CONCEPT)["contents"]
    assert contents.keys() == {"tutorial", "resources", "quiz"}
    assert {fits(each, CONTENT)["status"] for each in contents.values()} == {"completed"}
    idle = fits(api.get(f"{here}/active-task").json(), ACTIVE)
    assert idle == {"hasActiveTask": False, "taskId": None, "status": None, "currentStep": None, "progress": None}

    one = f"{here}/concepts/c-1-1-1"
    concept = fits(api.get(one).json(), WHOLE)
    fits(concept["tutorial"], VERSION | {"content": TEXT})
    assert [fits(each, VERSION)["version"] for each in concept["tutorialVersions"]] == [1]
    assert fits(concept["resources"], RESOURCES)["resources"] == workshop.RESOURCES
    fits(concept["quiz"], QUIZ)

    done = api.put(f"{one}/progress", {"is_completed": True})
    assert fits(done.json(), PROGRESS)["isCompleted"] is True
    progress = fits(api.get(f"{here}/progress").json(), ALL_PROGRESS)
    assert (progress["completed"], progress["total"], progress["percent"]) == (1, 2, 50)
    fits(progress["concepts"][0], PROGRESS)
    tried = api.post(f"{one}/quiz-attempts", {"answers": [[1], [0, 2], []]})
    assert (tried.status_code, fits(tried.json(), ATTEMPT)["scorePercentage"]) == (201, 66.67)
    tries = fits(api.get(f"{one}/quiz-attempts").json(), ENVELOPE | {"attempts": LIST, "nextCursor": (TEXT, NULL)})
    assert fits(tries["attempts"][0], ATTEMPT) == tried.json()

    again = api.post(f"{one}/retry", {"kinds": ["quiz"]})
    assert (again.status_code, again["Location"]) == (202, f"{prefix}/roadmaps/tasks/{task.pk}")
    assert fits(again.json(), RETRIED)["itemsToRetry"] == {"quiz": 1}
    active = fits(api.get(f"{here}/active-task").json(), ACTIVE)
    assert (active["hasActiveTask"], active["taskId"], active["status"]) == (True, str(task.pk), "pending")
    assert fits(api.post(f"{prefix}/generation/cancel/{task.pk}").json(), TASK)["status"] == "cancelled"
    retried = api.post(f"{prefix}/generation/retry/{task.pk}", {"strategy": "restart"})
    assert (retried.status_code, retried["Location"]) == (202, f"{prefix}/roadmaps/tasks/{task.pk}")
    assert fits(retried.json(), RETRIED)["attempt"] == 3
    assert fits(api.post(f"{prefix}/roadmaps/tasks/{task.pk}/cancel").json(), TASK)["status"] == "cancelled"
    assert api.delete(here).status_code == 204
    assert api.get(here).status_code == 404


def test_a_review_is_answered_with_the_task(api, operator):
    waiting = workshop.roadmap(operator, status="human_review_pending", contents=False, human_review=True)
    answer = api.post(f"/api/v1/generation/approve/{waiting.tasks.get().pk}", {"approved": True})
    assert (answer.status_code, fits(answer.json(), TASK)["status"]) == (200, "pending")


def test_whoever_wrote_a_text_is_named_wherever_it_is_shown(api, operator):
    labels = ("Rule-based, no language model", "Written by a language model (m-1)")
    for by, label in zip((workshop.BY_RULES, workshop.BY_MODEL), labels, strict=True):
        made = workshop.roadmap(operator, by=by)
        here = f"/api/v1/roadmaps/{made.pk}"
        concept = api.get(f"{here}/concepts/c-1-1-1").json()
        tried = api.post(f"{here}/concepts/c-1-1-1/quiz-attempts", {"answers": [[], [], []]}).json()
        row = next(each for each in api.get("/api/v1/roadmaps").json()["roadmaps"] if each["roadmapId"] == made.pk)
        shown = [
            row, api.get(here).json(), concept, concept["tutorial"], concept["tutorialVersions"][0],
            concept["resources"], concept["quiz"], tried,
        ]  # fmt: skip
        assert {each["generator"]["label"] for each in shown} == {label}
        assert {each["generator"]["isLlm"] for each in shown} == {by is workshop.BY_MODEL}
    in_chinese = api.get("/api/v1/roadmaps", HTTP_ACCEPT_LANGUAGE="zh-hans").json()["roadmaps"]
    assert in_chinese[1]["generator"]["label"] == "规则生成·未使用大模型"


def test_what_the_worker_made_is_what_the_routes_tell(api):
    begun = api.post(STARTS[0], {"query": "Learn Redis"}).json()
    workflow.run_roadmap(begun["taskId"])
    task = api.get(f"/api/v1/roadmaps/tasks/{begun['taskId']}").json()
    assert (task["status"], task["errorMessage"], task["progress"]) == ("completed", None, 100)
    tree = api.get(f"/api/v1/roadmaps/{task['roadmapId']}").json()
    concepts = [each for stage in tree["stages"] for module in stage["modules"] for each in module["concepts"]]
    assert len(concepts) == tree["conceptsInAll"] == task["summary"]["concepts"]
    assert 3 <= len(tree["stages"]) <= 5
    assert len(task["steps"]) == 4 + 3 * len(concepts)
    last = api.get(f"/api/v1/roadmaps/{task['roadmapId']}/concepts/{concepts[-1]['conceptId']}").json()
    assert last["tutorial"]["content"]
    assert 5 <= len(last["quiz"]["questions"]) <= 8
