"""A roadmap in a real browser: asked for, watched while a real worker makes it and dies, read and learnt."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from processes import Worker, wait_until
from roadmapped import asked, worked
from roadmaps.admin import concepts as pages
from roadmaps.models import QuizAttempt, RoadmapStep, RoadmapTask, TutorialMetadata

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]

TASKS = "/admin/roadmaps/roadmaptask/"
ADD = f"{TASKS}add/"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SLOW_MS = 150_000  # a busy machine takes long to start a worker
LEASE = {"RUN_LEASE_SECONDS": "3", "REAPER_SECONDS": "1"}
SAID = {
    "en-GB": {
        "wish": "Learn Redis",
        "unknown": "Learn falconry",
        "done": "Completed",
        "label": "Rule-based",
        "ask": "Waiting for a review",
    },
    "zh-CN": {"wish": "学习 Redis", "unknown": "学习养鹰", "done": "已完成", "label": "规则生成", "ask": "等待"},
}


def fits(page: Page) -> bool:
    return page.evaluate(OVERFLOW) <= 0


def answer(page: Page) -> None:
    """Choose the first option everywhere."""
    for question in page.locator(".question").all():
        question.locator("input").first.check()


@pytest.mark.parametrize(("language", "width", "theme"), [("en-GB", 1440, "light"), ("zh-CN", 390, "dark")])
def test_a_roadmap_is_asked_for_watched_through_a_crash_read_and_learnt(
    language: str, width: int, theme: str, operator: User, page_of: Callable[..., Page]
) -> None:
    said = SAID[language]
    page = page_of(operator, language=language, width=width, theme=theme)
    page.goto(ADD)
    page.fill("#id_query", said["unknown"])
    page.click("input[name=_create]")
    expect(page.locator(".errorlist")).to_contain_text("Redis")
    assert not RoadmapTask.objects.exists()
    page.fill("#id_query", said["wish"])
    page.dblclick("input[name=_create]")
    page.wait_for_url("**/change/")
    task = RoadmapTask.objects.get()
    page.evaluate("window.same = true")

    worker = Worker("llm", "control", beat=True, **LEASE, ROADMAPS_SIDE_BY_SIDE="1")
    try:
        wait_until(lambda: RoadmapStep.objects.filter(step="quiz_generation").count() >= 2, timeout=150)
        worker.kill()
        done = RoadmapStep.objects.count()
        expect(page.locator(".step-done").first).to_be_visible(timeout=SLOW_MS)
        assert page.evaluate("window.same")
        worker.start()
        expect(page.locator(".run-head")).to_contain_text(said["done"], timeout=SLOW_MS)
    finally:
        worker.stop()
    task.refresh_from_db()
    assert (task.status, task.retries) == ("completed", 0)
    assert RoadmapStep.objects.count() > done  # it went on; what was done stayed
    assert not RoadmapStep.objects.exclude(retry=0).exists()
    expect(page.locator("[data-live]")).to_have_count(0)  # the page was loaded again, once
    assert fits(page)

    page.locator(".contents tbody th a").first.click()
    expect(page.locator(".tutorial-text")).to_be_visible()
    expect(page.locator(".content-head .badge").filter(has_text=said["label"])).to_have_count(3)
    assert fits(page)
    if pages.learning is not None:
        answer(page)
        page.click("form.quiz button")
        expect(page.locator(".score")).to_be_visible()
        expect(page.locator(".option-right").first).to_be_visible()
        assert QuizAttempt.objects.count() == 1
        page.click(".concept-learnt button")
        expect(page.locator(".concept-head .badge-ok")).to_be_visible()
    assert [each for each in page.complaints if " 422 " not in each] == []  # the browser notes the refused form


def test_one_content_is_made_anew_and_keeps_the_older_version(operator: User, page_of: Callable[..., Page]) -> None:
    task = worked(asked(operator))
    page = page_of(operator)
    page.goto(f"/admin/roadmaps/roadmap/{task.roadmap_id}/concepts/c-1-1-1/")
    page.locator("section[aria-labelledby=tutorial] .do-button").click()
    page.locator("dialog[open] [value=yes]").click()
    page.wait_for_url("**/change/")
    worked(task)
    expect(page.locator("[data-live]")).to_have_count(0, timeout=30_000)
    page.locator(".contents tbody th a").first.click()
    expect(page.locator(".versions a")).to_have_count(1)
    assert list(TutorialMetadata.objects.filter(concept_id="c-1-1-1").values_list("version", flat=True)) == [1, 2]
    assert page.complaints == []


def test_a_review_is_read_and_decided_once(operator: User, page_of: Callable[..., Page]) -> None:
    task = asked(operator, human_review=True)
    page = page_of(operator, width=390)
    page.goto(f"{TASKS}{task.pk}/change/")
    worked(task)
    expect(page.locator(".review")).to_be_visible(timeout=30_000)  # without a hand on the page
    assert fits(page)
    page.locator(".decide .do-info").dblclick()
    expect(page.locator(".messagelist")).to_be_visible()
    expect(page.locator(".review")).to_have_count(0)
    assert task.reviews.count() == 1
    assert page.complaints == []
