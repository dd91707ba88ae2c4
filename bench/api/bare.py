"""The limit: a page of as many rows as DRF gives it, every column, newest first, without total, roles or filters."""

from typing import Any

from django.db import models
from django.urls import include, path
from rest_framework import generics, permissions, serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from bench.api import BARE
from distillations.models import Distillation, DistillationUsage, GeneratedArticle, GenerationTask
from etl.models import Product, ProductChange
from exports.models import Article


def view_of(model: type[models.Model]) -> Any:
    """A list view of DRF's own over this table."""

    class Bare(serializers.ModelSerializer):
        class Meta:
            pass

    Bare.Meta.model, Bare.Meta.fields = model, "__all__"  # type: ignore[attr-defined]

    class BareView(generics.GenericAPIView):
        queryset = model._default_manager.order_by("-pk")
        serializer_class = Bare
        authentication_classes = [SessionAuthentication]
        permission_classes = [permissions.IsAuthenticated]
        renderer_classes = [JSONRenderer]
        throttle_classes: list[Any] = []
        schema = None

        def get(self, request: Request) -> Response:
            rows = self.get_queryset()[: int(request.query_params["pageSize"])]
            return Response(self.get_serializer(rows, many=True).data)

    return BareView.as_view()


TABLES = {
    "distillations": Distillation,
    "distillation_usage": DistillationUsage,
    "generation_tasks": GenerationTask,
    "articles": GeneratedArticle,
    "products": Product,
    "product_change_log": ProductChange,
    "news_articles": Article,
}

urlpatterns = [
    *(path(f"{BARE[1:]}/{table}", view_of(model)) for table, model in TABLES.items()),
    path("", include("config.urls")),
]
