"""The usage history of a distillation: every use, then what was deleted since, and how often per day."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from distillations import services
from distillations.models import DistillationUsage
from distilled import article, distilled, slot, task, topics_of, used

pytestmark = pytest.mark.django_db(transaction=True)


def history(distillation):
    return f"/admin/distillations/distillation/{distillation.pk}/usage/"


def counted(page):
    """The table of uses alone."""
    return page.partition('id="uses-title"')[2].partition("</section>")[0]


def deleted(page):
    """The greyed table below it."""
    return page.partition('id="gone-title"')[2].partition("</section>")[0]


def written(distillation, *, times=1):
    """Articles of a finished task, each with its slot and its use."""
    of = task("completed", requested=times, generated_count=times)
    topic = topics_of(distillation)[0]
    made = []
    for position in range(1, times + 1):
        each = article(of, distillation, topic, title=f"Title {position} of {of.pk}")
        slot(of, distillation, position=position, status="done", question=topic.question, article=each, is_auto=False)
        DistillationUsage.objects.create(distillation=distillation, task=of, article=each, topic=topic)
        made.append(each)
    return made


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_an_unused_one_says_so(language, viewer, desk_of):
    (one,) = distilled(1)
    answer = desk_of(viewer).get(history(one), headers={"accept-language": language})
    assert answer.status_code == 200
    assert deleted(answer.content.decode()) == ""


def test_every_row_leads_to_its_task_and_its_article(viewer, desk_of):
    one, other = distilled(2)
    (made,) = written(one)
    written(other)
    page = counted(desk_of(viewer).get(history(one)).content.decode())
    assert page.count("<tr>") == 2  # its heading and the one use
    assert f'/admin/distillations/generatedarticle/{made.pk}/change/">{made.title}<' in page
    assert f"/admin/distillations/generationtask/{made.task_id}/change/" in page
    assert topics_of(one)[0].question in page


def test_the_newest_use_comes_first_page_by_page(viewer, desk_of):
    (one,) = distilled(1)
    for _ in range(3):
        used(one, times=40)
    newest = DistillationUsage.objects.latest("id")
    DistillationUsage.objects.filter(pk=newest.pk).update(used_at=timezone.now() + timedelta(hours=1))
    desk = desk_of(viewer)
    seen = []
    for number in (1, 2, 3):
        answer = desk.get(f"{history(one)}?page={number}")
        seen += [use.pk for use in answer.context["uses"]]
    assert seen == list(DistillationUsage.objects.order_by("-used_at", "-id").values_list("pk", flat=True))
    assert seen[0] == newest.pk
    assert len(seen) == 120


@pytest.mark.parametrize(
    "place", ["page=x", "page=0", "page=-1", "page=99999", "gone=x", "page=" + "9" * 40, "nothing=1"]
)
def test_a_place_that_makes_no_sense_is_no_error(place, viewer, desk_of):
    (one,) = distilled(1)
    used(one)
    assert desk_of(viewer).get(f"{history(one)}?{place}").status_code == 200


def test_a_deleted_article_is_told_below_and_not_counted(operator, desk_of):
    (one,) = distilled(1)
    first, second = written(one, times=2)
    services.delete_articles([first.pk], actor=operator)
    desk = desk_of(operator)
    page = desk.get(history(one)).content.decode()
    assert first.title not in page
    assert second.title in counted(page)
    assert deleted(page).count("Article deleted") == 1
    assert "Article deleted" not in counted(page)
    assert topics_of(one)[0].question in deleted(page)
    assert f"/admin/distillations/generationtask/{first.task_id}/change/" in deleted(page)
    assert re.search(r"Uses <small[^>]*>1<", page)
    chinese = desk.get(history(one), headers={"accept-language": "zh-hans"}).content.decode()
    assert "文章已删除" in deleted(chinese)


def test_uses_are_drawn_by_local_day_with_the_numbers_behind(settings, viewer, desk_of):
    settings.TIME_ZONE = "Asia/Shanghai"
    (one,) = distilled(1)
    used(one, times=4)
    newest, *others = DistillationUsage.objects.order_by("-id")
    today = timezone.localtime().replace(hour=0, minute=30)  # yesterday in UTC
    DistillationUsage.objects.filter(pk__in=[each.pk for each in others]).update(used_at=today)
    DistillationUsage.objects.filter(pk=newest.pk).update(used_at=today - timedelta(days=40))
    answer = desk_of(viewer).get(history(one))
    values = answer.context["chart"].series[0].values
    assert len(values) == 30
    assert values[-1] == sum(values) == 3
    assert "<details>" in answer.content.decode()


def test_the_history_costs_the_same_queries_for_3_uses_and_for_300(viewer, desk_of):
    desk = desk_of(viewer)
    few, many = distilled(2)
    for each, pieces in ((few, [3]), (many, [100, 100, 100])):
        written(each)
        slot(task("completed", generated_count=1), each, status="done")
        for times in pieces:
            used(each, times=times, topic=topics_of(each)[0])
    desk.get(history(few))

    def cost(distillation):
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(history(distillation)).status_code == 200
        return len(captured)

    assert cost(few) == cost(many)


def test_the_history_of_nothing_is_not_found(viewer, desk_of):
    assert desk_of(viewer).get("/admin/distillations/distillation/4711/usage/").status_code == 404
