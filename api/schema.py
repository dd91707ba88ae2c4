"""The OpenAPI description, made from the views themselves.

This module is named in settings and must import no views: DRF imports it while they are being made.
"""

from typing import Any

from drf_spectacular import openapi
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from api.problems import CONTENT_TYPE

VERSIONED = "/api/v1/"
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457; further members depend on the type.",
    "required": ["type", "title", "status", "instance", "requestId"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/validation-error"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "examples": ["#/usageCount"]},
                    "parameter": {"type": "string", "examples": ["pageSize"]},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}


class AutoSchema(openapi.AutoSchema):
    """drf-spectacular's description with our envelope, strict bodies and permissions in it."""

    def get_extensions(self) -> dict[str, Any]:
        key = getattr(self.view, "action", None) or self.method.lower()
        needed = getattr(self.view, "permissions", {}).get(key)
        return {**super().get_extensions(), **({"x-permission": needed} if needed else {})}

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}Page"

    def _get_paginator(self) -> Any:
        paginator = super()._get_paginator()
        if paginator is not None and hasattr(self.view, "plural"):
            paginator.plural = self.view.plural
        return paginator

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)
        # an unknown field is refused, and a generated client should know before it asks
        return schema | {"additionalProperties": False} if direction == "request" else schema


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "access.authentication.BearerAuthentication"
    name = "bearerAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


def only_versioned(endpoints: list[Any]) -> list[Any]:
    """Preprocessing hook: the routes at /api/ are the same views, described once."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(VERSIONED)]


def with_problems(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Postprocessing hook: every operation may also answer with a problem."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components.setdefault("responses", {})["Problem"] = {
        "description": "A problem",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            for status in ("4XX", "5XX"):
                operation["responses"].setdefault(status, {"$ref": "#/components/responses/Problem"})
    return result
