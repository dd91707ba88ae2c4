"""Briefs as programs see them."""

from __future__ import annotations

from typing import Any

from django.db import models
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from api.serializers import JSONField, Serializer
from exports import archive
from exports.api.asking import PageSerializer
from exports.choices import Source


class BatchItemSerializer(Serializer):
    """One article of a brief, with what it looked like then."""

    id = serializers.IntegerField()
    article_id = serializers.CharField()
    section = serializers.CharField()
    order_index = serializers.IntegerField()
    final_summary = serializers.CharField()
    metadata = JSONField()


class BatchRowSerializer(Serializer):
    """A brief in a list."""

    batch_id = serializers.SerializerMethodField(help_text="The table and the id there, as in manual-12.")
    source = serializers.SerializerMethodField()
    report_tag = serializers.CharField()
    report_date = serializers.DateField()
    sequence_no = serializers.IntegerField()
    generated_by = serializers.CharField()
    template = serializers.CharField()
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    item_count = serializers.IntegerField()

    def get_batch_id(self, batch: archive.Batch) -> str:
        """What to ask for it by."""
        return archive.key_of(batch)

    @extend_schema_field(serializers.ChoiceField(Source.choices))
    def get_source(self, batch: archive.Batch) -> str:
        """Which line made it."""
        return archive.source_of(batch)


class BatchSerializer(BatchRowSerializer):
    """A brief whole; its payload is exactly what is stored."""

    export_payload = JSONField()
    content = serializers.CharField(help_text="The newest text.")
    items = serializers.SerializerMethodField(help_text="Left out with includeItems=false.")

    def __init__(self, *args: Any, include_items: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.include_items = include_items

    @extend_schema_field(BatchItemSerializer(many=True))
    def get_items(self, batch: archive.Batch) -> Any:
        """In printed order."""
        items: models.QuerySet = archive.items_of(batch)
        return BatchItemSerializer(items, many=True).data if self.include_items else []


@extend_schema_serializer(many=False)  # it is the page, though what answers it is called list
class BatchPageSerializer(PageSerializer):
    """A page of briefs, newest first."""

    batches = BatchRowSerializer(many=True)
