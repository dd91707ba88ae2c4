"""What belongs to one distillation: its uses in two forms, and its topics."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.pagination import EnvelopePagination
from api.parameters import flag
from distillations import keywords
from distillations.api import serializers as shapes
from distillations.api.found import PARAMETER, OfDistillation
from distillations.models import Distillation, DistillationUsage, GenerationSlot, Topic

INCLUDE_DELETED = OpenApiParameter(
    "includeDeleted", bool, description="Also, behind the uses, articles that were deleted; `total` leaves them out."
)


class HistoryPagination(EnvelopePagination):
    """Uses; with `?includeDeleted=true` what was deleted follows behind the last of them, counted for itself."""

    deleted_total: int | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        rows = super().paginate_queryset(queryset, request, view)
        if not flag(request, "includeDeleted"):
            return rows
        gone = GenerationSlot.objects.without_their_article(view.kwargs["distillation_id"])
        self.deleted_total = gone.count()
        free = self.size - len(rows)
        if free:
            assert self.page is not None
            # exact, not the cached total: a page must begin where the one before it ended
            skipped = max(0, (self.page - 1) * self.size - queryset.count())
            rows += gone[skipped : skipped + free]
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        if self.deleted_total is not None:
            response.data["deletedTotal"] = self.deleted_total
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        envelope = super().get_paginated_response_schema(schema)
        note = "Only there with includeDeleted."
        envelope["properties"]["deletedTotal"] = {"type": "integer", "minimum": 0, "description": note}
        return envelope


class UsagePagination(EnvelopePagination):
    """Uses beside the distillation they are of, which the view names in `of`."""

    of: Distillation

    def get_paginated_response(self, data: Any) -> Response:
        head = {"distillationId": self.of.pk, "keyword": self.of.keyword, "totalUsageCount": self.of.usage_count}
        return Response(head | super().get_paginated_response(data).data)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        envelope = super().get_paginated_response_schema(schema)
        number = {"type": "integer", "minimum": 0}
        head = {"distillationId": number, "keyword": {"type": "string"}, "totalUsageCount": number}
        envelope["properties"] = head | envelope["properties"]
        envelope["required"] = [*head, *envelope["required"]]
        return envelope


class UsageHistoryViewSet(OfDistillation):
    """The articles that were made from a distillation."""

    queryset = DistillationUsage.objects.none()
    serializer_class = shapes.HistorySerializer
    pagination_class = HistoryPagination
    plural = "history"
    permissions = {"list": "distillations.view_distillationusage"}
    extra_query_params = ("includeDeleted",)

    @extend_schema(parameters=[PARAMETER, INCLUDE_DELETED])
    def list(self, request: Request, distillation_id: str) -> Response:
        """Uses, newest first."""
        rows = self.paginate_queryset(DistillationUsage.objects.history_of(self.distillation().pk))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)


class UsageViewSet(OfDistillation):
    """The same for a console that asks for it by another name."""

    queryset = DistillationUsage.objects.none()
    serializer_class = shapes.UsageSerializer
    pagination_class = UsagePagination
    plural = "usageHistory"
    permissions = {"list": "distillations.view_distillationusage"}

    @extend_schema(parameters=[PARAMETER])
    def list(self, request: Request, distillation_id: str) -> Response:
        """Uses, newest first, with the distillation they are of."""
        self.paginator.of = of = self.distillation()  # type: ignore[union-attr]
        rows = self.paginate_queryset(DistillationUsage.objects.history_of(of.pk))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)


class TopicViewSet(OfDistillation):
    """The questions of a distillation."""

    queryset = Topic.objects.none()
    serializer_class = shapes.TopicSerializer
    plural = "topics"
    permissions = {"list": "distillations.view_topic", "destroy": "distillations.change_distillation"}

    @extend_schema(parameters=[PARAMETER])
    def list(self, request: Request, distillation_id: str) -> Response:
        """Its topics, in the order in which articles take them."""
        rows = self.paginate_queryset(self.distillation().topics.least_used_first())
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    @extend_schema(
        parameters=[PARAMETER, OpenApiParameter("id", int, OpenApiParameter.PATH)],
        responses={200: shapes.DoneSerializer},
    )
    def destroy(self, request: Request, distillation_id: str, pk: str) -> Response:
        """Delete one; its uses stay counted, articles keep the question."""
        of = self.distillation()
        ids = of.topics.filter(pk=pk).values_list("pk", flat=True)
        if not keywords.delete_topics(ids, actor=request.user):
            raise Http404
        return Response(shapes.DoneSerializer({"success": True, "message": _("The topic was deleted.")}).data)
