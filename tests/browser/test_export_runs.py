"""The worker's runs in a real browser: started, watched, and their funnel looked at."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page

from exports import worker
from exports.models import ExportRun
from worker_briefs import article, articles, exported

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RUNS = "/admin/exports/exportrun/"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LONG = "没有任何怜悯的很长的编号/" * 12 + "x" * 200


@pytest.mark.parametrize(
    ("width", "language", "theme"), [(1440, "en-GB", "light"), (390, "en-GB", "dark"), (390, "zh-CN", "light")]
)
def test_the_funnel_is_drawn_without_a_style_and_fits_a_phone(
    width: int, language: str, theme: str, operator: User, page_of: Callable[..., Page]
) -> None:
    articles(30)
    article(LONG, title=LONG, summary=LONG)
    article(f"gone {LONG}", title=LONG, status="discarded", score=99)
    run = exported(tag="2026-03-01 " + "x" * 150, limit=20)
    page = page_of(operator, width=width, language=language, theme=theme)
    for address in (RUNS, f"{RUNS}{run.pk}/change/"):
        assert page.goto(address).status == 200
        assert page.evaluate(OVERFLOW) <= 0
    bars = page.eval_on_selector_all(
        ".funnel-bar rect", "found => found.map(each => each.getBoundingClientRect().width)"
    )
    assert bars[0] == max(bars)
    assert min(bars) > 0
    page.click("section[aria-labelledby=run-funnel] summary")
    assert page.evaluate(OVERFLOW) <= 0
    assert page.complaints == []


def test_a_run_is_started_from_the_desk_and_its_end_is_seen_without_a_reload(
    operator: User, page_of: Callable[..., Page]
) -> None:
    articles(10)
    page = page_of(operator)
    page.goto(RUNS)
    page.get_by_role("button", name="Run now").click()
    page.fill("#id_report_tag", "2026-03-01-desk")
    page.fill("#id_limit", "4")
    page.get_by_role("button", name="Run now").click()
    page.wait_for_selector("[data-live]")
    worker.run_export(ExportRun.objects.get().pk)
    page.wait_for_selector("#run-funnel", timeout=20_000)
    assert "2026-03-01-desk" in page.inner_text("main")
    assert page.complaints == []
