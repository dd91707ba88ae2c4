"""Filters of the list of tasks."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from roadmaps.home import STUCK_SECONDS


class StuckFilter(admin.SimpleListFilter):
    """Open, and no step was done for a quarter of an hour."""

    title = gettext_lazy("stuck")
    parameter_name = "stuck"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("15", _("No step done for 15 minutes"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.stuck(STUCK_SECONDS) if self.value() else queryset


class RetriedFilter(admin.SimpleListFilter):
    """Whether somebody had it tried again."""

    title = gettext_lazy("retried")
    parameter_name = "retried"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "yes":
            return queryset.filter(retries__gt=0)
        return queryset.filter(retries=0) if self.value() == "no" else queryset
