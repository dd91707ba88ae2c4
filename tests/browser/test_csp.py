"""No admin page breaks the content security policy, throws, or runs over the edge of a phone."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, SolarSchedule
from playwright.sync_api import Page

from access.services import create_token
from etl.models import (
    Product,
    ProductChange,
    ProductSyncBatch,
    ProductSyncRun,
    RejectedRow,
    Watermark,
)
from llm.models import LLMCall, LLMPrice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "a very long name without any mercy 没有任何怜悯的很长的名字 " * 3 + "x" * 120
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def everything(administrator: User) -> User:
    """One row of every kind, with texts as long as they may be; who may see it all."""
    administrator.is_superuser = True  # the registry holds pages that no role opens
    administrator.save(update_fields=["is_superuser"])
    now = timezone.now()
    run = ProductSyncRun.objects.create(
        source="products_staging",
        status="failed",
        error="source-unusable",
        error_text=LONG,
        finished_at=now,
        started_at=now - timedelta(hours=3),
        requested_by=administrator,
        read=1_234_567,
        unchanged=1_234_567,
        batches=1,
        differences=[{"brand": "B", "sku": "S", "type": "UPDATE", "fields": {"name": [LONG, "y" * 255]}}],
    )
    ProductSyncBatch.objects.create(
        run=run, number=1, phase="pages", read=1000, created=0, updated=0, unchanged=1000, superseded=0,
        rejected=0, seconds=0.5, cursor_at=now, cursor_id=2**40,
    )  # fmt: skip
    product = Product.objects.create(
        brand_code="B" * 64, sku="S" * 64, name=LONG[:255], price=9_999_999_999, on_sale=True,
        colors=["red" * 30], tags=["t" * 80], attributes={"k" * 60: {"deep": [LONG]}}, description=LONG,
        image_url="https://example.invalid/" + "p" * 400, data_version="v1:" + "0" * 64,
    )  # fmt: skip
    ProductChange.objects.create(
        product=product, brand_code=product.brand_code, sku=product.sku, change_type="UPDATE", run=run,
        new_version="v1:" + "0" * 64, changed_fields={"name": [LONG, "new"], "tags": [["a"], ["a", LONG]]},
    )  # fmt: skip
    RejectedRow.objects.create(
        source="products_staging", src_id=2**40, brand="B" * 64, sku="S" * 64, reason="invalid-price",
        field="price", detail=LONG, raw={"price": LONG}, run=run,
    )  # fmt: skip
    Watermark.objects.create(table_name="products_staging", last_processed_at=now, last_processed_id=1)
    LLMCall.objects.create(
        provider="openai", model="m" * 200, host="h" * 200, purpose="p" * 64, prompt_version=1, prompt_hash="0" * 64,
        run_kind="etl.productsyncrun", run_id=str(run.pk), run_attempt=1, outcome="llm-bad-answer", raw=LONG * 5,
        tokens_in=2**30, tokens_out=2**30, cost=1234567, currency="USD", seconds=1234, error_text=LONG,
    )  # fmt: skip
    LLMPrice.objects.create(model="m" * 200, currency="USD", input_per_million=1, output_per_million=1, valid_from=now)
    CrontabSchedule.objects.create()
    ClockedSchedule.objects.create(clocked_time=now)
    SolarSchedule.objects.create(event="sunset", latitude=1, longitude=1)
    create_token(administrator, name=LONG[:100])
    return administrator


def addresses(user: User) -> Iterator[str]:
    """Every page the registry knows: lists, empty forms, first objects, their history and deletion."""
    request = RequestFactory().get("/")
    request.user = user
    yield from map(reverse, ("admin:index", "admin:password_change", "admin:login"))
    for model, model_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        yield reverse(f"{name}_changelist") + "?q=nothing-like-this"
        if model_admin.has_add_permission(request):
            yield reverse(f"{name}_add")
        if (first := model._default_manager.order_by("pk").first()) is None:
            continue
        yield reverse(f"{name}_change", args=[first.pk])
        yield reverse(f"{name}_history", args=[first.pk])
        if model_admin.has_delete_permission(request, first):
            yield reverse(f"{name}_delete", args=[first.pk])
    for app in {model._meta.app_label for model in admin.site._registry}:
        yield reverse("admin:app_list", args=[app])


def visit(page: Page, address: str) -> list[str]:
    """What is wrong with the page."""
    answer = page.goto(address)
    wrong = [] if answer.status == 200 else [f"{address} answered {answer.status}"]
    if (over := page.evaluate(OVERFLOW)) > 0:
        wrong.append(f"{address} is {over} px too wide")
    return wrong


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("width", "language", "theme"), [(1440, "en-GB", "light"), (390, "en-GB", "dark"), (390, "zh-CN", "light")]
)
def test_every_admin_page_keeps_the_policy_and_its_width(
    width: int, language: str, theme: str, everything: User, page_of: Callable[..., Page]
) -> None:
    page = page_of(everything, width=width, language=language, theme=theme)
    wrong = [fault for address in addresses(everything) for fault in visit(page, address)]
    page.wait_for_timeout(200)  # what the last page has to complain about comes a moment later
    assert wrong == []
    assert page.complaints == []


@pytest.mark.parametrize(
    ("width", "language", "theme"), [(1440, "en-GB", "light"), (390, "zh-CN", "dark"), (390, "en-GB", "light")]
)
def test_the_api_description_keeps_the_policy_and_sends_requests(
    width: int, language: str, theme: str, everything: User, page_of: Callable[..., Page]
) -> None:
    page = page_of(everything, width=width, language=language, theme=theme)
    assert visit(page, "/api/v1/docs") == []
    page.click("#operations-etl-etl_product_runs_create .opblock-summary-control")
    page.click("#operations-etl-etl_product_runs_create .try-out__btn")
    page.fill("#operations-etl-etl_product_runs_create textarea", '{"dryRun": true}')
    page.click("#operations-etl-etl_product_runs_create .execute")
    page.wait_for_selector("#operations-etl-etl_product_runs_create .live-responses-table")
    assert "202" in page.inner_text(".live-responses-table tbody .response-col_status")
    assert page.evaluate("document.documentElement.classList.contains('dark-mode')") == (theme == "dark")
    assert page.evaluate(OVERFLOW) <= 0
    assert page.complaints == []


def test_the_login_page_keeps_the_policy_and_lets_one_in(
    administrator: User, page_of: Callable[..., Page], settings: Any
) -> None:
    administrator.set_password("correct horse")
    administrator.save(update_fields=["password"])
    page = page_of(None, width=390)
    assert visit(page, "/admin/login/") == []
    page.fill("#id_username", administrator.username)
    page.fill("#id_password", "correct horse")
    page.click("#login-form [type=submit]")
    assert page.title().startswith("Home")
    page.click("#logout-form button")
    assert page.complaints == []


def test_a_script_without_the_nonce_is_refused_and_noticed(everything: User, page_of: Callable[..., Page]) -> None:
    page = page_of(everything)
    page.goto("/admin/")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
    page.wait_for_timeout(200)  # the event comes a moment later
    assert any("CSP script-src" in complaint for complaint in page.complaints)
