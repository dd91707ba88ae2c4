"""Whatever is sent to any operation by anybody: no server error, nothing undescribed, nobody let in too far."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

import documents
import workshop
from access.services import create_token
from config.wsgi import application
from distillations.generation import run_generation
from distillations.models import (
    ArticleSetting,
    ConversionTarget,
    Distillation,
    GeneratedArticle,
    GenerationTask,
    KnowledgeBase,
)
from distillations.services import GenerationOptions, request_generation
from distilled import distilled, used
from etl.documents import mounting, processing
from etl.documents.models import ETLRule, ETLTask, Project, Table, TableMount
from etl.documents.services import DocumentWish, Upload, request_documents
from etl.models import Product, ProductSyncRun, RejectedRow, StagingProduct
from etl.products import services, sync
from observed import NOON

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]

EXAMPLES = {"short": 2, "ci": 10, "full": 100}[os.environ.get("FAULTS", "short")]
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# how who may not come in is refused; 404 is an id that no route takes, 406 comes before all else
REFUSED_STRANGERS, REFUSED = {401, 404, 406}, {403, 404, 406}


@pytest.fixture
def rows(operator: User, settings: Any, tmp_path: Path) -> dict[str, list[Any]]:
    """Something to be found behind each kind of id."""
    settings.DOCUMENTS_DIR = tmp_path
    for number, price in enumerate(["5", "x", "7"]):
        StagingProduct.objects.create(
            style_brand_no="B", style_no=str(number), name="Mug", price=price, tags_json='["a"]',
            attrs_json='{"size": "M", "weight": 1.10}', on_sale="Y", src_updated_at=NOON,
        )  # fmt: skip
    sync.run_product_sync(services.start_sync_here(services.SyncOptions(), actor="test").pk)
    services.request_sync(services.SyncOptions(dry_run=True), actor=operator, requested_by=operator)
    done, _waiting = (
        request_generation(GenerationOptions(1), actor="test", requested_by=operator) for _ in distilled(2)
    )
    run_generation(done.pk)
    used(distilled(20)[0], times=3)
    ConversionTarget.objects.create(company_name="Somebody")
    ArticleSetting.objects.create(name="Questions", prompt="{keyword}")
    KnowledgeBase.objects.create(name="Shelf")
    project = documents.project(operator)
    table, task = documents.table(project, '{"a": {}}'), documents.task(project)
    asked = DocumentWish(project.pk)
    (read,) = request_documents([Upload("a.csv", [b"a,b\n1,2\n"])], asked, user=operator)
    processing.run_document(read.pk)
    ETLRule.objects.create(name="Rule", owner=operator, project=project, json_schema={"type": "object"})
    mounting.mount(task, table_id=table.pk, pointer="/a", user=operator, actor=operator)
    kinds: list[tuple[str, Any]] = [
        ("product-runs", ProductSyncRun), ("products", Product), ("rejected-rows", RejectedRow),
        ("articles", GeneratedArticle), ("projects", Project), ("tables", Table), ("mounts", TableMount),
        ("tasks", GenerationTask), ("tasks", ETLTask), ("distillation", Distillation),
        ("conversion-targets", ConversionTarget), ("article-settings", ArticleSetting),
        ("knowledge-bases", KnowledgeBase), ("rules", ETLRule),
    ]  # fmt: skip
    there: dict[str, list[int]] = {}
    for name, model in kinds:
        there.setdefault(name, []).extend(model.objects.values_list("pk", flat=True))
    return _roadmaps(operator) | there  # the first that fits counts


def _roadmaps(operator: User) -> dict[str, list[Any]]:
    """Ids of roadmaps and of their tasks, by a part of the routes that take them."""
    made = [workshop.roadmap(operator), workshop.roadmap(operator, status="failed", contents=False)]
    waiting = workshop.roadmap(operator, status="human_review_pending", contents=False, human_review=True)
    tasks = [each.tasks.get().pk for each in (*made, waiting)]
    ids = [each.pk for each in made]
    return {"roadmaps/tasks": tasks, "approve": tasks, "retry": tasks, "cancel": tasks, "roadmaps": ids}


@pytest.fixture
def unthrottled(settings: Any) -> None:
    rates = dict.fromkeys(django_settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"])
    settings.REST_FRAMEWORK = {**django_settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}


@pytest.mark.long
def test_no_request_breaks_the_service_its_description_or_its_rights(
    rows: dict[str, list[Any]], unthrottled: None, viewer: User, operator: User, administrator: User
) -> None:
    description = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
    description.app = application
    callers = [
        (user, {"Authorization": f"Bearer {create_token(user)[1]}"}) for user in (viewer, operator, administrator)
    ]
    for found in description.get_all_operations():
        operation = found.ok()
        cases = operation.as_strategy(GenerationMode.POSITIVE) | operation.as_strategy(GenerationMode.NEGATIVE)
        ids = next((keys for name, keys in rows.items() if f"/{name}/{{" in operation.path), [])
        for user, headers in [(None, {}), *callers]:
            may = user is not None and _may(user, operation.definition.raw.get("x-permission"))
            refused = REFUSED if user else REFUSED_STRANGERS
            _send(cases, ids, headers, lambda status, may=may, refused=refused: may or status in refused)


def _may(user: User, permission: str) -> bool:
    assert permission, "every operation names its permission"
    return permission == "*" or user.has_perm(permission)


def _outer(path: str) -> str:
    """The first parameter of a path: of a nested route the id of what the rest belongs to."""
    return path.partition("{")[2].partition("}")[0]


def _send(cases: Any, ids: list[Any], headers: dict[str, str], is_lawful: Callable[[int], bool]) -> None:
    @hypothesis.given(case=cases, row=st.sampled_from([None, *ids]))
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
    def send_one(case: Any, row: Any) -> None:
        if row is not None:
            case.path_parameters[_outer(case.operation.path)] = str(row)
        if row is not None and "concept_id" in case.path_parameters:
            case.path_parameters["concept_id"] = "c-1-1-1"
        response = case.call(headers=headers, base_url="http://localhost")
        case.validate_response(response, checks=CHECKS)
        assert is_lawful(response.status_code), f"{case.as_curl_command()} answered {response.status_code}"

    send_one()
