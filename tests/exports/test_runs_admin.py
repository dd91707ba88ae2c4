"""Operators start the worker, watch it and see what became of every candidate, as far as their role goes."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import AuditEvent
from exports import worker
from exports.briefs import BriefOptions, export_by_hand
from exports.models import BriefBatch, BriefTemplate, ExportRun, ManualReview
from worker_briefs import article, articles, exported

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shipped_templates")]

RUNS = "/admin/exports/exportrun/"
HOSTILE = "<script>alert(1)</script>"
ASKED = {"confirmed": "1", "template": "brief", "min_score": "60", "skip_exported": "on", "skip_scope": "all"}


def running_run(**values):
    now = timezone.now()
    held = {"lease_token": 1, "lease_until": now + timedelta(minutes=5), "heartbeat_at": now}
    run = {"kind": "worker", "report_tag": "2026-03-01", "report_date": now.date(), "template": "brief"}
    return ExportRun.objects.create(status="running", started_at=now, progress=20, **(run | held | values))


def failed_run():
    run = {"kind": "worker", "report_tag": "2026-03-01", "report_date": timezone.localdate(), "template": "brief"}
    return ExportRun.objects.create(status="failed", error="worker-lost", finished_at=timezone.now(), **run)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_list_opens_empty_and_says_what_to_do(language, viewer, desk_of):
    answer = desk_of(viewer).get(RUNS, headers={"accept-language": language})
    assert answer.status_code == 200
    assert 'class="empty"' in answer.content.decode()


def test_the_page_of_a_run_draws_its_funnel_with_the_table_behind_it(viewer, desk_of):
    articles(30)
    article("gone/1 😀", status="discarded", score=99)
    run = exported(limit=10)
    page = desk_of(viewer).get(f"{RUNS}{run.pk}/change/").content.decode()
    assert page.count('class="funnel-bar') == 6
    widths = [float(width) for width in re.findall(r'<rect x="[\d.]+" y="0" width="([\d.]+)"', page)]
    assert widths[0] == 600
    assert all(width > 0 for width in widths)
    assert "Beyond the limit" in page
    assert "gone/1 😀" in page
    assert "京内正面" in page
    assert "style=" not in page.partition("<main")[2].partition("</main")[0]


def test_a_run_by_hand_has_a_funnel_of_its_own(viewer, operator, desk_of):
    article("1", status="selected")
    article("2", status="selected", region="external")
    export_by_hand(BriefOptions(report_tag="2026-03-01", template="zongbao"), actor=operator)
    run = ExportRun.objects.get()
    page = desk_of(viewer).get(f"{RUNS}{run.pk}/change/").content.decode()
    assert "bucket-not-in-template" in page
    assert page.count('class="funnel-bar') == 4
    assert "Run again" not in page


def test_what_articles_say_is_escaped(viewer, desk_of):
    article(HOSTILE, title=HOSTILE, summary=HOSTILE)
    article(f"gone {HOSTILE}", title=HOSTILE, status="discarded")
    run = exported(tag=f"2026 {HOSTILE}")
    desk = desk_of(viewer)
    for page in (RUNS, f"{RUNS}{run.pk}/change/", "/admin/"):
        answer = desk.get(page)
        assert answer.status_code == 200
        assert HOSTILE not in answer.content.decode()


def test_run_now_asks_for_options_and_queues_a_run(operator, desk_of):
    desk = desk_of(operator)
    asked = desk.post(f"{RUNS}do/run_now/")
    assert asked.status_code == 200
    assert "自动简报" in asked.content.decode()
    assert not ExportRun.objects.exists()
    articles(5)
    answer = desk.post(f"{RUNS}do/run_now/", ASKED | {"report_tag": "2026-03-01-am", "limit": "3"})
    run = ExportRun.objects.get()
    assert answer["Location"] == f"{RUNS}{run.pk}/change/"
    assert (run.report_tag, run.limit, run.requested_by) == ("2026-03-01-am", 3, operator)
    page = desk.get(answer["Location"]).content.decode()
    assert f'data-live="/api/v1/exports/runs/{run.pk}"' in page
    worker.run_export(run.pk)
    assert BriefBatch.objects.get().items.count() == 3
    assert AuditEvent.objects.get(action="export.requested").actor_name == "operator"


def test_a_dry_run_of_the_desk_records_nothing(operator, desk_of):
    articles(5)
    desk_of(operator).post(f"{RUNS}do/dry_run/", ASKED)
    run = ExportRun.objects.get()
    worker.run_export(run.pk)
    assert not BriefBatch.objects.exists()
    page = desk_of(operator).get(f"{RUNS}{run.pk}/change/").content.decode()
    assert "What would be printed" in page


@pytest.mark.parametrize(
    "wrong",
    [{"template": "gone"}, {"limit": "0"}, {"limit": "10001"}, {"min_score": "x"}, {"report_date": "2026-02-30"}],
)
def test_a_wrong_wish_is_asked_again_and_starts_nothing(wrong, operator, desk_of):
    answer = desk_of(operator).post(f"{RUNS}do/run_now/", ASKED | wrong)
    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    assert not ExportRun.objects.exists()


def test_a_tag_of_another_date_is_told_and_starts_nothing(operator, desk_of):
    articles(2)
    exported("daily")
    answer = desk_of(operator).post(
        f"{RUNS}do/run_now/", ASKED | {"report_tag": "daily", "report_date": "2020-01-01"}, follow=True
    )
    assert "belongs to" in answer.content.decode()
    assert ExportRun.objects.count() == 1


def test_run_again_takes_the_same_options_and_hands_over(operator, desk_of):
    failed = failed_run()
    desk = desk_of(operator)
    desk.post(f"{RUNS}{failed.pk}/do/run_again/", {"confirmed": "1"})
    again = ExportRun.objects.exclude(pk=failed.pk).get()
    assert (again.status, again.report_tag, again.template) == ("pending", "2026-03-01", "brief")
    articles(3)
    worker.run_export(again.pk)
    failed.refresh_from_db()
    assert failed.superseded_by == again


def test_run_again_tells_when_the_template_is_gone(operator, desk_of):
    BriefTemplate.objects.create(slug="mine", title="Mine")
    articles(1)
    run = exported(template="mine")
    BriefTemplate.objects.get(slug="mine").delete()
    answer = desk_of(operator).post(f"{RUNS}{run.pk}/do/run_again/", {"confirmed": "1"}, follow=True)
    assert "There is no template" in answer.content.decode()


def test_a_running_run_is_live_and_can_be_cancelled(operator, desk_of):
    run = running_run()
    desk = desk_of(operator)
    assert f'data-live="/api/v1/exports/runs/{run.pk}"' in desk.get(f"{RUNS}{run.pk}/change/").content.decode()
    desk.post(f"{RUNS}{run.pk}/do/cancel_run/", {"confirmed": "1"})
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_who_may_only_look_has_no_buttons_and_presses_none(viewer, desk_of):
    run = running_run()
    desk = desk_of(viewer)
    assert "Run now" not in desk.get(RUNS).content.decode()
    assert desk.post(f"{RUNS}do/run_now/", ASKED).status_code == 403
    assert desk.post(f"{RUNS}{run.pk}/do/cancel_run/", {"confirmed": "1"}).status_code == 403
    assert desk.post(f"{RUNS}{run.pk}/change/", {}).status_code == 403


def test_the_list_costs_the_same_for_many_runs(viewer, desk_of):
    articles(40)
    exported("2026-03-01", limit=5)
    desk = desk_of(viewer)
    desk.get(RUNS)
    with CaptureQueriesContext(connection) as few:
        desk.get(RUNS)
    for day in range(2, 7):
        exported(f"2026-03-0{day}", limit=5)
    with CaptureQueriesContext(connection) as many:
        desk.get(RUNS)
    assert len(many) == len(few)
    assert not any('exportrun"."content"' in query["sql"] for query in many)


def test_the_home_page_counts_what_waits_and_what_went_out_today(operator, desk_of):
    articles(12)
    ManualReview.objects.filter(article_id__in=["a-00000", "a-00001"]).update(status="selected")
    exported("2026-03-01", limit=4)
    exported("2026-03-02", limit=4, dry_run=True)
    export_by_hand(BriefOptions(report_tag="hand", template="brief"), actor=operator)
    failed_run()
    running = running_run(lease_until=timezone.now() - timedelta(minutes=1))
    home = desk_of(operator).get("/admin/").context["home"]
    section = next(each for each in home.sections if each.title == "Briefs")
    cards = {card.label: card.shown for card in section.cards}
    assert cards == {
        "Waiting for review": "10", "Selected": "0", "Exported today by hand": "2",
        "Exported today by the worker": "4", "Running": "1", "Failed, not handled": "1",
    }  # fmt: skip
    assert [need.text for need in section.needs] == [
        "1 export failed and no later run took over.", f"Export #{running.pk} gives no sign of life."
    ]  # fmt: skip
    assert [line.values[-1] for line in section.charts[0].series] == [2, 4]
    assert [run.poll for run in section.runs] == [f"/api/v1/exports/runs/{running.pk}"]
