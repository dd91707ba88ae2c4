"""What the routes of tasks and articles share: how pages are read, what was deleted."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from api.problems import or_missing as or_missing
from api.serializers import Serializer
from distillations.querysets import BIGGEST_ID

DELETED_AT_ONCE = 1_000  # rows


def key(**options: Any) -> serializers.IntegerField:
    """A field for the id of a row."""
    return serializers.IntegerField(min_value=1, max_value=BIGGEST_ID, **options)


def keys() -> serializers.ListField:
    """A field for the ids of the rows to be deleted at once."""
    return serializers.ListField(child=key(), min_length=1, max_length=DELETED_AT_ONCE)


class PagedByKey(GenericAPIView):
    """A list whose page is found by its keys alone: what else is shown is read for its rows, never for those before."""

    def paginate_queryset(self, queryset: Any) -> Any:
        """The rows of the page with all their annotations; one that goes in between is left out."""
        keys = super().paginate_queryset(queryset.values_list("pk", flat=True)) or []
        shown = self.get_queryset().in_bulk(keys)
        return [shown[key] for key in keys if key in shown]


class DoneSerializer(Serializer):
    """That it was done, and in words what."""

    success = serializers.BooleanField(default=True)
    message = serializers.CharField()


class ClearedSerializer(DoneSerializer):
    """How many rows were deleted."""

    deleted_count = serializers.IntegerField(min_value=0)


class BatchDeletedSerializer(ClearedSerializer):
    """Which rows were deleted: those of the wish that there were."""

    deleted_ids = serializers.ListField(child=serializers.IntegerField())


def deleted(ids: list[int], message: str) -> Response:
    """The answer to a batch delete; `message` has a place for their %(count)s."""
    said = {"success": True, "message": message % {"count": len(ids)}}
    return Response(BatchDeletedSerializer({**said, "deleted_count": len(ids), "deleted_ids": ids}).data)
