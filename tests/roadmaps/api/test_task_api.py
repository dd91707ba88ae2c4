"""Roadmap tasks: what is asked for, refused, repeated, watched, retried and reviewed through the API."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import workshop
from config.language_model import RULES
from documents import all_at_once
from roadmaps import planner, workflow
from roadmaps.choices import RoadmapError
from roadmaps.models import Concept, HumanReview, RoadmapTask
from roadmaps.wishes import Wish
from runs.errors import RunFailed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_trees")]

START, RETRY = "/api/v1/generation/roadmap", "/api/v1/generation/retry"
CANCEL, APPROVE = "/api/v1/generation/cancel", "/api/v1/generation/approve"
TASKS = "/api/v1/roadmaps/tasks"
ZH = {"HTTP_ACCEPT_LANGUAGE": "zh-hans"}


# --- Asking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "pointers"),
    [
        ({}, ["#/query"]),
        ({"query": ""}, ["#/query"]),
        ({"query": "  "}, ["#/query"]),
        ({"query": "x" * 501}, ["#/query"]),
        ({"query": ["Learn Redis"]}, ["#/query"]),
        ({"query": "Learn Redis", "level": "expert"}, ["#/level"]),
        ({"query": "Learn Redis", "hoursPerWeek": 0}, ["#/hoursPerWeek"]),
        ({"query": "Learn Redis", "hours_per_week": 169}, ["#/hoursPerWeek"]),
        ({"query": "Learn Redis", "hoursPerWeek": 1.5}, ["#/hoursPerWeek"]),
        ({"query": "Learn Redis", "hoursPerWeek": None}, ["#/hoursPerWeek"]),
        ({"query": "Learn Redis", "language": "de"}, ["#/language"]),
        ({"query": "Learn Redis", "contentPreference": ["x"] * 11}, ["#/contentPreference"]),
        ({"query": "Learn Redis", "contentPreference": "video"}, ["#/contentPreference"]),
        ({"query": "Learn Redis", "deadline": "soon"}, ["#/deadline"]),
        ({"query": "Learn Redis", "motivation": "x" * 2001}, ["#/motivation"]),
        ({"query": "Learn Redis", "humanReview": "maybe"}, ["#/humanReview"]),
        ({"query": "Learn Redis", "userId": 7}, ["#/userId"]),
        ({"query": "Learn Redis", "status": "completed"}, ["#/status"]),
    ],
)
def test_a_wrong_wish_is_pointed_at_and_leaves_nothing(api, refused, wish, pointers):
    problem = refused(api.post(START, wish), 400, "validation-error")
    assert [error["pointer"] for error in problem["errors"]] == pointers
    assert not RoadmapTask.objects.exists()


@pytest.mark.parametrize("path", [START, "/api/roadmaps/generate"])
@pytest.mark.parametrize(("query", "known"), [("Learn falconry", "Redis"), ("学习驯鹰", "数据分析")])
def test_a_topic_that_rules_do_not_know_is_refused_with_those_they_do(api, refused, path, query, known):
    (error,) = refused(api.post(path, {"query": query}), 400, "validation-error")["errors"]
    assert (error["pointer"], error["code"]) == ("#/query", "unknown-topic")
    assert known in error["detail"]
    assert not RoadmapTask.objects.exists()


def test_a_model_may_be_asked_about_any_topic(api, settings):
    settings.LLM_PROVIDER = "openai"
    assert api.post(START, {"query": "Learn falconry"}).status_code == 202


@pytest.mark.parametrize("wish", [{"query": "Learn falconry"}, {"query": "Learn falconry", "strategy": "restart"}])
def test_a_retry_for_a_topic_that_rules_do_not_know_is_refused_and_changes_nothing(api, operator, refused, wish):
    task = workshop.roadmap(operator).tasks.get()
    (error,) = refused(api.post(f"{RETRY}/{task.pk}", wish), 400, "validation-error")["errors"]
    assert (error["pointer"], error["code"]) == ("#/query", "unknown-topic")
    kept = RoadmapTask.objects.get()
    assert (kept.status, kept.retries, kept.user_request["query"]) == ("completed", 0, "Learn Redis")
    assert set(Concept.objects.values_list("quiz_status", flat=True)) == {"completed"}


def test_what_a_model_began_is_not_tried_again_by_rules_that_do_not_know_its_topic(api, operator, refused):
    by_a_model = {"user_request": Wish("Learn falconry").checked().as_json()}
    made = workshop.roadmap(operator, status="partial_failure", **by_a_model)
    Concept.objects.filter(concept_id="c-1-1-1").update(quiz_status="failed", quiz_error="llm-timeout")
    for path in (f"{RETRY}/{made.tasks.get().pk}", f"/api/v1/roadmaps/{made.pk}/concepts/c-1-1-1/retry"):
        refused(api.post(path, {"kinds": ["quiz"]} if "concepts" in path else {}), 400, "validation-error")
    assert RoadmapTask.objects.get().status == "partial_failure"
    assert set(Concept.objects.values_list("quiz_status", flat=True)) == {"failed", "completed"}


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"Learn Redis"', b"{", b'{"query": "a", "query": "b"}'])
def test_a_body_that_is_no_wish_is_refused(api, body):
    answer = api.post(START, body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_wish_sent_again_with_its_key_makes_one_task(api, refused):
    key = {"HTTP_IDEMPOTENCY_KEY": "k-1"}
    first, again = (api.post(START, {"query": "Learn Redis"}, **key) for _ in "ab")
    assert (again.status_code, again.content, again["Location"]) == (202, first.content, first["Location"])
    assert again["Idempotent-Replayed"] == "true"
    refused(api.post(START, {"query": "Learn Git"}, **key), 422, "idempotency-mismatch")
    assert RoadmapTask.objects.count() == 1


def test_a_retry_sent_again_with_its_key_is_one_retry(api, operator, refused):
    task = workshop.task(operator, "failed")
    key = {"HTTP_IDEMPOTENCY_KEY": "k-1"}
    first, again = (api.post(f"{RETRY}/{task.pk}", {}, **key) for _ in "ab")
    assert (first.status_code, again.content) == (202, first.content)
    assert RoadmapTask.objects.get().retries == 1
    refused(api.post(f"{RETRY}/{task.pk}", {}), 409, "already-running")


def test_who_asks_too_often_is_told_when_to_come_back(api, operator, refused, settings):
    rates = {**settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "model-work": "2/h"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
    assert [api.post(START, {"query": "Learn Redis"}).status_code for _ in "ab"] == [202, 202]
    made = workshop.roadmap(operator)
    for path in (f"{RETRY}/{made.tasks.get().pk}", f"/api/v1/roadmaps/{made.pk}/concepts/c-1-1-1/retry"):
        refused(api.post(path, {}), 429, "throttled")
    assert int(api.post("/api/roadmaps/generate", {"query": "Learn Redis"})["Retry-After"]) > 0
    assert api.get(TASKS).status_code == 200


# --- Watching ------------------------------------------------------------------------------------


def test_an_unchanged_task_is_304_until_anything_it_shows_moves(api):
    where = api.post(START, {"query": "Learn Redis"})["Location"]
    seen = api.get(where)
    assert seen["Retry-After"] == "2"
    unchanged = api.get(where, HTTP_IF_NONE_MATCH=seen["ETag"])
    assert (unchanged.status_code, unchanged.content, unchanged["Retry-After"]) == (304, b"", "2")
    workflow.run_roadmap(RoadmapTask.objects.get().pk)
    done = api.get(where, HTTP_IF_NONE_MATCH=seen["ETag"])
    assert (done.status_code, "Retry-After" in done, done.json()["status"]) == (200, False, "completed")
    assert api.get(where, HTTP_IF_NONE_MATCH=done["ETag"]).status_code == 304
    assert api.get(where, HTTP_IF_NONE_MATCH=done["ETag"], **ZH).status_code == 200
    assert api.delete(f"/api/v1/roadmaps/{done.json()['roadmapId']}").status_code == 204
    lost = api.get(where, HTTP_IF_NONE_MATCH=done["ETag"])
    assert (lost.status_code, lost.json()["roadmapId"]) == (200, None)


def test_why_it_failed_is_said_in_the_readers_language(api, settings):
    settings.LLM_PROVIDER = "openai"
    where = api.post(START, {"query": "Learn falconry"})["Location"]
    settings.LLM_PROVIDER = RULES
    workflow.run_roadmap(RoadmapTask.objects.get().pk)
    failed = api.get(where).json()
    assert (failed["status"], failed["error"]["slug"]) == ("failed", "unknown-topic")
    assert failed["errorMessage"] == failed["error"]["text"] == RoadmapError.UNKNOWN_TOPIC.label
    assert "Redis" in failed["error"]["detail"]
    (step,) = failed["steps"]
    assert (step["step"], step["outcome"], step["error"]["slug"]) == ("intent_analysis", "failed", "unknown-topic")
    in_chinese = api.get(where, **ZH).json()
    assert in_chinese["errorMessage"] == in_chinese["steps"][0]["error"]["text"] != failed["errorMessage"]


def test_a_step_tells_what_a_retry_gave_it_that_it_had_not_had_before(api, operator):
    task = workshop.task(operator, retries=1)
    workshop.step(task, given={"wish": {"query": "Learn Python", "hours_per_week": 6, "a/b~c": [1, 2]}})
    workshop.step(task, "curriculum_design", given={"x": 1})
    long = "y" * 1000
    workshop.step(task, retry=1, given={"wish": {"query": long, "hours_per_week": 6, "a/b~c": [1, 3]}})
    workshop.step(task, "curriculum_design", retry=1, given={"x": 1}, outcome="reused")
    workshop.step(task, "quiz_generation", "c-1-1-1", retry=1, given={"x": 1})
    steps = api.get(f"{TASKS}/{task.pk}").json()["steps"]
    assert [(each["attempt"], each["step"], each["key"]) for each in steps] == [
        (1, "intent_analysis", ""), (1, "curriculum_design", ""), (2, "intent_analysis", ""),
        (2, "curriculum_design", ""), (2, "quiz_generation", "c-1-1-1"),
    ]  # fmt: skip
    assert [each["inputChanges"] for each in steps] == [
        None,
        None,
        [
            {"pointer": "/wish/a~1b~0c/1", "before": 2, "after": 3},
            {"pointer": "/wish/query", "before": "Learn Python", "after": f"{'y' * 200}…"},
        ],
        [],
        None,
    ]


def test_a_changed_wish_is_seen_in_the_steps_and_updates_what_hangs_on_it(api):
    where = api.post(START, {"query": "Learn Python"})["Location"]
    task = RoadmapTask.objects.get()
    workflow.run_roadmap(task.pk)
    wish = {"query": "Learn Redis", "preferences": {"hours_per_week": 9, "contentPreference": ["video"]}}
    assert api.post(f"{RETRY}/{task.pk}", wish).json()["recoveryType"] == "checkpoint"
    workflow.run_roadmap(task.pk)
    told = api.get(where).json()
    assert (told["attempt"], told["query"], told["userRequest"]["hours_per_week"]) == (2, "Learn Redis", 9)
    (intent,) = [each for each in told["steps"] if each["step"] == "intent_analysis" and each["attempt"] == 2]
    assert intent["outcome"] == "updated"
    changed = {each["pointer"]: (each["before"], each["after"]) for each in intent["inputChanges"]}
    assert changed == {
        "/wish/query": ("Learn Python", "Learn Redis"),
        "/wish/hours_per_week": (6, 9),
        "/wish/content_preference/0": (None, "video"),
    }


def test_the_list_is_newest_first_and_filtered(api, operator, refused):
    failed, done = workshop.task(operator, "failed", current_step="quiz_generation"), workshop.roadmap(operator)
    newest = workshop.task(operator, "pending")
    ids = lambda **asked: [each["taskId"] for each in api.get(TASKS, asked).json()["tasks"]]  # noqa: E731
    assert ids() == [str(newest.pk), str(done.tasks.get().pk), str(failed.pk)]
    assert ids(status="failed") == ids(step="quiz_generation") == [str(failed.pk)]
    assert ids(roadmapId=done.pk) == [str(done.tasks.get().pk)]
    assert ids(page=2, pageSize=2) == [str(failed.pk)]
    assert ids(page=9) == []
    for wrong in ({"status": "running"}, {"step": "nowhere"}, {"page": 0}, {"status": ""}):
        refused(api.get(TASKS, wrong), 400, "validation-error")
    refused(api.get(TASKS, {"state": "failed"}), 400, "unknown-parameter")


def test_a_page_of_tasks_costs_the_same_for_three_and_three_hundred(api, operator):
    def queries(path):
        with CaptureQueriesContext(connection) as asked:
            assert api.get(path).status_code == 200
        return len(asked)

    of = workshop.task(operator, retries=1)
    for retry in (0, 1):
        workshop.step(of, given={"retry": retry}, retry=retry)
    few = [queries(f"{TASKS}?pageSize=2"), queries(f"{TASKS}/{of.pk}")]
    for retry in (0, 1):
        for number in range(150):
            workshop.step(of, "quiz_generation", f"c-1-1-{number}", retry=retry, given={"retry": retry})
    for _ in range(60):
        workshop.task(operator)
    many = [queries(f"{TASKS}?pageSize=50"), queries(f"{TASKS}/{of.pk}")]
    assert many[1] == few[1]
    assert many[0] <= few[0] + 2  # a COUNT, which is explained before it is asked


# --- Trying again --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"strategy": "again"}, "#/strategy"),
        ({"fromStep": "nowhere"}, "#/fromStep"),
        ({"from_step": ["quiz_generation"]}, "#/fromStep"),
        ({"query": " "}, "#/query"),
        ({"query": None}, "#/query"),
        ({"preferences": []}, "#/preferences"),
        ({"preferences": {"level": "expert"}}, "#/preferences/level"),
        ({"preferences": {"query": "x"}}, "#/preferences/query"),
        ({"hoursPerWeek": 3}, "#/hoursPerWeek"),
    ],
)
def test_a_wrong_retry_is_pointed_at_and_changes_nothing(api, operator, refused, wish, pointer):
    task = workshop.task(operator, "failed")
    problem = refused(api.post(f"{RETRY}/{task.pk}", wish), 400, "validation-error")
    assert problem["errors"][0]["pointer"] == pointer
    assert (RoadmapTask.objects.get().status, RoadmapTask.objects.get().retries) == ("failed", 0)


def test_what_runs_what_is_done_and_what_has_no_contents_is_refused(api, operator, refused):
    for status in ("pending", "processing", "human_review_pending"):
        refused(api.post(f"{RETRY}/{workshop.task(operator, status).pk}"), 409, "already-running")
    done = workshop.roadmap(operator).tasks.get()
    refused(api.post(f"{RETRY}/{done.pk}", {}), 409, "nothing-to-retry")
    empty = workshop.task(operator, "failed", current_step="curriculum_design")
    refused(api.post(f"{RETRY}/{empty.pk}", {"strategy": "content"}), 409, "no-contents-yet")
    refused(api.post(f"{RETRY}/{workshop.nobody()}", {}), 404, "not-found")


def test_contents_that_failed_are_shown_and_tried_again(api, monkeypatch):
    quiz = planner.quiz

    def failing(wish, framework, concept):
        if concept.concept_id == "c-1-1-1":
            raise RunFailed(RoadmapError.NOT_STORABLE, "no")
        return quiz(wish, framework, concept)

    monkeypatch.setattr(planner, "quiz", failing)
    where = api.post(START, {"query": "Learn Redis"})["Location"]
    task = RoadmapTask.objects.get()
    workflow.run_roadmap(task.pk)
    told = api.get(where).json()
    assert (told["status"], told["failedConcepts"]) == ("partial_failure", ["c-1-1-1"])
    concept = api.get(f"/api/v1/roadmaps/{told['roadmapId']}/concepts/c-1-1-1").json()
    assert concept["contents"]["quiz"] == {
        "status": "failed", "error": "unusable-content", "errorMessage": "What was written cannot be used",
    }  # fmt: skip
    assert (concept["quiz"], concept["tutorial"]["version"]) == (None, 1)
    monkeypatch.setattr(planner, "quiz", quiz)
    retried = api.post(f"{RETRY}/{task.pk}").json()
    assert retried == {
        "taskId": str(task.pk), "status": "pending", "attempt": 2, "recoveryType": "content",
        "resumedFrom": "quiz_generation", "itemsToRetry": {"quiz": 1}, "reusedSteps": retried["reusedSteps"],
    }  # fmt: skip
    assert "intent_analysis" in retried["reusedSteps"]
    queued = api.get(where).json()
    assert (queued["completedAt"], queued["error"], queued["errorMessage"]) == (None, None, None)
    workflow.run_roadmap(task.pk)
    assert api.get(where).json()["status"] == "completed"


def test_a_cancelled_task_stays_cancelled_and_says_so_once(api, refused):
    task_id = api.post(START, {"query": "Learn Redis"}).json()["taskId"]
    assert api.post(f"{CANCEL}/{task_id}").json()["status"] == "cancelled"
    refused(api.post(f"{CANCEL}/{task_id}"), 409, "run-finished")
    workflow.run_roadmap(RoadmapTask.objects.get().pk)
    assert api.get(f"{TASKS}/{task_id}").json()["status"] == "cancelled"


# --- Reviews -------------------------------------------------------------------------------------


def waiting(operator):
    return workshop.roadmap(operator, status="human_review_pending", contents=False, human_review=True).tasks.get()


def test_of_two_decisions_at_once_one_counts(operator, client_of):
    task = waiting(operator)
    clients = [client_of(operator) for _ in range(4)]
    wishes = [{"approved": True}, {"approved": False, "feedback": "shorter"}] * 2
    answers = all_at_once(
        *(
            lambda client=client, wish=wish: client.post(f"{APPROVE}/{task.pk}", wish).status_code
            for client, wish in zip(clients, wishes, strict=True)
        )
    )
    assert sorted(answers) == [200, 409, 409, 409]
    assert HumanReview.objects.count() == 1


def test_a_decision_is_refused_where_nobody_waits_or_it_is_none(api, operator, refused):
    refused(api.post(f"{APPROVE}/{workshop.task(operator).pk}", {"approved": True}), 409, "not-waiting")
    task = waiting(operator)
    for wrong in ({}, {"approved": None}, {"approved": "perhaps"}, {"approved": False, "feedback": "x" * 2001}):
        refused(api.post(f"{APPROVE}/{task.pk}", wrong), 400, "validation-error")
    assert RoadmapTask.objects.get(pk=task.pk).status == "human_review_pending"


def test_a_decision_sent_again_with_its_key_is_answered_again(api, operator):
    task = waiting(operator)
    key = {"HTTP_IDEMPOTENCY_KEY": "k-1"}
    first, again = (api.post(f"{APPROVE}/{task.pk}", {"approved": True}, **key) for _ in "ab")
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)


def test_feedback_changes_the_tree_and_asks_again(api):
    where = api.post(START, {"query": "Learn Redis", "humanReview": True})["Location"]
    task = RoadmapTask.objects.get()
    workflow.run_roadmap(task.pk)
    assert (api.get(where).json()["status"], api.get(where).json()["currentStep"]) == (
        "human_review_pending",
        "human_review",
    )
    last = Concept.objects.in_order().last()
    api.post(f"{APPROVE}/{task.pk}", {"approved": False, "feedback": f"remove {last.name}"})
    workflow.run_roadmap(task.pk)
    assert not Concept.objects.filter(name=last.name).exists()
    assert api.post(f"{APPROVE}/{task.pk}", {"approved": True}).status_code == 200
    workflow.run_roadmap(task.pk)
    assert api.get(where).json()["status"] == "completed"
