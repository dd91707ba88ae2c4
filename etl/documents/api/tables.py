"""Routes of tables: the rows, the document, and the elements of an object inside of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from msgspec import Raw
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import ConditionalRetrieve, answer, conditional, etag, require_match
from api.filters import FilterSet, WholeNumberFilter
from api.idempotency import idempotent
from api.parsers import LongJSONParser
from api.problems import CONTENT_TYPE, ParameterError
from api.schema import with_body
from api.serializers import JSONField, ModelSerializer, Serializer
from api.views import OpsViewSet
from etl.documents import pointers, tables
from etl.documents.models import Table

MOST_ID = 2**63 - 1
ELEMENTS_AT_MOST = 10_000
_POINTER = OpenApiParameter(
    "pointer",
    {"type": "string", "pattern": "^(/([^~/]|~[01])*)*$", "maxLength": pointers.MOST_BYTES, "default": ""},
    description="RFC 6901; without one, or empty, the whole document.",
    allow_blank=True,
)
_IF_MATCH = OpenApiParameter(
    "If-Match", {"type": "string"}, OpenApiParameter.HEADER, description="The ETag of the document you have read."
)
_FORCE = OpenApiParameter(
    "force", {"type": "string", "enum": ["true", "false"], "default": "false"}, description="Also with what is mounted."
)
_PROBLEM = OpenApiTypes.OBJECT


class DocumentParser(LongJSONParser):
    """Of a body as long as a table may be."""

    @property
    def at_most(self) -> int:
        """Read each time, for the tests' sake."""
        return int(settings.ETL_MAX_TABLE_BYTES)


class TableSerializer(ModelSerializer):
    """A table without its document, which `…/data` gives."""

    table_id = serializers.IntegerField(source="pk", read_only=True)
    project_id = serializers.IntegerField(read_only=True)

    class Meta:
        model = Table
        fields = ("table_id", "project_id", "name", "description", "version", "created_at", "updated_at")
        read_only_fields = fields


class NewTableSerializer(Serializer):
    """A wish for a table."""

    project_id = serializers.IntegerField(min_value=1, max_value=MOST_ID)
    name = serializers.CharField(max_length=255)
    description = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    data = JSONField(default=dict, help_text="The document; an empty object without one.")


class TableEditSerializer(Serializer):
    """New values; what is left out stays."""

    name = serializers.CharField(max_length=255, required=False)
    description = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)


class _AtPointerSerializer(Serializer):
    pointer = serializers.CharField(
        allow_blank=True, trim_whitespace=False, help_text="RFC 6901, of an object; empty for the root."
    )


class ElementSerializer(Serializer):
    """A key, and what stands there."""

    key = serializers.CharField(allow_blank=True, trim_whitespace=False)
    content = JSONField(allow_null=True)


class ElementsSerializer(_AtPointerSerializer):
    """Elements of an object in a table."""

    elements = serializers.ListField(child=ElementSerializer(), min_length=1, max_length=ELEMENTS_AT_MOST)

    def wanted(self) -> list[tables.Element]:
        """The validated elements in the service's words."""
        return [(each["key"], each["content"]) for each in self.validated_data["elements"]]


class KeysSerializer(_AtPointerSerializer):
    """Keys of an object in a table."""

    keys = serializers.ListField(  # type: ignore[assignment]  # Serializer has a method of this name
        child=serializers.CharField(allow_blank=True, trim_whitespace=False), min_length=1, max_length=ELEMENTS_AT_MOST
    )

    def wanted(self) -> list[str]:
        """The validated keys."""
        return list(self.validated_data["keys"])


class ChangedSerializer(Serializer):
    """The table's version now."""

    success = serializers.BooleanField()
    table_id = serializers.IntegerField()
    pointer = serializers.CharField()
    count = serializers.IntegerField(help_text="How many keys.")
    table_version = serializers.IntegerField()


class VersionSerializer(Serializer):
    """The table's version now."""

    table_id = serializers.IntegerField()
    table_version = serializers.IntegerField()


class TableFilter(FilterSet):
    """Filters of the list."""

    project_id = WholeNumberFilter("project_id")

    class Meta:
        model = Table
        fields = ("name",)


class TableViewSet(ConditionalRetrieve, mixins.ListModelMixin, OpsViewSet):
    """Tables of projects that the caller sees."""

    queryset = Table.objects.defer("data").order_by("-id")
    serializer_class = TableSerializer
    filterset_class = TableFilter
    plural = "tables"
    parser_classes = [DocumentParser]
    permissions = {
        "list": "etl.view_table",
        "retrieve": "etl.view_table",
        "create": "etl.add_table",
        "partial_update": "etl.change_table",
        "destroy": "etl.delete_table",
        "document": "etl.view_table",
        "replace": "etl.change_table",
        "add_elements": "etl.change_table",
        "update_elements": "etl.change_table",
        "delete_elements": "etl.change_table",
    }
    extra_query_params = {"document": ("pointer",), "destroy": ("force",)}

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(self.request.user)

    def empty_query_params(self, request: Request) -> set[str]:
        return super().empty_query_params(request) | ({"pointer"} if self.action == "document" else set())

    @extend_schema(request=NewTableSerializer, responses={201: TableSerializer, (404, CONTENT_TYPE): _PROBLEM})
    @idempotent
    def create(self, request: Request) -> Response:
        """Make a table in one of the caller's projects."""
        wish = NewTableSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        table = tables.create_table(**wish.validated_data, user=request.user, actor=request.user)
        shown = self.get_serializer(table).data
        return Response(shown, status=201, headers={"Location": f"{request.path}/{table.pk}"})

    @extend_schema(request=TableEditSerializer, responses=TableSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename or describe it; the document and its version stay."""
        table = self.get_object()
        wish = TableEditSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        tables.edit_table(table, **wish.validated_data, actor=request.user)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(parameters=[_FORCE], responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete it; 409 `table-has-mounts` while results are mounted into it, unless `force=true`."""
        table = self.get_object()
        tables.delete_table(table, force=_forced(request), actor=request.user)
        return Response(status=204)

    @extend_schema(parameters=[_POINTER], responses=OpenApiTypes.ANY)
    @conditional
    @action(detail=True, url_path="data", url_name="data")
    def document(self, request: Request, pk: str) -> HttpResponseBase:
        """The document, or what `pointer` leads to, digit for digit; its ETag is the table's version."""
        table: Table = self.get_object()
        if "If-None-Match" in request.headers:
            unchanged = answer(request, Response(), etag(table.pk, table.version))
            if unchanged.status_code == 304:
                return unchanged
        version, text = tables.read_data(table, request.query_params.get("pointer", ""))
        return answer(request, Response(Raw(text.encode())), etag(table.pk, version))

    @extend_schema(
        parameters=[_IF_MATCH],
        request=OpenApiTypes.ANY,
        responses={
            200: VersionSerializer,
            (412, CONTENT_TYPE): _PROBLEM,
            (428, CONTENT_TYPE): _PROBLEM,
        },
    )
    @document.mapping.put
    def replace(self, request: Request, pk: str) -> Response:
        """Put another document in place of the one whose ETag is in `If-Match`; the body is the document."""
        table: Table = self.get_object()
        require_match(request, etag(table.pk, table.version), always=True)
        data = JSONField().run_validation(request.data)
        version = tables.replace_data(table, data, version=table.version, actor=request.user)
        response = Response(VersionSerializer({"table_id": table.pk, "table_version": version}).data)
        response["ETag"] = etag(table.pk, version)
        return response

    @extend_schema(request=ElementsSerializer, responses=ChangedSerializer)
    @action(detail=True, methods=["post"], url_path="context", url_name="context")
    @idempotent
    def add_elements(self, request: Request, pk: str) -> Response:
        """Add keys to an object, all or none; 409 `path-conflict` names those that are taken."""
        return self._change(request, ElementsSerializer, tables.create_context_data)

    @extend_schema(request=ElementsSerializer, responses=ChangedSerializer)
    @add_elements.mapping.patch
    def update_elements(self, request: Request, pk: str) -> Response:
        """Change the values of keys of an object, all or none; 409 `keys-missing` names those that are not there."""
        return self._change(request, ElementsSerializer, tables.update_context_data)

    @extend_schema(request=KeysSerializer, responses={200: ChangedSerializer})
    @add_elements.mapping.delete
    @with_body
    def delete_elements(self, request: Request, pk: str) -> Response:
        """Remove `keys` from the object at `pointer`, both in a JSON body, all or none; 409 `keys-missing`."""
        return self._change(request, KeysSerializer, tables.delete_context_data)

    def _change(self, request: Request, shape: Any, verb: Callable[..., int]) -> Response:
        table: Table = self.get_object()
        wish = shape(data=request.data)
        wish.is_valid(raise_exception=True)
        wanted, pointer = wish.wanted(), wish.validated_data["pointer"]
        version = verb(table, pointer, wanted, actor=request.user)
        facts = {"success": True, "table_id": table.pk, "pointer": pointer, "count": len(wanted)}
        return Response(ChangedSerializer(facts | {"table_version": version}).data)


def _forced(request: Request) -> bool:
    given = request.query_params.get("force", "false")
    if given not in ("true", "false"):
        raise ParameterError({"force": [ErrorDetail(_("It must be true or false."), code="invalid")]})
    return given == "true"
