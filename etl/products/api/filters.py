"""Query parameters of the lists."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from msgspec import DecodeError

from api.codec import decode
from api.filters import BooleanFilter, FilterSet, WholeNumberFilter
from etl.products.models import Product, ProductChange, ProductSyncRun, RejectedRow
from etl.products.querysets import ProductQuerySet


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


class TagsField(forms.CharField):
    """Words between commas."""

    default_error_messages = {"invalid": _("It must name at least one tag.")}

    def to_python(self, value: Any) -> list[str] | None:
        text = super().to_python(value)
        if text in self.empty_values:
            return None
        tags = [tag.strip() for tag in text.split(",") if tag.strip()]
        if not tags:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return tags


@extend_schema_field({"type": "string", "pattern": "[^,\\s]", "description": "Comma-separated; all of them."})
class TagsFilter(django_filters.Filter):
    """`?tags=a,b`: rows that carry every one of the tags."""

    field_class = TagsField


@extend_schema_field({"type": "string", "contentMediaType": "application/json", "description": "A JSON object."})
class JSONObjectFilter(django_filters.Filter):
    """`?attributes={"size":"M"}`: rows whose column contains the object."""

    field_class = JSONObjectField


class ProductFilter(FilterSet):
    """Filters of the product list."""

    q = django_filters.CharFilter(
        method="search", label="Words: each a brand, the beginning of a SKU, or (3 characters) a part of a name."
    )
    price_min = django_filters.NumberFilter(method="priced")
    price_max = django_filters.NumberFilter(method="priced")
    tags = TagsFilter(method="with_tags")
    attributes = JSONObjectFilter(method="with_attributes")
    changed_since = django_filters.IsoDateTimeFilter(method="changed")

    class Meta:
        model = Product
        fields = ("brand_code", "sku", "on_sale", "is_deleted")

    def search(self, products: ProductQuerySet, name: str, value: str) -> QuerySet:
        """Products that every word fits."""
        return products.search(value)

    def priced(self, products: ProductQuerySet, name: str, value: Decimal) -> QuerySet:
        """Both bounds at once, since together they are one range of the index."""
        least, most = self.form.cleaned_data["priceMin"], self.form.cleaned_data["priceMax"]
        is_done = name == "price_max" and least is not None  # with the lower bound
        return products if is_done else products.priced(least=least, most=most)

    def with_tags(self, products: ProductQuerySet, name: str, value: list[str]) -> QuerySet:
        """Products that carry every one of the tags."""
        return products.with_tags(value)

    def with_attributes(self, products: ProductQuerySet, name: str, value: dict[str, Any]) -> QuerySet:
        """Products that have all of these attributes."""
        return products.with_attributes(value)

    def changed(self, products: ProductQuerySet, name: str, value: datetime) -> QuerySet:
        """Products written at that moment or later."""
        return products.changed_since(value)


class ProductChangeFilter(FilterSet):
    """Filters of the change log."""

    product_id = WholeNumberFilter("product_id")
    run_id = WholeNumberFilter("run_id")
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
        fields = ("reason", "field", "brand", "sku")
