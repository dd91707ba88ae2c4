"""What the API sends fits what the schema says of it."""

import pytest
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from etl.products import services


@pytest.mark.parametrize(("path", "name"), [("product-runs", "ProductRun"), ("rejected-rows", "RejectedRow")])
def test_rows_nobody_asked_for_or_resolved_fit_the_schema(stage, synced, client_of, viewer, path, name):
    stage("1", price="x")
    synced()
    services.request_sync(services.SyncOptions(), actor="schedule")
    plural = "runs" if path == "product-runs" else "rejectedRows"
    rows = client_of(viewer).get(f"/api/v1/etl/{path}").json()[plural]
    assert rows
    schema = SchemaGenerator().get_schema(public=True)
    validator = Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schema["components"]["schemas"]}}
    )
    for row in rows:
        assert [error.message for error in validator.iter_errors(row)] == []
