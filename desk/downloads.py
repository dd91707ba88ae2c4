"""Every list as a file: CSV of any length or a spreadsheet, of just what the list shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_safe

from access.services import record
from api.downloads import FORMATS, Table, TooManyRows, download


class DownloadsMixin(ModelAdmin):
    """A list with `download_fields` can be taken along by who has the permission `export_<model>`."""

    download_fields: tuple[str, ...] = ()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.download_view))
        mine = [path("download.<str:file_format>", view, name=self._download_name)] if self.download_fields else []
        return mine + super().get_urls()  # before Django's catch-all

    @property
    def _download_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_download"

    def may_download(self, request: HttpRequest) -> bool:
        wanted = f"{self.opts.app_label}.export_{self.opts.model_name}"
        return bool(self.download_fields) and self.has_view_permission(request) and request.user.has_perm(wanted)

    def download_links(self, request: HttpRequest, asked: str) -> list[dict[str, str]]:
        """One link per format, carrying the filter of the list."""
        if not self.may_download(request):
            return []
        return [
            {"label": each.upper(), "url": reverse(f"admin:{self._download_name}", args=[each]) + asked}
            for each in FORMATS
        ]

    def download_headings(self) -> Mapping[str, str]:
        """Field → heading."""
        return {name: capfirst(str(self.opts.get_field(name).verbose_name)) for name in self.download_fields}

    def download_view(self, request: HttpRequest, file_format: str) -> HttpResponseBase:
        """The rows of the list with the filter in the address, all of them; on record."""
        if file_format not in FORMATS:
            raise Http404
        if not self.may_download(request):
            raise PermissionDenied
        listed = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        try:
            rows = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return redirect(f"{listed}?e=1")
        asked = {name: values for name, values in request.GET.lists() if name not in ("p", "o", "older", "newer")}
        text = ", ".join(f"{name}={','.join(values)}" for name, values in asked.items())
        table = Table(str(self.opts.model_name), rows, self.download_headings(), text)
        try:
            answer = download(table, file_format)
        except TooManyRows as error:
            self.message_user(request, error.message, messages.WARNING)
            return redirect(f"{listed}?{request.GET.urlencode()}")
        self._on_record(request, {"format": file_format, "rows": len(table.keys), "filter": asked})
        return answer

    def _on_record(self, request: HttpRequest, facts: dict[str, Any]) -> None:
        record(actor=request.user, action=f"{self.opts.model_name}.exported", after=facts)
