"""Export runs as programs see them."""

import pytest

from exports import worker
from exports.models import BriefBatch, ExportRun
from runs.models import Run
from worker_briefs import articles, exported, in_brief

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shipped_templates")]

RUNS = "/api/v1/exports/runs"


@pytest.fixture
def api(operator, client_of):
    return client_of(operator)


def test_a_wish_is_accepted_polled_and_worked_on(api):
    articles(10)
    wish = {
        "reportTag": "2026-03-01-am", "limit": 4, "minScore": "60.5", "template": "markdown", "skipExported": True,
        "skipScope": "worker", "dryRun": False,
    }  # fmt: skip
    asked = api.post(RUNS, wish)
    assert asked.status_code == 202, asked.json()
    run = asked.json()
    assert (run["status"], run["kind"], run["requestedBy"], run["limit"]) == ("pending", "worker", "operator", 4)
    assert (run["reportTag"], run["date"], run["minScore"]) == ("2026-03-01-am", "2026-03-01", 60.5)
    assert asked["Location"] == f"{RUNS}/{run['id']}"
    assert asked["Retry-After"] == "2"
    worker.run_export(run["id"])
    done = api.get(asked["Location"]).json()
    assert (done["status"], done["printed"], done["recorded"], done["progress"]) == ("completed", 4, 4, 100)
    assert done["content"].startswith("# Brief 2026-03-01-am")
    assert done["batchId"] == f"brief-{BriefBatch.objects.get().pk}"
    assert done["funnel"]["exported"] == 4
    assert done["error"] is None


def test_either_spelling_is_taken_and_a_dry_run_stays_one(api):
    articles(5)
    run = api.post(RUNS, {"dry_run": True, "report_tag": "x", "date": "2026-03-02", "min_score": 62}).json()
    worker.run_export(run["id"])
    done = api.get(f"{RUNS}/{run['id']}").json()
    assert (done["dryRun"], done["printed"], done["recorded"], done["batchId"]) == (True, 3, 0, None)
    assert not BriefBatch.objects.exists()


def test_an_empty_wish_has_the_defaults_of_the_command(api):
    run = api.post(RUNS, {}).json()
    assert (run["template"], run["minScore"], run["limit"], run["skipScope"]) == ("brief", 60, None, "all")
    assert run["reportTag"] == run["date"]


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"limit": 0}, "#/limit"),
        ({"limit": 10_001}, "#/limit"),
        ({"limit": "many"}, "#/limit"),
        ({"minScore": "NaN"}, "#/minScore"),
        ({"minScore": 10**9}, "#/minScore"),
        ({"date": "2026-02-30"}, "#/date"),
        ({"date": "yesterday"}, "#/date"),
        ({"template": "gone"}, "#/template"),
        ({"template": ""}, "#/template"),
        ({"template": "../x"}, "#/template"),
        ({"skipScope": "some"}, "#/skipScope"),
        ({"reportTag": "a\nb"}, "#/reportTag"),
        ({"reportTag": "x" * 300}, "#/reportTag"),
        ({"fast": True}, "#/fast"),
        ({"kind": "manual"}, "#/kind"),
        ({"status": "completed"}, "#/status"),
    ],
)
def test_a_wrong_wish_is_pointed_at_and_starts_nothing(api, wish, pointer):
    answer = api.post(RUNS, wish)
    assert answer.status_code == 400, answer.json()
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert not ExportRun.objects.exists()


def test_a_tag_of_another_date_is_a_conflict_with_the_date(api):
    articles(2)
    exported("daily", report_date=None)
    answer = api.post(RUNS, {"reportTag": "daily", "date": "2020-01-01"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/tag-has-other-date"
    assert ExportRun.objects.count() == 1


def test_the_same_key_and_wish_make_one_run(api):
    first = api.post(RUNS, {"reportTag": "x"}, HTTP_IDEMPOTENCY_KEY="k-1")
    again = api.post(RUNS, {"reportTag": "x"}, HTTP_IDEMPOTENCY_KEY="k-1")
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert ExportRun.objects.count() == 1


def test_polling_an_unchanged_run_is_304_until_it_moves(api):
    where = api.post(RUNS, {})["Location"]
    seen = api.get(where)
    assert api.get(where, HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 304
    ExportRun.objects.claim(ExportRun.objects.get().pk)
    assert api.get(where, HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 200


def test_a_queued_run_is_cancelled_once(api):
    articles(3)
    where = api.post(RUNS, {})["Location"]
    assert api.post(f"{where}/cancel").json()["status"] == "cancelled"
    assert api.post(f"{where}/cancel").status_code == 409
    worker.run_export(ExportRun.objects.get().pk)
    assert not BriefBatch.objects.exists()


def test_the_list_is_filtered_and_leaves_the_texts_out(api, django_assert_max_num_queries):
    articles(6)
    for tag in ("2026-03-01", "2026-03-02"):
        exported(tag, limit=2)
    api.get(RUNS)
    with django_assert_max_num_queries(6):
        listed = api.get(RUNS, {"reportTag": "2026-03-02", "kind": "worker", "status": "completed"}).json()
    assert [run["reportTag"] for run in listed["runs"]] == ["2026-03-02"]
    assert listed["runs"][0]["funnel"]["exported"] == 2
    assert not {"content", "payload"} & set(listed["runs"][0])
    assert len(in_brief("2026-03-02")) == 2


def test_who_may_only_read_starts_and_cancels_nothing(viewer, stranger, client_of, api):
    where = api.post(RUNS, {})["Location"]
    assert client_of(viewer).get(where).status_code == 200
    assert client_of(viewer).post(RUNS, {}).status_code == 403
    assert client_of(viewer).post(f"{where}/cancel").status_code == 403
    assert client_of(stranger).get(RUNS).status_code == 403
    assert client_of(None).get(RUNS).status_code == 401


def test_the_task_of_the_schedule_asks_for_a_run_with_its_arguments():
    from exports.tasks import run_export

    run_export(limit=3, template="wanbao")
    run = ExportRun.objects.get()
    assert (run.limit, run.template, run.report_tag) == (3, "wanbao", run.report_date.isoformat())
    assert issubclass(ExportRun, Run)
    assert run_export.name == run.TASK
