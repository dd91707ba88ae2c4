"""`GET …/download?format=csv|xlsx`: the filtered list of a viewset as a file, on record."""

from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from access.services import record
from api.downloads import FORMATS, XLSX_TYPE, Table, download
from api.names import camel
from api.problems import ParameterError
from api.views import OpsViewSet


class AnyType(BaseRenderer):
    """Lets a client ask for the file by any Accept header; the parameter alone decides."""

    media_type = "*/*"
    format = "file"


class DownloadMixin(OpsViewSet):
    """A collection that can be taken along; needs "download" in `permissions`."""

    download_fields: ClassVar[tuple[str, ...]] = ()

    @extend_schema(
        filters=True,
        parameters=[OpenApiParameter("format", str, enum=list(FORMATS), default="csv")],
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, XLSX_TYPE): OpenApiTypes.BINARY},
    )
    @action(detail=False)
    def download(self, request: Request) -> HttpResponseBase:
        """All rows of the filter as a file, in the order of their ids; 400 `too-many-rows` above 50,000 for xlsx."""
        file_format = request.query_params.get("format", "csv")
        if file_format not in FORMATS:
            raise ParameterError({"format": [ErrorDetail(_("It must be csv or xlsx."), code="invalid")]})
        rows = self.filter_queryset(self.get_queryset())
        asked = {name: value for name, value in request.query_params.items() if name != "format"}
        text = ", ".join(f"{name}={value}" for name, value in asked.items())
        table = Table(self.plural, rows, {name: camel(name) for name in self.download_fields}, text)
        answer = download(table, file_format)
        facts = {"format": file_format, "rows": len(table.keys), "filter": asked}
        record(actor=request.user, action=f"{rows.model._meta.model_name}.exported", after=facts)
        return answer

    def get_renderers(self) -> list[Any]:
        return [*super().get_renderers(), *([AnyType()] if self.action == "download" else [])]

    def known_query_params(self, request: Request) -> set[str]:
        known = super().known_query_params(request)
        if self.action == "download":
            backends: Any = self.filter_backends
            known |= {"format"}.union(*(backend().parameters(self) for backend in backends))
        return known
