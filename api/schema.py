"""The OpenAPI description, made from the views themselves.

This module is named in settings and must import no views: DRF imports it while they are being made.
"""

from typing import Any

from drf_spectacular import openapi
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter

from api.headers import IDEMPOTENCY_KEY, REPLAYED
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


_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 0}
_LATER = {"429": "Later", "503": "Later"}


def _required(schema: dict[str, Any]) -> dict[str, Any]:
    return {"schema": schema, "required": True}


_IDEMPOTENCY_KEY = OpenApiParameter(
    IDEMPOTENCY_KEY,
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"},
    OpenApiParameter.HEADER,
    description="Sent again with the same body, the request is answered again and its work is not done twice.",
)
_IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", _TEXT, OpenApiParameter.HEADER, description="The ETag you have; 304 while nothing moved."
)


def with_body(handler: Any) -> Any:
    """Marks a method that answers DELETE and reads a body, for the API's description."""
    handler.has_body = True
    return handler


class AutoSchema(openapi.AutoSchema):
    """drf-spectacular's description with our envelope, strict bodies and permissions in it."""

    def get_extensions(self) -> dict[str, Any]:
        key = getattr(self.view, "action", None) or self.method.lower()
        needed = getattr(self.view, "permissions", {}).get(key)
        return {**super().get_extensions(), **({"x-permission": needed} if needed else {})}

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation:
            responses = operation["responses"]
            for status in self._refusals():
                responses.setdefault(status, {"$ref": f"#/components/responses/{_LATER.get(status, 'Problem')}"})
            self._add_headers(responses)
            operation["responses"] = dict(sorted(responses.items()))
        return operation

    def _get_request_body(self, direction: str = "request") -> Any:
        """Of a DELETE too, where with_body() says that it has one; spectacular asks no further."""
        method = self.method
        self.method = "POST" if self._has("has_body") else method
        try:
            return super()._get_request_body(direction)
        finally:
            self.method = method

    def get_override_parameters(self) -> Any:
        """The request headers that the method understands."""
        return [
            *super().get_override_parameters(),
            *([_IDEMPOTENCY_KEY] if self._has("is_idempotent") else []),
            *([_IF_NONE_MATCH] if self._has("is_conditional") else []),
        ]

    def _has(self, mark: str) -> bool:
        method = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        return bool(getattr(method, mark, False))

    def _refusals(self) -> list[str]:
        """The statuses of every problem this operation may answer with."""
        writes = self.method in ("POST", "PUT", "PATCH") or self._has("has_body")
        return [
            *("400", "401", "403", "406", "429", "500", "503"),
            *(["404"] if "{" in self.path else []),
            *(["409"] if self.method not in ("GET", "HEAD") else []),
            *(["411", "413", "415"] if writes else []),
            *(["422"] if self._has("is_idempotent") else []),
        ]

    def _add_headers(self, responses: dict[str, Any]) -> None:
        """The headers of successes, and 304 where it is answered."""
        if "202" in responses:
            responses["202"]["headers"] = {"Location": _required(_TEXT), "Retry-After": _required(_SECONDS)}
        if self._has("is_idempotent"):
            note = "`true` when the answer is that of an earlier request with the same key."
            for status, response in responses.items():
                if status.startswith("2"):
                    response.setdefault("headers", {})[REPLAYED] = {"schema": _TEXT, "description": note}
        if self._has("is_conditional"):
            responses["200"]["headers"] = {"ETag": _required(_TEXT)}
            responses["304"] = {"description": "You have just that.", "headers": {"ETag": _required(_TEXT)}}

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
    """Postprocessing hook: what the operations refer to when they say that they may refuse."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    problem = {"content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    components.setdefault("responses", {}).update(
        {
            "Problem": {"description": "A problem", **problem},
            "Later": {
                "description": "A problem that passes",
                "headers": {"Retry-After": _required(_SECONDS)},
                **problem,
            },
        }
    )
    return result


def with_filled_parameters(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Postprocessing hook: a query parameter that is given but blank is refused, and the description says so."""
    parameters = [
        each
        for operations in result["paths"].values()
        for operation in operations.values()
        for each in operation.get("parameters", [])
    ]
    for each in parameters:
        schema = each["schema"]
        is_free_text = schema.get("type") == "string" and not schema.keys() & {"enum", "format", "pattern"}
        if each["in"] == "query" and is_free_text and not each.get("allowEmptyValue"):
            schema["pattern"] = r"\S"
    return result
