"""The OpenAPI file is what the code says."""

from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema


def test_the_committed_description_is_up_to_date():
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    committed = Path(settings.BASE_DIR, "docs/openapi.yaml").read_text()
    assert out.getvalue() == committed, "run: manage.py spectacular --file docs/openapi.yaml"


@pytest.mark.django_db
def test_any_signed_in_user_reads_the_description(client_of, stranger):
    client = client_of(stranger)
    assert client.get("/api/v1/schema", HTTP_ACCEPT="application/json").json()["openapi"] == "3.1.0"
    assert client.get("/api/v1/schema", HTTP_ACCEPT="application/yaml").content.startswith(b"openapi: 3.1.0")
    assert client.get("/api/v1/schema?lang=en").status_code == 400
    anonymous = client_of(None).get("/api/v1/schema", HTTP_ACCEPT="application/yaml")
    assert (anonymous.status_code, anonymous["Content-Type"]) == (401, "application/problem+json")
    assert anonymous.json()["type"] == "/problems/not-authenticated"


def test_only_the_versioned_routes_are_described():
    schema = SchemaGenerator().get_schema(public=True)
    assert all(path.startswith("/api/v1/") for path in schema["paths"])


@pytest.mark.urls("tests.api.sample")
def test_names_envelope_filters_and_problems_are_described_as_they_are_sent():
    schema = SchemaGenerator(urlconf="tests.api.sample").get_schema(public=True)
    validate_schema(schema)
    listing = schema["paths"]["/api/v1/events"]["get"]
    assert {each["name"] for each in listing["parameters"]} == {
        "actorName", "actorIdMax", "isAnonymous", "objectType", "objectTypes", "page", "pageSize"
    }  # fmt: skip
    schemas = schema["components"]["schemas"]
    assert list(schemas["Event"]["properties"]) == ["id", "objectName", "actorName", "after", "createdAt"]
    assert set(schemas["EventPage"]["properties"]) == {"events", "total", "totalIsEstimate", "page", "pageSize"}
    assert listing["x-permission"] == "access.view_auditevent"
    assert list(listing["responses"]) == ["200", "400", "401", "403", "406", "429", "500", "503"]
    assert listing["responses"]["400"] == {"$ref": "#/components/responses/Problem"}
    assert listing["responses"]["429"] == {"$ref": "#/components/responses/Later"}
    creating = schema["paths"]["/api/v1/jobs/{name}"]["post"]
    assert {"404", "409", "411", "413", "415", "422"} <= set(creating["responses"])
    assert "Idempotency-Key" in [each["name"] for each in creating["parameters"]]
    reading = schema["paths"]["/api/v1/events/{id}"]["get"]
    assert "304" in reading["responses"]
