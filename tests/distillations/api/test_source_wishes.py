"""What people and programs do with distillations: have them made, make them, rename and delete them."""

import pytest
from django.conf import settings as django_settings

from access.models import AuditEvent
from distillations.distilling import run_distillation
from distillations.models import Distillation, DistillationRun, GeneratedArticle, Topic
from distilled import distilled, drift, topics_of, used

pytestmark = pytest.mark.django_db(transaction=True)
HERE = "/api/v1/distillation"


# --- By a worker ---------------------------------------------------------------------------------


def test_a_keyword_is_accepted_polled_and_distilled(api):
    asked = api.post(HERE, {"keyword": "  少儿编程 ", "topicCount": 6})
    assert asked.status_code == 202, asked.json()
    run = asked.json()
    assert (run["status"], run["keyword"], run["topicCount"], run["requestedBy"]) == (
        "pending", "少儿编程", 6, "operator",
    )  # fmt: skip
    assert asked["Location"] == f"{HERE}/runs/{run['id']}"
    assert asked["Retry-After"] == "2"
    seen = api.get(asked["Location"])
    assert api.get(asked["Location"], HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 304
    run_distillation(run["id"])
    done = api.get(asked["Location"], HTTP_IF_NONE_MATCH=seen["ETag"])
    assert (done.status_code, done.json()["status"], done.json()["progress"]) == (200, "completed", 100)
    assert "Retry-After" not in done
    made = api.get(f"{HERE}/{done.json()['distillationId']}").json()
    assert (made["keyword"], made["topicCount"], made["provider"]) == ("少儿编程", 6, "rules")
    assert AuditEvent.objects.get(action="distillation-run.requested").actor_name == "operator"


def test_the_older_mount_names_a_run_below_itself(api):
    asked = api.post("/api/distillation", {"keyword": "k", "topic_count": 5})
    assert asked["Location"] == f"/api/distillation/runs/{asked.json()['id']}"
    assert api.get(asked["Location"]).json()["topicCount"] == 5


def test_twelve_topics_are_asked_for_unless_said_otherwise(api):
    assert api.post(HERE, {"keyword": "k"}).json()["topicCount"] == 12


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({}, "#/keyword"),
        ({"keyword": " "}, "#/keyword"),
        ({"keyword": "x" * 256}, "#/keyword"),
        ({"keyword": ["x"]}, "#/keyword"),
        ({"keyword": "x", "topicCount": 4}, "#/topicCount"),
        ({"keyword": "x", "topicCount": 31}, "#/topicCount"),
        ({"keyword": "x", "topicCount": "many"}, "#/topicCount"),
        ({"keyword": "x", "provider": "openai"}, "#/provider"),
    ],
)
def test_a_wrong_wish_is_pointed_at_and_starts_nothing(api, wish, pointer):
    answer = api.post(HERE, wish)
    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert not DistillationRun.objects.exists()


def test_the_same_key_and_wish_make_one_run(api):
    first, again = (api.post(HERE, {"keyword": "k"}, HTTP_IDEMPOTENCY_KEY="k-1") for _ in range(2))
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (202, 202, "true")
    assert (first.json(), first["Location"]) == (again.json(), again["Location"])
    assert DistillationRun.objects.count() == 1
    assert api.post(HERE, {"keyword": "other"}, HTTP_IDEMPOTENCY_KEY="k-1").status_code == 422


def test_a_queued_run_is_cancelled_once(api):
    where = api.post(HERE, {"keyword": "k"})["Location"]
    assert api.post(f"{where}/cancel").json()["status"] == "cancelled"
    assert api.post(f"{where}/cancel").status_code == 409
    run_distillation(DistillationRun.objects.get().pk)
    assert not Distillation.objects.exists()


def test_runs_are_listed_by_status(api):
    first, second = (api.post(HERE, {"keyword": keyword}).json()["id"] for keyword in "ab")
    api.post(f"{HERE}/runs/{first}/cancel")
    listed = lambda query="": [each["id"] for each in api.get(f"{HERE}/runs{query}").json()["runs"]]  # noqa: E731
    assert listed() == [second, first]
    assert listed("?status=cancelled") == [first]


def test_model_work_is_throttled(api, settings, refused):
    rates = django_settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    settings.REST_FRAMEWORK = {
        **django_settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {**rates, "model-work": "1/d"},
    }  # fmt: skip
    assert api.post(HERE, {"keyword": "a"}).status_code == 202
    refused(api.post(HERE, {"keyword": "b"}), 429, "throttled")
    assert api.post(f"{HERE}/manual", {"keyword": "b", "questions": ["q"]}).status_code == 201
    assert DistillationRun.objects.count() == 1


# --- By hand -------------------------------------------------------------------------------------


def test_a_keyword_with_questions_is_stored_with_what_says_something(api):
    answer = api.post(f"{HERE}/manual", {"keyword": " k ", "questions": [" a? ", "", "b?", "a?", "  "]})
    body = answer.json()
    assert (answer.status_code, body["keyword"], body["provider"], body["topicCount"]) == (201, "k", "manual", 2)
    assert answer["Location"] == f"{HERE}/{body['distillationId']}"
    assert api.get(answer["Location"]).json() == body
    topics = api.get(f"{answer['Location']}/topics").json()["topics"]
    assert [each["question"] for each in topics] == ["a?", "b?"]


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"keyword": "k"}, "#/questions"),
        ({"keyword": "k", "questions": []}, "#/questions"),
        ({"keyword": "k", "questions": ["", "  "]}, "#/questions"),
        ({"keyword": "k", "questions": "q?"}, "#/questions"),
        ({"keyword": "k", "questions": ["q"] * 501}, "#/questions"),
        ({"keyword": "k", "questions": ["a", "x" * 1_001]}, "#/questions/1"),
        ({"keyword": "", "questions": ["q?"]}, "#/keyword"),
        ({"keyword": "k", "questions": ["q?"], "usageCount": 9}, "#/usageCount"),
    ],
)
def test_a_wrong_distillation_is_pointed_at_and_not_stored(api, wish, pointer):
    answer = api.post(f"{HERE}/manual", wish)
    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert not Distillation.objects.exists()


def test_the_same_key_stores_one_distillation(api):
    wish = {"keyword": "k", "questions": ["q?"]}
    first, again = (api.post(f"{HERE}/manual", wish, HTTP_IDEMPOTENCY_KEY="k-1") for _ in range(2))
    assert (first.json(), again["Idempotent-Replayed"]) == (again.json(), "true")
    assert Distillation.objects.count() == 1


def test_html_in_a_keyword_comes_back_as_it_was_sent(api):
    text = "<script>alert('&')</script>"
    made = api.post(f"{HERE}/manual", {"keyword": text, "questions": [f"{text}?"]})
    assert made["Content-Type"] == "application/json"
    assert made.json()["keyword"] == text
    assert api.get(f"{made['Location']}/topics").json()["topics"][0]["question"] == f"{text}?"


# --- Rename and delete ---------------------------------------------------------------------------


def test_a_new_keyword_leaves_counters_alone_whatever_is_sent(api):
    (one,) = distilled(1)
    used(one, times=2)
    where = f"{HERE}/{one.pk}"
    assert api.patch(where, {"keyword": "new"}).json()["keyword"] == "new"
    for wish in ({"keyword": "x", "usageCount": 99}, {"keyword": "x", "usage_count": 99}, {}, {"keyword": " "}):
        assert api.patch(where, wish).status_code == 400
    assert (api.get(where).json()["keyword"], api.get(where).json()["usageCount"]) == ("new", 2)
    assert GeneratedArticle.objects.first().keyword == "keyword 1"


def test_a_deleted_distillation_is_gone_and_its_articles_stay(api):
    one, other = distilled(2)
    used(one)
    answer = api.delete(f"{HERE}/{one.pk}", HTTP_ACCEPT_LANGUAGE="zh-hans")
    assert answer.json() == {"success": True, "message": "蒸馏结果已删除"}
    assert api.get(f"{HERE}/{one.pk}").status_code == 404
    assert api.delete(f"{HERE}/{one.pk}").status_code == 404
    assert GeneratedArticle.objects.get().keyword == one.keyword
    assert Distillation.objects.get() == other
    assert drift() == []


def test_many_are_deleted_at_once_and_those_that_were_not_there_are_named(api):
    one, two, three = distilled(3)
    answer = api.post(f"{HERE}/batch-delete", {"distillationIds": [three.pk, one.pk, 999_999_999, one.pk]})
    body = answer.json()
    assert (body["deletedCount"], body["deletedIds"], body["missingIds"]) == (2, [one.pk, three.pk], [999_999_999])
    assert Distillation.objects.get() == two


@pytest.mark.parametrize("ids", [[], "all", [0], ["x"], [2**63], list(range(1, 1_002))])
def test_a_wrong_list_deletes_nothing(api, ids):
    distilled(1)
    assert api.post(f"{HERE}/batch-delete", {"distillationIds": ids}).status_code == 400
    assert Distillation.objects.count() == 1


def test_one_topic_is_deleted_and_only_of_its_own_distillation(api):
    one, other = distilled(2, topics=2)
    topic, stays = topics_of(one)
    used(one, topic=topic)
    assert api.delete(f"{HERE}/{other.pk}/topics/{topic.pk}").status_code == 404
    assert Topic.objects.count() == 4
    assert api.delete(f"{HERE}/{one.pk}/topics/{topic.pk}").json()["success"]
    assert topics_of(one) == [stays]
    row = api.get(f"{HERE}/{one.pk}").json()
    assert (row["topicCount"], row["usageCount"]) == (1, 1)
    assert api.delete(f"{HERE}/999999999/topics/{stays.pk}").status_code == 404
    assert api.delete(f"{HERE}/{one.pk}/topics/{'9' * 40}").status_code == 404


def test_polling_one_distillation_is_304_until_something_of_it_moves(api):
    one, other = distilled(2)
    seen = api.get(f"{HERE}/{one.pk}")
    assert api.get(f"{HERE}/{one.pk}", HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 304
    used(other)
    assert api.get(f"{HERE}/{one.pk}", HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 304
    used(one)
    assert api.get(f"{HERE}/{one.pk}", HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 200
