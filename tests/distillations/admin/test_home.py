"""What the home page says of distillations, and where it leads."""

import html
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from distillations import generation, services
from distillations.models import GeneratedArticle, GenerationTask
from distillations.services import GenerationOptions
from distillations.usage import verify_usage
from distillations.writing import Written
from distilled import distilled, execute, task
from runs.errors import RunFailed
from watch import counters
from watch.models import Counter

pytestmark = pytest.mark.django_db(transaction=True)

TASKS = "/admin/distillations/generationtask/"
ZH = {"accept-language": "zh-hans"}


def home(desk, **kwargs):
    return html.unescape(desk.get("/admin/", **kwargs).content.decode())


def failing_first(slot, task):
    if slot.position == 1:
        raise RunFailed("empty-article")
    return Written("Title", "Text", "rules", "rules", "test")


def test_a_stranger_sees_nothing_of_it(stranger, viewer, desk_of):
    assert "Articles from distillations" not in home(desk_of(stranger))
    assert "Articles from distillations" in home(desk_of(viewer))
    assert "蒸馏与文章" in home(desk_of(viewer), headers=ZH)


def test_failed_and_partial_tasks_need_somebody_until_they_are_retried_or_deleted(operator, desk_of):
    distilled(2)
    failed = task("failed", requested=1, error="all-failed")
    partial = services.request_generation(GenerationOptions(2), actor="test")
    generation.run_generation(partial.pk, write=failing_first)
    page = home(desk_of(operator))
    assert "1 generation task failed and was not retried." in page
    assert "1 generation task made fewer articles than were asked for." in page
    assert f'href="{TASKS}?status__exact=failed"' in page
    assert f'href="{TASKS}?status__exact=partial"' in page
    assert "1 个文章生成任务没有写齐文章。" in home(desk_of(operator), headers=ZH)
    services.retry_generation(partial, actor="test")
    services.delete_tasks([failed.pk], actor="test")
    page = home(desk_of(operator))
    assert "was not retried" not in page
    assert "made fewer articles" not in page


def test_the_lists_it_leads_to_show_what_it_counted(operator, desk_of):
    distilled(2)
    partial = services.request_generation(GenerationOptions(2), actor="test")
    generation.run_generation(partial.pk, write=failing_first)
    assert f"#{partial.pk}<" in desk_of(operator).get(f"{TASKS}?status__exact=partial").content.decode()


def test_drift_is_told_as_the_last_check_found_it(viewer, desk_of):
    [source] = distilled(1)
    verify_usage()
    assert "usage counter differs" not in home(desk_of(viewer))
    execute("SET pressroom.counters = 'mend'", f"UPDATE distillations SET usage_count = 5 WHERE id = {source.pk}")
    execute("RESET pressroom.counters")
    verify_usage()
    assert "1 usage counter differs from the rows it counts" in home(desk_of(viewer))


def test_contention_needs_somebody_for_a_day(viewer, desk_of):
    assert "Given up under contention" not in home(desk_of(viewer))
    counters.add("pressroom_transactions_failed_total", 2)
    counters.flush()
    page = home(desk_of(viewer))
    assert "Given up under contention" in page
    assert "too much went on at once" in page
    Counter.objects.update(changed_at=timezone.now() - timedelta(hours=25))
    page = home(desk_of(viewer))
    assert "Given up under contention" in page
    assert "too much went on at once" not in page


def test_articles_are_drawn_per_local_day(viewer, desk_of):
    distilled(1)
    of = services.request_generation(GenerationOptions(1), actor="test")
    generation.run_generation(of.pk, write=lambda slot, task: Written("Title", "Text", "rules", "rules", "test"))
    GeneratedArticle.objects.update(created_at=timezone.now() - timedelta(days=2))
    day = timezone.localdate() - timedelta(days=2)
    assert GeneratedArticle.objects.per_day(day, day) == {day: 1}
    assert f"{day:%m-%d} · articles: 1</title>" in home(desk_of(viewer))


def test_open_tasks_are_listed_and_followed(viewer, desk_of):
    distilled(1)
    of = services.request_generation(GenerationOptions(1), actor="test")
    page = home(desk_of(viewer))
    assert f"Generation task #{of.pk} “keyword 1”" in page
    assert f'data-live="/api/v1/generation/tasks/{of.pk}"' in page


def test_it_takes_the_same_number_of_queries_for_few_and_many_rows(viewer, desk_of):
    desk = desk_of(viewer)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            home(desk)
        return len(captured)

    distilled(3)
    for _ in range(3):
        task("failed", requested=1, error="all-failed")
    queries()
    few = queries()
    distilled(100, keyword="more")
    GenerationTask.objects.bulk_create(
        GenerationTask(status="failed", error="all-failed", finished_at=timezone.now(), requested_count=1)
        for _ in range(100)
    )
    assert queries() == few
