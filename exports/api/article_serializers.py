"""Articles coming in, as programs send them."""

from __future__ import annotations

from rest_framework import serializers

from api.serializers import JSONField, Serializer
from exports.ingest import ROWS_AT_MOST


class ArticlesSerializer(Serializer):
    """Articles by their own ids. Each is checked by itself, so a fault of one keeps no other out."""

    articles = serializers.ListField(
        child=JSONField(), min_length=1, max_length=ROWS_AT_MOST, help_text="See docs/api.md for the fields."
    )
    replace = serializers.BooleanField(default=False, help_text="Empty the fields an article does not name.")


class RowFaultSerializer(Serializer):
    """What is wrong with one row."""

    row = serializers.IntegerField(help_text="From zero.")
    pointer = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()
    article_id = serializers.CharField(help_text="Where it could be read.")


class IngestedSerializer(Serializer):
    """What became of the articles."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    errors = RowFaultSerializer(many=True, help_text="Of the rows that were left out.")
