"""Serializers declared in snake_case that speak camelCase and take nothing they do not know.

Only declared names are translated; the inside of JSON data is never touched and never becomes a float.
"""

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.utils import html

from api import codec
from api.names import camel

_VALIDATE = "validate_"


class DeclaredNames(serializers.Serializer):
    """The renaming itself, done on the fields, so that drf-spectacular sees the same names."""

    default_error_messages = {
        "unknown-field": _("There is no such field."),
        "read-only": _("This field cannot be set."),
        "two-spellings": _("The field is given twice, with different values."),
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let DRF find `validate_usage_count` for the field it now knows as `usageCount`."""
        super().__init_subclass__(**kwargs)
        for name, method in list(vars(cls).items()):
            if name.startswith(_VALIDATE) and callable(method):
                setattr(cls, _VALIDATE + camel(name.removeprefix(_VALIDATE)), method)

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        self._spellings = {name: camel(name) for name in fields}  # Python's → ours
        for name, field in fields.items():
            _keep_source(field, name)
        return {camel(name): field for name, field in fields.items()}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        try:
            return super().run_validation(data)
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict) and self.fields:  # validate() names fields as Python does
                detail = {self._spellings.get(key, key): value for key, value in error.detail.items()}
                raise serializers.ValidationError(detail) from error
            raise

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)  # which refuses it
        renamed, errors = self._rename(data)
        try:
            value = super().to_internal_value(renamed)
        except serializers.ValidationError as error:
            wrong: Any = error.detail
            raise serializers.ValidationError({**wrong, **errors}) from error
        if errors:
            raise serializers.ValidationError(errors)
        return value

    def _rename(self, data: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, list[ErrorDetail]]]:
        """Bring either spelling to ours; what is unknown, read-only or contradictory becomes an error."""
        fields = self.fields
        # a form's values come in lists, which MultiValueDict.get would cut to the last
        values = dict(data.lists()) if isinstance(data, MultiValueDict) else data
        renamed: dict[str, Any] = {}
        errors: dict[str, list[ErrorDetail]] = {}
        for key, value in values.items():
            name = self._spellings.get(key, key)
            if name not in fields:
                errors[key] = [self._refusal("unknown-field")]
            elif fields[name].read_only:
                errors[name] = [self._refusal("read-only")]
            elif name in renamed and renamed[name] != value:
                errors[name] = [self._refusal("two-spellings")]
            else:
                renamed[name] = value
        return MultiValueDict(renamed) if html.is_html_input(data) else renamed, errors

    def _refusal(self, code: str) -> ErrorDetail:
        return ErrorDetail(str(self.error_messages[code]), code=code)


def _keep_source(field: serializers.Field, name: str) -> None:
    """Let a field still read and write what its Python name says."""
    if isinstance(field, serializers.SerializerMethodField):
        field.method_name = field.method_name or f"get_{name}"
    elif field.source is None and camel(name) != name:
        field.source = name


class JSONField(serializers.JSONField):
    """JSON as it came: decimals exact, keys untouched."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            if getattr(data, "is_json_string", False):  # from a form
                return codec.decode(data)
            codec.encode(data)
        except (TypeError, ValueError):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class Serializer(DeclaredNames):
    """A wish or an answer that is no single model."""


class ModelSerializer(DeclaredNames, serializers.ModelSerializer):
    """A model's row, its fields in the order of Meta.fields."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.JSONField: JSONField,
    }
