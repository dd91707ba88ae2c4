"""Query parameters that filter: declared, camelCase, and refused when they make no sense."""

import re
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as drf_filters
from django_filters.utils import translate_validation
from drf_spectacular.utils import extend_schema_field
from rest_framework.request import Request

from api.names import camel
from api.problems import ParameterError

_WHOLE = re.compile(r"-?[0-9]{1,19}")


class _TrueOrFalse(forms.Field):
    default_error_messages = {"invalid": _("It must be true or false.")}
    widget = forms.TextInput

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        if value not in ("true", "false"):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return value == "true"


class BooleanFilter(django_filters.BooleanFilter):
    """`?x=true`; django-filter's own takes `?x=maybe` for no filter at all."""

    field_class = _TrueOrFalse


class _WholeNumber(forms.Field):
    default_error_messages = {"invalid": _("It must be a whole number that fits 64 bits.")}
    widget = forms.TextInput

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        if not _WHOLE.fullmatch(value) or not -(2**63) <= int(value) < 2**63:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return int(value)


@extend_schema_field({"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1})
class WholeNumberFilter(django_filters.NumberFilter):
    """`?runId=7`; django-filter's own takes `1.5` for 1, and finds nothing beyond a bigint without a word."""

    field_class = _WholeNumber


class FilterSet(drf_filters.FilterSet):
    """Filters declared in snake_case become camelCase parameters: `used_before` → `?usedBefore=`."""

    FILTER_DEFAULTS = {
        **drf_filters.FilterSet.FILTER_DEFAULTS,
        models.BooleanField: {"filter_class": BooleanFilter},
        models.IntegerField: {"filter_class": WholeNumberFilter},
        models.AutoField: {"filter_class": WholeNumberFilter},
    }

    @classmethod
    def get_filters(cls) -> dict[str, django_filters.Filter]:
        return {camel(name): each for name, each in super().get_filters().items()}


class FilterBackend(drf_filters.DjangoFilterBackend):
    """Names the parameter, not a body field, when a filter refuses its value."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> QuerySet:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            raise ParameterError(translate_validation(filterset.errors).detail)
        return filterset.qs

    def parameters(self, view: Any) -> set[str]:
        """The query parameters the view's filters understand."""
        return {
            name if not suffixes else f"{name}_{suffix}"
            for name, each in self._filters(view).items()
            for suffixes in [getattr(each.field.widget, "suffixes", ())]
            for suffix in suffixes or [""]
        }

    def repeatable(self, view: Any) -> set[str]:
        """Those of them that take a list."""
        filters = self._filters(view)
        return {name for name, each in filters.items() if getattr(each.field.widget, "allow_multiple_selected", False)}

    def _filters(self, view: Any) -> dict[str, django_filters.Filter]:
        filterset_class = self.get_filterset_class(view, view.get_queryset())
        return {} if filterset_class is None else filterset_class.base_filters
