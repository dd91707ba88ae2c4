"""How the workshop of documents does, at a glance."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.serializers import Serializer
from api.views import OpsView
from etl.documents import workshop
from etl.documents.choices import WorkshopStatus


class HealthSerializer(Serializer):
    """`degraded` says that no worker serves documents, that the queue is full, or that Redis is away."""

    status = serializers.ChoiceField(WorkshopStatus.choices)
    queue_size = serializers.IntegerField(help_text="Tasks that wait for a worker.")
    task_count = serializers.IntegerField(help_text="All tasks there are; of very many an estimate.")
    worker_count = serializers.IntegerField(help_text="Workers that serve documents.")


class HealthView(OpsView):
    """Numbers of all tasks, whoever sees them."""

    permissions = {"get": "etl.view_etltask"}

    @extend_schema(responses=HealthSerializer)
    def get(self, request: Request) -> Response:
        """Always 200; `status` tells."""
        return Response(HealthSerializer(workshop.health()).data)
