"""Query parameters of the lists."""

from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from msgspec import DecodeError

from api.codec import decode
from api.filters import BooleanFilter, FilterSet
from etl.products.models import Product, ProductChange, ProductSyncRun, RejectedRow


class JSONObjectField(forms.CharField):
    """Text of a JSON object."""

    default_error_messages = {"invalid": _("It must be a JSON object.")}

    def to_python(self, value: Any) -> dict[str, Any] | None:
        text = super().to_python(value)
        if text in self.empty_values:
            return None
        try:
            parsed = decode(text)
        except (DecodeError, RecursionError) as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error
        if not isinstance(parsed, dict):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return parsed


class JSONObjectFilter(django_filters.Filter):
    """`?attributes={"size":"M"}`: rows whose column contains the object."""

    field_class = JSONObjectField


class ProductFilter(FilterSet):
    """Filters of the product list."""

    price_min = django_filters.NumberFilter("price", lookup_expr="gte")
    price_max = django_filters.NumberFilter("price", lookup_expr="lte")
    tags = django_filters.CharFilter(method="with_tags", label="Comma-separated; all of them.")
    attributes = JSONObjectFilter("attributes", lookup_expr="contains", label="A JSON object to contain.")
    changed_since = django_filters.IsoDateTimeFilter("updated_at", lookup_expr="gte")

    class Meta:
        model = Product
        fields = ("brand_code", "sku", "on_sale", "is_deleted")

    def with_tags(self, products: QuerySet, name: str, value: str) -> QuerySet:
        """Products that carry every one of the tags."""
        return products.filter(tags__contains=[tag.strip() for tag in value.split(",") if tag.strip()])


class ProductChangeFilter(FilterSet):
    """Filters of the change log."""

    product_id = django_filters.NumberFilter("product_id")
    run_id = django_filters.NumberFilter("run_id")
    since = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    before = django_filters.NumberFilter("id", lookup_expr="lt", label="Only ids below this one, to browse far back.")

    class Meta:
        model = ProductChange
        fields = ("brand_code", "sku", "change_type")


class ProductRunFilter(FilterSet):
    """Filters of the runs."""

    class Meta:
        model = ProductSyncRun
        fields = ("status", "dry_run", "mode")


class RejectedRowFilter(FilterSet):
    """Filters of the rejected rows."""

    resolved = BooleanFilter("resolved_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = RejectedRow
        fields = ("reason", "brand", "sku")
