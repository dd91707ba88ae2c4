"""Articles from distillations in a real browser: asked for, watched while a real worker writes, looked back on."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse
from playwright.sync_api import Page, expect

from distillations.models import Distillation, GeneratedArticle, GenerationTask
from distilled import distilled, drift, execute, used
from processes import Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

ADD = "/admin/distillations/generationtask/add/"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PREVIEW = ".task-preview tbody tr"
SAID = {
    "en-GB": {
        "available": "available: 3",
        "recommended": "★ Recommended",
        "bare": "no topic, so nothing can be written from it",
        "refused": "only 3 are available, but 5 articles were asked for",
        "done": "Completed",
        "label": "Rule-based, no language model",
    },
    "zh-CN": {
        "available": "可用 3 个",
        "recommended": "★ 推荐",
        "bare": "没有话题，无法生成文章",
        "refused": "可用蒸馏结果不足，当前只有3个可用，但请求生成5篇文章",
        "done": "已完成",
        "label": "规则生成·未使用大模型",
    },
}


def fits(page: Page) -> bool:
    return page.evaluate(OVERFLOW) <= 0


@pytest.mark.parametrize(("language", "width", "theme"), [("en-GB", 1440, "light"), ("zh-CN", 390, "dark")])
def test_a_task_is_asked_for_watched_to_its_end_and_looked_back_on(
    language: str, width: int, theme: str, operator: User, page_of: Callable[..., Page]
) -> None:
    said = SAID[language]
    [spent, *fresh] = distilled(3, topics=4)
    used(spent, times=2)
    distilled(1, topics=0, keyword="bare")
    page = page_of(operator, language=language, width=width, theme=theme)
    page.goto(ADD)
    expect(page.locator("[data-part=available]")).to_have_text(said["available"])
    expect(page.locator(PREVIEW)).to_have_count(3)
    expect(page.locator("#id_distillation")).to_be_hidden()

    page.check("input[name=mode][value=manual]")
    options = page.locator("#id_distillation option")
    expect(options.filter(has_text=said["recommended"])).to_have_count(3)
    expect(options.filter(has_text=said["bare"])).to_be_disabled()
    page.fill("#id_find", "no keyword like this")
    expect(options).to_have_count(1)
    page.fill("#id_find", "keyword 2")
    expect(options).to_have_count(2)  # the first of them says to choose
    page.fill("#id_find", "keyword")
    expect(options).to_have_count(4)
    page.select_option("#id_distillation", str(spent.pk))
    expect(page.locator(PREVIEW)).to_have_count(3)
    expect(page.locator(f"{PREVIEW} th").first).to_have_text(spent.keyword)

    page.check("input[name=mode][value=auto]")
    page.fill("#id_requested_count", "5")
    expect(page.locator(".refused")).to_contain_text(said["refused"])
    page.click("input[name=_create]")
    expect(page.locator(".errorlist")).to_contain_text(said["refused"])
    assert not GenerationTask.objects.filter(status="pending").exists()
    page.fill("#id_requested_count", "2")
    expect(page.locator(f"{PREVIEW} th")).to_have_text([each.keyword for each in fresh])
    assert fits(page)

    page.dblclick("input[name=_create]")
    page.wait_for_url("**/change/")
    expect(page.locator(".slots tbody tr")).to_have_count(2)
    assert GenerationTask.objects.filter(status="pending").count() == 1
    with Worker("llm"):
        expect(page.locator(".run-head")).to_contain_text(said["done"], timeout=150_000)
    expect(page.locator(".slots .article a")).to_have_count(2)
    expect(page.locator(".slots")).to_contain_text(said["label"])
    expect(page.locator("[data-live]")).to_have_count(0)  # the page was loaded again, once
    assert fits(page)

    page.locator(".slots .article a").first.click()
    expect(page.locator(".article-text")).to_be_visible()
    expect(page.locator("h2").filter(has_text=said["label"])).to_be_visible()
    assert fits(page)
    page.goto(reverse("admin:distillations_distillation_usage", args=[fresh[0].pk]))
    written = GeneratedArticle.objects.get(distillation=fresh[0])
    for model, pk in (("generatedarticle", written.pk), ("generationtask", written.task_id)):
        expect(page.locator(f"main td a[href*='/{model}/{pk}/'], main th a[href*='/{model}/{pk}/']")).to_be_visible()
    expect(page.locator("main")).to_contain_text(written.title)
    assert fits(page)
    assert drift() == []
    assert [each for each in page.complaints if " 422 " not in each] == []  # the browser notes the refused form


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_counters_that_drifted_are_repaired_after_the_difference_was_shown(
    language: str, administrator: User, page_of: Callable[..., Page]
) -> None:
    [source] = distilled(1)
    with transaction.atomic():
        execute("SET LOCAL pressroom.counters = 'mend'", "UPDATE distillations SET usage_count = 7")
    page = page_of(administrator, language=language)
    page.goto(reverse("admin:distillations_distillation_repair"))
    expect(page.locator("main")).to_contain_text(source.keyword)
    expect(page.locator("main")).to_contain_text("7")
    assert Distillation.objects.get().usage_count == 7  # so far it was only shown
    page.locator("main form[method=post] [type=submit], main form[method=post] button").last.click()
    if page.locator("dialog[open]").count():
        page.locator("dialog[open] [value=yes]").click()
    expect(page.locator(".messagelist")).to_be_visible()
    assert Distillation.objects.get().usage_count == 0
    assert drift() == []
    assert page.complaints == []


def test_without_a_script_two_buttons_show_what_would_be_taken(
    operator: User, browser: Any, live_server: Any, client: Any
) -> None:
    sources = distilled(4)
    client.force_login(operator)
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False, locale="en-GB")
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    page = context.new_page()
    page.goto(ADD)
    page.fill("#id_requested_count", "4")
    page.click("button[name=_preview]")
    expect(page.locator(f"{PREVIEW} th")).to_have_text([each.keyword for each in sources])
    page.check("input[name=mode][value=manual]")
    page.fill("#id_find", "keyword")
    page.click("button[name=_find]")
    page.select_option("#id_distillation", str(sources[2].pk))
    page.fill("#id_requested_count", "2")
    page.click("input[name=_create]")
    assert GenerationTask.objects.get().distillation == sources[2]
    context.close()


def test_what_a_task_does_moves_on_the_page_and_leaves_the_focus_where_it_is(
    operator: User, page_of: Callable[..., Page]
) -> None:
    distilled(2)
    page = page_of(operator)
    page.goto(ADD)
    page.fill("#id_requested_count", "2")
    page.click("input[name=_create]")
    page.wait_for_url("**/change/")
    task = GenerationTask.objects.get()
    page.evaluate("window.same = true")
    page.locator(".scroll[aria-labelledby=task-slots]").focus()
    task.slots.filter(position=2).update(status="failed", error="empty-article")
    expect(page.locator(".slots tbody tr").nth(1)).to_contain_text("The text that was written is empty", timeout=15_000)
    assert page.evaluate("window.same")
    assert page.evaluate("document.activeElement.matches('.scroll')")
    assert page.complaints == []
