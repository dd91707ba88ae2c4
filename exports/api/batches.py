"""Routes of briefs: the newest, all, one of them, and its files."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from access.api.downloads import AnyType
from access.services import record
from api.problems import CONTENT_TYPE
from api.views import OpsView, OpsViewSet
from exports import archive, downloads
from exports.api import asking
from exports.api import batch_serializers as shapes
from exports.choices import Source
from exports.history import fetch_latest_manual_export_batch
from exports.models import ManualExportBatch

VIEW = "exports.view_manualexportbatch"
_INCLUDE_ITEMS = asking.described("include_items", {"type": "boolean", "default": True})
_FORMAT = asking.described("format", {"type": "string", "enum": list(downloads.FORMATS), "default": "txt"})
_KEY = OpenApiParameter("id", {"type": "string", "pattern": f"^{archive.KEY}$"}, OpenApiParameter.PATH)


class LatestView(OpsView):
    """The newest brief made by hand."""

    permissions = {"get": VIEW}
    extra_query_params = {"get": asking.spellings("include_items")}

    @extend_schema(
        parameters=[_INCLUDE_ITEMS],
        responses={200: shapes.BatchSerializer, (404, CONTENT_TYPE): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        """The newest brief made by hand; 404 when there is none."""
        batch = fetch_latest_manual_export_batch()
        if batch is None:
            raise Http404
        archive.counted([batch])
        return Response(shapes.BatchSerializer(batch, include_items=_include_items(request)).data)


class BatchViewSet(OpsViewSet):
    """Briefs of both lines."""

    queryset = ManualExportBatch.objects.none()
    serializer_class = shapes.BatchSerializer
    lookup_value_regex = archive.KEY
    permissions = {"list": VIEW, "retrieve": VIEW, "download": VIEW}
    list_actions = frozenset()  # two tables make one list, which pages by itself
    pagination_class = None
    extra_query_params = {
        "list": asking.spellings(*asking.PAGE, "source", "report_tag", "report_date"),
        "retrieve": asking.spellings("include_items"),
        "download": ("format",),
    }

    @extend_schema(
        parameters=[
            *asking.PAGE_PARAMETERS,
            asking.described("source", {"type": "string", "enum": Source.values}),
            asking.described("report_tag", {"type": "string"}),
            asking.described("report_date", {"type": "string", "format": "date"}),
        ],
        responses=shapes.BatchPageSerializer,
    )
    def list(self, request: Request) -> Response:
        """Briefs of both lines, newest first."""
        limit, offset = asking.page_of(request)
        shelf = archive.Shelf(
            source=asking.one_of(request, "source", Source.values),
            tag=asking.text(request, "report_tag"),
            day=asking.day(request, "report_date"),
        )
        rows = shapes.BatchRowSerializer(shelf.page(offset, limit), many=True).data
        return Response(asking.page(rows, shelf.total(), limit=limit, offset=offset, name="batches"))

    @extend_schema(parameters=[_KEY, _INCLUDE_ITEMS], responses=shapes.BatchSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One brief with its text and articles."""
        return Response(shapes.BatchSerializer(_batch(pk), include_items=_include_items(request)).data)

    @extend_schema(
        parameters=[_KEY, _FORMAT],
        responses={
            (200, kind.partition(";")[0]): OpenApiTypes.STR if kind.startswith("text/") else OpenApiTypes.BINARY
            for kind in downloads.CONTENT_TYPES.values()
        },
    )
    @action(detail=True)
    def download(self, request: Request, pk: str) -> HttpResponseBase:
        """The brief as a file; txt is the stored text, byte for byte."""
        file_format = asking.one_of(request, "format", downloads.FORMATS, default="txt")
        batch = _batch(pk)
        file = downloads.file_of(batch, str(file_format))
        record(actor=request.user, action="brief.downloaded", target=batch, after={"format": file_format})
        answer = HttpResponse(file.content, content_type=file.content_type)
        answer["Content-Disposition"] = content_disposition_header(True, file.name) or ""
        answer["Cache-Control"] = "no-store"
        return answer

    def get_renderers(self) -> Any:
        return [*super().get_renderers(), *([AnyType()] if self.action == "download" else [])]


def _batch(key: str) -> archive.Batch:
    try:
        return archive.batch_of(key)
    except archive.NoSuchBatch as error:
        raise Http404 from error


def _include_items(request: Request) -> bool:
    return asking.flag(request, "include_items", default=True)
