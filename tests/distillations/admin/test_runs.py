"""Operators have a keyword distilled, watch the run and cancel it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from distillations.distilling import run_distillation
from distillations.models import Distillation, DistillationRun

pytestmark = pytest.mark.django_db(transaction=True)

RUNS = "/admin/distillations/distillationrun/"
HOSTILE = "<script>alert(1)</script>"


def run(keyword="tea", **values):
    return DistillationRun.objects.create(keyword=keyword, **values)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_list_opens_empty_and_says_what_to_do(language, viewer, desk_of):
    answer = desk_of(viewer).get(RUNS, headers={"accept-language": language})
    assert answer.status_code == 200
    assert 'class="empty"' in answer.content.decode()


def test_a_keyword_is_distilled_and_its_page_is_live(operator, desk_of):
    desk = desk_of(operator)
    assert 'value="12"' in desk.get(f"{RUNS}add/").content.decode()
    answer = desk.post(f"{RUNS}add/", {"keyword": " 国际快递 ", "topic_count": "7"})
    queued = DistillationRun.objects.get()
    assert answer["Location"] == f"{RUNS}{queued.pk}/change/"
    assert (queued.keyword, queued.topic_count, queued.requested_by) == ("国际快递", 7, operator)
    assert AuditEvent.objects.get(action="distillation-run.requested").actor_name == "operator"
    page = desk.get(answer["Location"]).content.decode()
    assert f'data-live="/api/v1/distillation/runs/{queued.pk}"' in page
    assert "is queued" in page
    run_distillation(queued.pk)
    one = Distillation.objects.get()
    page = desk.get(answer["Location"]).content.decode()
    assert "data-live=" not in page.partition("run-head")[2].partition(">")[0]
    assert f"/admin/distillations/distillation/{one.pk}/change/" in page
    assert one.topics.count() == 7
    assert all(topic.question in page for topic in one.topics.all())


@pytest.mark.parametrize(
    "wrong",
    [{"topic_count": "4"}, {"topic_count": "31"}, {"topic_count": "x"}, {"keyword": ""}, {"keyword": "x" * 256}],
)
def test_a_wrong_wish_is_asked_again_and_starts_nothing(wrong, operator, desk_of):
    answer = desk_of(operator).post(f"{RUNS}add/", {"keyword": "tea", "topic_count": "12"} | wrong)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not DistillationRun.objects.exists()


def test_a_viewer_watches_and_starts_nothing(viewer, desk_of):
    queued = run()
    desk = desk_of(viewer)
    assert desk.get(f"{RUNS}{queued.pk}/change/").status_code == 200
    assert desk.get(f"{RUNS}add/").status_code == 403
    assert desk.post(f"{RUNS}add/", {"keyword": "tea", "topic_count": "12"}).status_code == 403
    assert desk.post(f"{RUNS}{queued.pk}/do/cancel_run/", {"confirmed": "1"}).status_code == 403
    assert f"{RUNS}add/" not in desk.get("/admin/distillations/distillation/").content.decode()


def test_a_run_is_cancelled_and_never_edited(operator, desk_of):
    queued = run()
    desk = desk_of(operator)
    assert desk.post(f"{RUNS}{queued.pk}/change/", {"keyword": "other", "topic_count": "9"}).status_code == 403
    answer = desk.post(f"{RUNS}{queued.pk}/do/cancel_run/", {"confirmed": "1"}, follow=True)
    assert "was cancelled" in answer.content.decode()
    queued.refresh_from_db()
    assert (queued.status, queued.keyword) == ("cancelled", "tea")


def test_a_failed_run_says_why_in_the_readers_language(viewer, desk_of):
    failed = run(status="failed", error="worker-lost", finished_at="2026-01-01T00:00:00Z")
    desk = desk_of(viewer)
    english = desk.get(f"{RUNS}{failed.pk}/change/").content.decode()
    chinese = desk.get(f"{RUNS}{failed.pk}/change/", headers={"accept-language": "zh-hans"}).content.decode()
    assert "工作进程多次中断且没有进展" not in english
    assert "工作进程多次中断且没有进展" in chinese


def test_what_keywords_say_is_escaped(operator, desk_of):
    queued = run(HOSTILE)
    desk = desk_of(operator)
    for address in (RUNS, f"{RUNS}{queued.pk}/change/"):
        assert HOSTILE not in desk.get(address).content.decode()


def test_a_list_costs_the_same_queries_for_3_runs_and_for_300(viewer, desk_of):
    desk = desk_of(viewer)

    def cost():
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(f"{RUNS}?status__exact=pending").status_code == 200
        return len(captured)

    for number in range(60):
        run(f"keyword {number}", requested_by=viewer)
    few = cost()
    DistillationRun.objects.bulk_create(DistillationRun(keyword=f"more {number}") for number in range(240))
    assert cost() == few
