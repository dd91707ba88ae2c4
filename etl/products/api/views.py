"""Routes of product sync: parse, call, report."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from access.api.downloads import DownloadMixin
from api.conditional import ConditionalRetrieve
from api.idempotency import idempotent
from api.views import OpsView
from etl.products import services
from etl.products.api import filters
from etl.products.api import serializers as shapes
from etl.products.api.pagination import FeedPagination
from etl.products.models import Product, ProductChange, ProductSyncRun, RejectedRow, Watermark
from etl.products.staging import configured_source
from runs.api import RunViewSet
from runs.querysets import database_now


class ProductRunViewSet(RunViewSet):
    """Runs of product sync."""

    queryset = ProductSyncRun.objects.with_stalled().select_related("requested_by").defer("keys").order_by("-id")
    serializer_class = shapes.ProductRunSerializer
    filterset_class = filters.ProductRunFilter
    permissions = {
        "list": "etl.view_productsyncrun",
        "retrieve": "etl.view_productsyncrun",
        "create": "etl.run_product_sync",
        "cancel": "etl.run_product_sync",
    }

    @extend_schema(request=shapes.SyncRequestSerializer, responses={202: shapes.ProductRunSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Ask for a product sync; 409 `run-active` while one is open."""
        wish = shapes.SyncRequestSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        run = services.request_sync(wish.as_options(), actor=request.user, requested_by=request.user)
        return self.accepted(run)


class ProductViewSet(ConditionalRetrieve, mixins.ListModelMixin, DownloadMixin):
    """Products as the source last told them."""

    queryset = Product.objects.order_by("id")
    serializer_class = shapes.ProductSerializer
    filterset_class = filters.ProductFilter
    plural = "products"
    download_fields = shapes.ProductSerializer.Meta.fields
    permissions = {
        "list": "etl.view_product",
        "retrieve": "etl.view_product",
        "download": "etl.export_product",
    }


class ProductChangeViewSet(mixins.ListModelMixin, DownloadMixin):
    """The change log: newest first by page, or with `?cursor=` the change feed, oldest first."""

    queryset = ProductChange.objects.order_by("-id")
    serializer_class = shapes.ProductChangeSerializer
    filterset_class = filters.ProductChangeFilter
    pagination_class = FeedPagination
    plural = "changes"
    download_fields = shapes.ProductChangeSerializer.Meta.fields
    permissions = {"list": "etl.view_productchange", "download": "etl.export_productchange"}


class RejectedRowViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, DownloadMixin):
    """Source rows that could not be taken over."""

    queryset = RejectedRow.objects.order_by("-id")
    serializer_class = shapes.RejectedRowSerializer
    filterset_class = filters.RejectedRowFilter
    plural = "rejectedRows"
    download_fields = tuple(name for name in shapes.RejectedRowSerializer.Meta.fields if name != "reason_text")
    permissions = {
        "download": "etl.export_rejectedrow",
        "list": "etl.view_rejectedrow",
        "retrieve": "etl.view_rejectedrow",
        "retry": "etl.retry_rejectedrow",
    }

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Read the row from the source again now; the answer tells whether it is resolved."""
        services.retry_rejected_rows([self.get_object().pk], actor=request.user)
        return Response(self.get_serializer(self.get_object()).data)


class WatermarkView(OpsView):
    """How far the source has been read."""

    permissions = {"get": "etl.view_watermark"}

    @extend_schema(responses=shapes.WatermarkSerializer)
    def get(self, request: Request) -> Response:
        """The watermark of the configured source."""
        source = configured_source().table
        row = Watermark.objects.filter(table_name=source).first()
        facts = {
            "source": source,
            "position": Watermark.objects.position_of(source),
            "moved_at": row and row.updated_at,
            "now": database_now(),
        }
        return Response(shapes.WatermarkSerializer(facts).data)
