"""An editor's day in a real browser: pick over three pages with the keyboard, compose, export, look back."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from docx import Document
from playwright.sync_api import Page, expect

from articles import article, many
from cleaning import ship_templates
from exports.briefs import BriefOptions, export_by_hand
from exports.models import Article, ManualExportBatch, ManualReview
from exports.reviewing import Edit, decide, edit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DESK, COMPOSE = "/admin/exports/manualreview/", "/admin/exports/compose/"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(autouse=True)
def _templates_and_folder(transactional_db: None, settings: Any, tmp_path: Any) -> None:
    ship_templates()
    settings.EXPORTS_DIR = tmp_path / "exports"


def here(page: Page) -> Any:
    return page.locator(".row.here")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def statuses(status: str) -> int:
    return ManualReview.objects.filter(status=status).count()


def settled(page: Page, tab: str, count: int) -> None:
    expect(page.locator(f".desk-tab [data-count={tab}]")).to_have_text(str(count))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("language", "width", "said"),
    [
        ("en-GB", 1440, "6 articles were exported."),
        ("zh-CN", 1440, "已导出 6 篇文章。"),
        ("zh-CN", 390, "已导出 6 篇文章。"),
    ],
)
def test_from_the_first_pick_to_the_history_of_an_article(
    language: str, width: int, said: str, operator: User, page_of: Callable[..., Page]
) -> None:
    many(70, status="pending")
    Article.objects.filter(article_id="a-39").update(title="校历公布：九月一日开学")
    page = page_of(operator, width=width, language=language)
    page.goto(DESK)
    for number in range(3):  # two articles on each of three pages
        press(page, "x", "j", "x")
        settled(page, "selected", 2 * number + 2)
        assert page.evaluate(OVERFLOW) <= 0
        if number < 2:
            with page.expect_navigation():
                press(page, "n")
    assert statuses("selected") == 6
    with page.expect_navigation():
        press(page, "c")
    expect(page.locator(".entry")).to_have_count(6)
    expect(page.locator(".format[open] .brief-text")).to_contain_text("校历公布")
    shown = page.locator(".format[open] .brief-text").text_content()
    assert page.evaluate(OVERFLOW) <= 0
    page.click("#to-confirm")
    expect(page.locator("#export-now")).to_be_visible()
    assert page.evaluate(OVERFLOW) <= 0
    page.click("#export-now")
    page.wait_for_url("**/manualexportbatch/*/change/")
    expect(page.locator(".messagelist")).to_contain_text(said)
    batch = ManualExportBatch.objects.get()
    assert batch.content == shown
    assert statuses("exported") == 6
    assert page.evaluate(OVERFLOW) <= 0
    with page.expect_download() as download:
        page.get_by_role("link", name="docx").click()
    paragraphs = [each.text for each in Document(io.BytesIO(download.value.path().read_bytes())).paragraphs]
    assert any("校历公布：九月一日开学" in each for each in paragraphs)
    page.locator(".batch-items").get_by_role("link", name="校历公布").click()
    expect(page.locator("#content")).to_contain_text(batch.report_tag)
    assert page.evaluate(OVERFLOW) <= 0
    assert page.complaints == []


def test_a_decision_is_shown_at_once_and_undone_with_its_place(operator: User, page_of: Callable[..., Page]) -> None:
    many(5, status="pending")
    page = page_of(operator)
    page.goto(DESK)
    first = page.locator(".row").first
    press(page, "d")
    expect(first).to_have_class("row is-discarded moved")
    expect(page.locator(".row").nth(1)).to_have_class(re.compile(r"\bhere\b"))
    settled(page, "discarded", 1)
    press(page, "z")
    settled(page, "discarded", 0)
    expect(first.locator(".deed-discarded")).to_have_attribute("aria-pressed", "false")
    assert statuses("pending") == 5
    press(page, "b", "k", "u")  # the row at hand
    settled(page, "backup", 0)
    expect(page.locator("#toast")).to_have_class("toast shown")
    assert page.complaints == []


def test_quick_presses_on_one_row_arrive_in_their_order(operator: User, page_of: Callable[..., Page]) -> None:
    article("a")
    page = page_of(operator)
    page.goto(DESK)
    # slow answers come while later keys are pressed
    page.route("**/decide/", lambda route: (page.wait_for_timeout(150), route.continue_()))
    for key in ("x", "b", "d", "x"):
        page.keyboard.press(key)
        page.wait_for_timeout(100)
    expect(page.locator(".row")).to_have_attribute("data-version", "5", timeout=20_000)
    expect(page.locator(".row")).to_have_attribute("data-status", "selected")
    settled(page, "selected", 1)
    assert statuses("selected") == 1
    assert page.complaints == []


def test_a_refused_decision_is_drawn_back_with_the_reason(operator: User, page_of: Callable[..., Page]) -> None:
    article("a")
    page = page_of(operator)
    page.goto(DESK)
    decide(backup=["a"], actor="somebody")
    press(page, "x")
    expect(page.locator("#toast.bad")).to_contain_text("Somebody else")
    expect(page.locator(".row")).to_have_attribute("data-status", "backup")
    assert statuses("backup") == 1


def test_a_server_that_is_away_leaves_the_row_as_it_was(operator: User, page_of: Callable[..., Page]) -> None:
    article("a")
    page = page_of(operator)
    page.goto(DESK)
    page.route("**/decide/", lambda route: route.abort())
    press(page, "x")
    expect(page.locator("#toast.bad")).to_contain_text("nothing was changed")
    expect(page.locator(".row")).to_have_attribute("data-status", "pending")
    page.unroute("**/decide/")
    press(page, "x")
    settled(page, "selected", 1)


def test_the_panel_previews_and_saves_and_shows_both_texts_on_a_conflict(
    operator: User, page_of: Callable[..., Page]
) -> None:
    article("a", title="First story", summary="As it came in.", sentiment="negative")
    page = page_of(operator)
    page.goto(DESK)
    press(page, "p")
    expect(page.locator("#desk-panel .brief-text")).to_contain_text("★ First story")
    press(page, "e")
    expect(page.locator("#edit-summary")).to_be_focused()
    page.fill("#edit-summary", "Mine, xbd and all.")
    edit({"a": Edit(summary="Theirs.")}, actor="somebody")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".conflict .theirs").first).to_have_text("Theirs.")
    expect(page.locator("#edit-summary")).to_have_value("Mine, xbd and all.")
    page.locator("form[data-edit] button").click()
    expect(page.locator("#desk-panel .brief-text")).to_contain_text("Mine, xbd and all.")
    assert ManualReview.objects.get().summary == "Mine, xbd and all."
    assert statuses("pending") == 1  # letters typed into a field decide nothing


def test_text_that_is_not_saved_is_left_behind_only_on_purpose(operator: User, page_of: Callable[..., Page]) -> None:
    many(2, status="pending")
    page = page_of(operator)
    page.goto(DESK)
    press(page, "e")
    expect(page.locator("#edit-summary")).to_be_focused()
    page.fill("#edit-summary", "Half a thought")
    press(page, "Escape", "j")
    expect(page.locator("#toast.bad")).to_contain_text("unsaved")
    expect(page.locator("#edit-summary")).to_have_value("Half a thought")
    press(page, "p")
    expect(page.locator("#desk-panel")).to_be_visible()
    page.locator(".toast-drop").click()
    press(page, "p")
    expect(page.locator("#desk-panel")).to_be_hidden()


def test_the_help_lists_the_keys_and_search_takes_the_slash(operator: User, page_of: Callable[..., Page]) -> None:
    many(3, status="pending")
    page = page_of(operator)
    page.goto(DESK)
    press(page, "?")
    expect(page.locator("#keys-help")).to_contain_text("Pick, or make a candidate again")
    press(page, "x")  # nothing is decided behind the help
    press(page, "Escape", "/")
    expect(page.locator("#searchbar")).to_be_focused()
    page.keyboard.type("title a-2")
    with page.expect_navigation():
        press(page, "Enter")
    expect(page.locator(".row")).to_have_count(1)
    assert statuses("pending") == 3


def test_a_finger_reaches_everything_on_a_phone(operator: User, page_of: Callable[..., Page]) -> None:
    article("a", title="Long " + "x" * 150, summary="y" * 900, source="z" * 90)
    page = page_of(operator, width=390, theme="dark")
    page.goto(DESK)
    assert page.evaluate(OVERFLOW) <= 0
    page.locator(".row-title").click()
    expect(page.locator("#desk-panel .brief-text")).to_be_visible()
    assert page.evaluate(OVERFLOW) <= 0
    page.locator("#panel-close").click()
    expect(page.locator("#desk-panel")).to_be_hidden()
    page.get_by_role("button", name="Pick").click()
    settled(page, "selected", 1)
    page.locator(".toast-undo").click()
    settled(page, "selected", 0)
    assert page.complaints == []


def test_without_scripts_the_same_forms_do_it_all(
    operator: User, page_of: Callable[..., Page], browser: Any, live_server: Any
) -> None:
    many(2, status="pending")
    signed_in = page_of(operator)
    signed_in.goto(DESK)
    cookies = signed_in.context.cookies()
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False, locale="en-GB")
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(DESK)
    page.get_by_role("button", name="Pick").first.click()
    page.get_by_role("button", name="Pick").first.click()
    assert statuses("selected") == 2
    page.get_by_role("button", name="Undo").click()
    assert statuses("selected") == 1
    page.locator(".row-title").first.click()
    page.fill("#edit-summary", "Typed without a script.")
    page.get_by_role("button", name="Save").click()
    assert ManualReview.objects.filter(summary="Typed without a script.").count() == 1
    page.goto(COMPOSE)
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Export").click()
    assert ManualExportBatch.objects.count() == 1
    context.close()


def test_the_order_is_changed_by_keys_by_buttons_and_by_hand(operator: User, page_of: Callable[..., Page]) -> None:
    many(3)
    page = page_of(operator)
    page.goto(COMPOSE)

    def order() -> list[str]:
        return [each.strip() for each in page.locator(".entry h3").all_inner_texts()]

    assert order() == ["Title a-3", "Title a-2", "Title a-1"]
    press(page, "j", "Alt+ArrowDown")
    expect(page.locator("#toast")).to_contain_text("The order is saved.")
    expect(page.locator(".entry h3").first).to_have_text("Title a-2")
    page.locator(".entry").nth(2).locator("[data-by='-1']").click()
    expect(page.locator(".format[open] .brief-text")).to_have_text(
        re.compile("Title a-2.*Title a-1.*Title a-3", re.DOTALL)
    )
    page.locator(".entry").nth(2).drag_to(page.locator(".entry").first, target_position={"x": 60, "y": 4})
    expect(page.locator(".entry h3").first).to_have_text("Title a-3")
    expect(page.locator(".format[open] .brief-text")).to_have_text(
        re.compile("Title a-3.*Title a-2.*Title a-1", re.DOTALL)
    )
    assert page.complaints == []


def test_the_preview_follows_what_one_types_and_keeps_the_cursor(operator: User, page_of: Callable[..., Page]) -> None:
    many(2)
    page = page_of(operator)
    page.goto(COMPOSE)
    page.locator("[name=period]").fill("77")
    expect(page.locator(".format[open] .brief-text")).to_contain_text("第77期")
    expect(page.locator("[name=period]")).to_be_focused()
    page.locator("[name=output_path]").fill("../out.txt")
    expect(page.locator(".compose-options .errorlist").first).to_be_visible()
    expect(page.locator("#to-confirm")).to_be_disabled()
    page.locator("[name=output_path]").fill("")
    page.select_option("[name=template]", "markdown")
    expect(page.locator(".format[open] .brief-text")).to_contain_text("# Brief")
    press(page, "Escape")
    assert page.complaints == []


def test_a_text_is_copied_with_one_press(operator: User, page_of: Callable[..., Page]) -> None:
    many(2)
    batch = export_by_hand(BriefOptions(report_tag="2026-03-01"), actor=operator).batch
    page = page_of(operator)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/admin/exports/manualexportbatch/{batch.pk}/change/")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == batch.content
