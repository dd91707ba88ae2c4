"""Routes of product sync."""

from django.urls import include, path

from api.routing import Router
from etl.products.api import views

router = Router()
router.register("product-runs", views.ProductRunViewSet, basename="product-run")
router.register("products", views.ProductViewSet, basename="product")
router.register("product-changes", views.ProductChangeViewSet, basename="product-change")
router.register("rejected-rows", views.RejectedRowViewSet, basename="rejected-row")

urlpatterns = [
    path("watermark", views.WatermarkView.as_view(), name="watermark"),
    path("", include(router.urls)),
]
