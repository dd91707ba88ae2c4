"""Distillation runs as programs see them: ask for one, watch it, cancel it."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.idempotency import idempotent
from api.throttles import ModelWork
from api.views import accepted
from distillations import keywords
from distillations.api import serializers as shapes
from distillations.api.filters import DistillationRunFilter
from distillations.models import DistillationRun
from runs.api import RunViewSet


class DistillationRunViewSet(RunViewSet):
    """Keywords that are being distilled, or were."""

    queryset = DistillationRun.objects.with_stalled().select_related("requested_by").order_by("-id")
    serializer_class = shapes.DistillationRunSerializer
    filterset_class = DistillationRunFilter
    permissions = {
        "list": "distillations.view_distillationrun",
        "retrieve": "distillations.view_distillationrun",
        "distil": "distillations.run_distillation",
        "cancel": "distillations.run_distillation",
    }
    throttles = {"distil": ModelWork}

    @extend_schema(request=shapes.DistilSerializer, responses={202: shapes.DistillationRunSerializer})
    @idempotent
    def distil(self, request: Request) -> Response:
        """Have a keyword turned into topics; served at `distillation` itself."""
        wish = shapes.DistilSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        run = keywords.request_distillation(**wish.validated_data, actor=request.user, requested_by=request.user)
        shown = self.get_serializer(self.get_queryset().get(pk=run.pk)).data
        return accepted(shown, location=f"{request.path}/runs/{run.pk}")
