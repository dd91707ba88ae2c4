"""What our few scripts promise: live numbers, keys, one question before a deed, one press once."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from etl.models import Product, ProductSyncRun

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RUNS = "/admin/etl/productsyncrun/"


@pytest.fixture
def run(db: None) -> ProductSyncRun:
    now = timezone.now()
    return ProductSyncRun.objects.create(
        source="products_staging", status="running", progress=10, lease_token=1, started_at=now,
        lease_until=now + timedelta(minutes=5), heartbeat_at=now,
    )  # fmt: skip


class Reports:
    """Stands in for the polled address, so that a test decides what a run says and when."""

    def __init__(self, page: Page, **first: Any) -> None:
        self.run, self.asked = first, []
        page.route("**/api/v1/etl/product-runs/*", self.answer)

    def answer(self, route: Any) -> None:
        seen = route.request.headers.get("if-none-match")
        self.asked.append(seen)
        tag = f'"{hash(json.dumps(self.run))}"'
        if seen == tag:
            route.fulfill(status=304, headers={"ETag": tag})
        else:
            route.fulfill(json=self.run, headers={"ETag": tag, "Retry-After": "1"})


def test_a_run_moves_without_reload_and_the_page_is_loaded_once_when_it_ends(
    run: ProductSyncRun, viewer: User, page_of: Callable[..., Page]
) -> None:
    page = page_of(viewer)
    reports = Reports(page, status="running", progress=55, read=1200, created=300, rowsPerSecond=4321.5)
    page.goto(f"{RUNS}{run.pk}/change/")
    page.evaluate("window.same = true")
    expect(page.locator(".run-head span[data-live-field=progress]")).to_have_text("55")
    expect(page.locator("dd [data-live-field=read]").first).to_have_text("1,200")
    expect(page.locator("progress[data-live-field=created]")).to_have_js_property("max", 1200)
    expect(page.locator("[data-live-field=rowsPerSecond]")).to_have_text("4,321.5")
    page.wait_for_timeout(2500)
    assert reports.asked[0] is None
    assert reports.asked[1] is not None
    assert page.evaluate("window.same")

    ProductSyncRun.objects.filter(pk=run.pk).update(
        status="completed", finished_at=timezone.now(), lease_token=None, lease_until=None, progress=100
    )
    reports.run = {**reports.run, "status": "completed", "progress": 100}
    expect(page.locator(".run-head .badge-ok")).to_have_text("Completed")
    page.wait_for_function("window.same === undefined")
    questions = len(reports.asked)
    page.wait_for_timeout(2500)
    assert len(reports.asked) == questions  # a run that has ended is not followed
    assert page.complaints == []


def test_a_run_one_may_not_read_is_not_asked_for_again(
    run: ProductSyncRun, viewer: User, page_of: Callable[..., Page]
) -> None:
    page = page_of(viewer)
    asked = []
    page.route("**/api/v1/**", lambda route: (asked.append(1), route.fulfill(status=403, body="")))
    page.goto(f"{RUNS}{run.pk}/change/")
    page.wait_for_timeout(2500)
    assert len(asked) == 1


def test_cancel_asks_in_a_dialog_and_acts_only_on_yes(
    run: ProductSyncRun, operator: User, page_of: Callable[..., Page]
) -> None:
    page = page_of(operator)
    Reports(page, status="running")
    page.goto(f"{RUNS}{run.pk}/change/")
    page.get_by_role("button", name="Cancel the run").click()
    page.locator("dialog.confirm [value='']").click()
    run.refresh_from_db()
    assert run.status == "running"
    page.get_by_role("button", name="Cancel the run").click()
    page.locator("dialog.confirm [value=yes]").click()
    expect(page.locator(".run-head .badge")).to_have_text("Cancelled")


def test_two_quick_presses_start_one_run(operator: User, page_of: Callable[..., Page]) -> None:
    page = page_of(operator)
    page.goto(RUNS)
    page.get_by_role("button", name="Dry run").dblclick()
    page.wait_for_url("**/change/")
    assert ProductSyncRun.objects.count() == 1


def test_keys_search_move_open_and_go_home(viewer: User, page_of: Callable[..., Page]) -> None:
    for number in range(3):
        Product.objects.create(
            brand_code="B", sku=str(number), name="n", price=1, on_sale=True, colors=[], tags=[],
            attributes={}, data_version="v1",
        )  # fmt: skip
    page = page_of(viewer)
    page.goto("/admin/etl/product/")
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()
    page.keyboard.type("j?")
    expect(page.locator("#searchbar")).to_have_value("j?")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).to_be_visible()
    page.keyboard.press("Escape")
    for key in ("j", "j", "k", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/change/")
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_url("**/admin/")


def test_only_one_filter_menu_is_open_and_escape_closes_it(viewer: User, page_of: Callable[..., Page]) -> None:
    page = page_of(viewer)
    page.goto("/admin/etl/product/")
    summaries = page.locator(".filter summary")
    summaries.nth(0).click()
    summaries.nth(1).click()
    expect(page.locator(".filter[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".filter[open]")).to_have_count(0)


def test_a_phone_reaches_every_list_through_its_menu(viewer: User, page_of: Callable[..., Page]) -> None:
    page = page_of(viewer, width=390)
    page.goto("/admin/")
    page.locator(".phone-nav summary").click()
    page.locator(".phone-nav").get_by_role("link", name="Rejected rows").click()
    expect(page.locator("h1")).to_have_text("Rejected rows")
