"""Whatever is sent to any operation by anybody: no server error, nothing undescribed, nobody let in too far."""

import os
from collections.abc import Callable
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

from access.services import create_token
from config.wsgi import application
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
def rows(operator: User) -> dict[str, list[int]]:
    """Something to be found behind each kind of id."""
    for number, price in enumerate(["5", "x", "7"]):
        StagingProduct.objects.create(
            style_brand_no="B", style_no=str(number), name="Mug", price=price, tags_json='["a"]',
            attrs_json='{"size": "M", "weight": 1.10}', on_sale="Y", src_updated_at=NOON,
        )  # fmt: skip
    sync.run_product_sync(services.start_sync_here(services.SyncOptions(), actor="test").pk)
    services.request_sync(services.SyncOptions(dry_run=True), actor=operator, requested_by=operator)
    return {
        name: list(model.objects.values_list("pk", flat=True))
        for name, model in (("product-runs", ProductSyncRun), ("products", Product), ("rejected-rows", RejectedRow))
    }


@pytest.fixture
def unthrottled(settings: Any) -> None:
    rates = dict.fromkeys(django_settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"])
    settings.REST_FRAMEWORK = {**django_settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}


def test_no_request_breaks_the_service_its_description_or_its_rights(
    rows: dict[str, list[int]], unthrottled: None, viewer: User, operator: User, administrator: User
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


def _send(cases: Any, ids: list[int], headers: dict[str, str], is_lawful: Callable[[int], bool]) -> None:
    @hypothesis.given(case=cases, row=st.sampled_from([None, *ids]))
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
    def send_one(case: Any, row: int | None) -> None:
        if row is not None:
            case.path_parameters["id"] = str(row)
        response = case.call(headers=headers, base_url="http://localhost")
        case.validate_response(response, checks=CHECKS)
        assert is_lawful(response.status_code), f"{case.as_curl_command()} answered {response.status_code}"

    send_one()
