"""No admin page breaks the content security policy, throws, or runs over the edge of a phone."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, SolarSchedule
from playwright.sync_api import Page

import documents
from access.services import create_token
from articles import article
from cleaning import ship_templates
from distillations.models import (
    ArticleSetting,
    ConversionTarget,
    Distillation,
    DistillationRun,
    KnowledgeBase,
    Topic,
)
from distillations.usage import verify_usage
from distilled import damage, slot, task, used
from etl.models import (
    DocumentStep,
    ETLRule,
    ETLTask,
    Product,
    ProductChange,
    ProductSyncBatch,
    ProductSyncRun,
    RejectedRow,
    Table,
    TableMount,
    Watermark,
)
from exports.briefs import BriefOptions, export_by_hand
from exports.models import IssueCounter, ManualReview
from llm.models import LLMCall, LLMPrice
from roadmapped import asked, broken_content, worked
from roadmaps.models import (
    Concept,
    ResourceRecommendationMetadata,
    Roadmap,
    RoadmapStep,
    RoadmapTask,
    TutorialMetadata,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "a very long name without any mercy 没有任何怜悯的很长的名字 " * 3 + "x" * 120
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def everything(administrator: User, settings: Any, tmp_path: Path) -> User:
    """One row of every kind, with texts as long as they may be; who may see it all."""
    settings.DOCUMENTS_DIR = tmp_path
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
    briefs(administrator)
    generated(administrator)
    read_documents(administrator)
    roadmap(administrator)
    return administrator


def briefs(user: User) -> None:
    """Articles in every list of the desk, and a brief by hand, with the longest of texts."""
    ship_templates()
    for number, status in enumerate(("pending", "selected", "backup", "discarded", "selected")):
        article(
            f"{LONG}/{number}", status=status, title=LONG, summary=LONG * 3, source=LONG, score=99.125,
            url="https://example.invalid/" + "p" * 400, content=LONG * 20, published_at=timezone.now(),
        )  # fmt: skip
    ManualReview.objects.update(notes=LONG, manual_llm_source=LONG)
    export_by_hand(BriefOptions(report_tag=LONG[:200].strip(), template="markdown", mark_exported=False), actor=user)
    IssueCounter.objects.create(template="zongbao", report_date="2026-03-01", period=2**31 - 1, total_period=2**31 - 1)


def generated(user: User) -> None:
    """A distillation with its uses, tasks with every kind of slot, a counter that drifted and every material."""
    [source, other] = Distillation.objects.bulk_create(
        Distillation(keyword=(LONG * 2)[:255], provider="manual") for _ in range(2)
    )
    topic = Topic.objects.create(distillation=source, question=(LONG * 5)[:1000])
    target = ConversionTarget.objects.create(
        company_name=(LONG * 2)[:255], industry=LONG[:100], website="https://example.invalid/" + "p" * 400, address=LONG
    )
    setting = ArticleSetting.objects.create(name=(LONG * 2)[:255], prompt=LONG * 5)
    shelf = KnowledgeBase.objects.create(name=(LONG * 2)[:255], description=LONG * 5)
    shelf.documents.create(title=LONG, content=LONG * 20)
    materials = {"conversion_target": target, "article_setting": setting, "knowledge_base": shelf}
    of = task(
        "partial", requested=3, generated_count=1, error="some-failed", error_text=LONG, distillation=source,
        keyword=source.keyword, requested_by=user, **materials,
        **{f"{name}_name": str(each) for name, each in materials.items()},
    )  # fmt: skip
    [written] = used(source, of=of, topic=topic)
    written.title, written.content, written.question = LONG, f"# {LONG}\n\n{LONG * 20}\n\n" + "y" * 500, topic.question
    written.save(update_fields=["title", "content", "question"])
    slot(of, source, status="done", topic=topic, article=written, keyword=source.keyword, question=topic.question)
    slot(of, other, position=2, status="done", keyword=other.keyword, question=LONG)  # whose article is deleted
    slot(
        of, None, position=3, status="failed", keyword=LONG[:255], question=LONG, error="empty-article", error_text=LONG
    )
    DistillationRun.objects.create(
        keyword=source.keyword, status="failed", error="internal", error_text=LONG, finished_at=timezone.now()
    )
    damage(f"UPDATE distillations SET usage_count = 123456789 WHERE id = {source.pk}")
    verify_usage()


def distillation_addresses() -> Iterator[str]:
    """The screens of distillations that list no model."""
    for page in ("repair", "reset_all", "spread"):
        yield reverse(f"admin:distillations_distillation_{page}")
    for pk in Distillation.objects.values_list("pk", flat=True):
        yield reverse("admin:distillations_distillation_usage", args=[pk])
        yield reverse("admin:distillations_generationtask_add") + f"?distillation={pk}"


def read_documents(user: User) -> None:
    """A task with all that its page shows, mounted into a table, with the longest of texts."""
    project = documents.project(user, user, name=LONG[:255])
    table = documents.table(project, json.dumps({"k" * 200: {LONG: [LONG, {"deep": [1, None, {}]}]}}), name=LONG[:255])
    ETLRule.objects.create(
        name=LONG[:255], description=LONG, owner=user, project=project, system_prompt=LONG * 5,
        json_schema={"type": "object", "title": LONG},
    )  # fmt: skip
    task = documents.task(project, json.dumps({LONG: LONG * 20, "x" * 300: ["y" * 500]}), filename=LONG[:255])
    task.refresh_from_db()
    folder = Path(settings.DOCUMENTS_DIR) / str(task.pk)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "text-0.md").write_text(
        f"# {LONG}\n\n{LONG * 20}\n\n| {LONG} | b |\n|---|---|\n| {'z' * 400} | {LONG} |\n"
    )
    record = {"run": task, "input_hash": "0" * 64, "input": {}, "outcome": "done"}
    read = {"file": f"{task.pk}/text-0.md", "size": 1, "parser": "mineru " + "p" * 100, "pages": 1000, "notes": []}
    for retry in (0, 1):
        DocumentStep.objects.create(step="parse", retry=retry, output=read, milliseconds=2**31 - 1, **record)
    DocumentStep.objects.create(
        step="transform", retry=1, error="schema-mismatch", error_text=LONG, **record | {"outcome": "failed"}
    )
    result = task.result | {
        "generator": {"kind": "llm", "name": "openai", "model": "m" * 200}, "unresolved": ["f" * 200, LONG]
    }  # fmt: skip
    ETLTask.objects.filter(pk=task.pk).update(
        result=result, retries=1, rule_name=LONG[:255], mount_table=table, mount_pointer="/" + "p" * 300,
        error="path-conflict", error_stage="mount", error_text=LONG,
    )  # fmt: skip
    TableMount.objects.create(
        task=task, table=table, pointer="/" + "k" * 200, key=LONG[:255], had_previous=True, previous={LONG: LONG},
        value_sha256="0" * 64, table_version=2**40, mounted_by=user,
    )  # fmt: skip


def document_addresses() -> Iterator[str]:
    """The screens of documents that list no model."""
    task, table = ETLTask.objects.first(), Table.objects.first()
    yield reverse("admin:etl_etltask_upload")
    yield reverse("admin:etl_etltask_mount", args=[task.pk])
    place = urlencode({"table": table.pk, "pointer": "/" + "k" * 200})
    yield reverse("admin:etl_etltask_mount", args=[task.pk]) + f"?{place}"
    yield reverse("admin:etl_table_data", args=[table.pk])


def roadmap(user: User) -> None:
    """A task that waits for its review, and one that ended, with the longest of texts in every content."""
    worked(asked(user, f"Redis {LONG}"[:500], human_review=True))
    task = broken_content(worked(asked(user, f"Redis {LONG}"[:500])))
    Roadmap.objects.update(title=LONG[:255])
    Concept.objects.update(name=LONG[:255], description=LONG, keywords=[LONG])
    TutorialMetadata.objects.update(title=LONG[:255], content=f"# {LONG}\n\n`{LONG}`\n\n| {LONG} | b |\n|---|---|\n")
    ResourceRecommendationMetadata.objects.update(
        resources=[{"title": LONG, "url": "https://example.invalid/" + "p" * 400, "type": "book", "description": LONG}]
    )
    RoadmapTask.objects.filter(pk=task.pk).update(error_text=LONG)


def roadmap_addresses() -> Iterator[str]:
    """The screens of roadmaps that list no model."""
    record = RoadmapStep.objects.get(step="curriculum_design", run__status="partial_failure")
    yield reverse("admin:roadmaps_roadmaptask_steps", args=[record.run_id])
    yield reverse("admin:roadmaps_roadmaptask_step", args=[record.run_id, record.pk])
    yield reverse("admin:roadmaps_roadmap_concept", args=[record.run.roadmap_id, "c-1-1-1"])
    for pk in RoadmapTask.objects.values_list("pk", flat=True):
        yield reverse("admin:roadmaps_roadmaptask_change", args=[pk])


def desk_addresses() -> Iterator[str]:
    """The screens of the desk that list no model, and its lists in every state."""
    review = ManualReview.objects.selected().first()
    yield reverse("admin:exports_compose")
    yield reverse("admin:exports_compose") + f"?edit={review.pk}&template=wanbao"
    desk = reverse("admin:exports_manualreview_changelist")
    for tab in ("pending", "selected", "backup", "discarded", "exported"):
        yield f"{desk}?tab={tab}&min=1&since=2026-01-01&region=internal"
    yield f"{desk}?tab=selected&article={review.pk}"


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
    yield from desk_addresses()
    yield from distillation_addresses()
    yield from document_addresses()
    yield from roadmap_addresses()
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
