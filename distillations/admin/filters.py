"""What the list of distillations can be narrowed to; each is found by an index."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from distillations.models import Distillation
from distillations.usage import known_drift


class ConditionFilter(admin.SimpleListFilter):
    """A choice between conditions."""

    conditions: ClassVar[dict[str, tuple[Any, Q]]]  # value → label, condition

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value, label) for value, (label, _condition) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = self.conditions.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


class UsedFilter(ConditionFilter):
    title = gettext_lazy("used")
    parameter_name = "used"
    conditions: ClassVar = {
        "never": (gettext_lazy("never"), Q(usage_count=0)),
        "few": (gettext_lazy("1 to 3 times"), Q(usage_count__gte=1, usage_count__lte=3)),
        "many": (gettext_lazy("4 times or more"), Q(usage_count__gte=4)),
    }


class TopicsFilter(ConditionFilter):
    title = gettext_lazy("topics")
    parameter_name = "topics"
    conditions: ClassVar = {
        "some": (gettext_lazy("has topics"), Q(topic_count__gt=0)),
        "none": (gettext_lazy("has none"), Q(topic_count=0)),
    }


class RecommendedFilter(admin.SimpleListFilter):
    title = gettext_lazy("recommended")
    parameter_name = "recommended"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("Only these"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(pk__in=Distillation.objects.recommended_ids()) if self.value() == "yes" else queryset


class DriftedFilter(admin.SimpleListFilter):
    """In large tables those that the last check found and that still are."""

    title = gettext_lazy("drifted")
    parameter_name = "drifted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("Only these"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in={drift.distillation_id for drift in known_drift()})
