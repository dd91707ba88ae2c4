"""All routes of this app, below /api/v1/ and /api/."""

from django.urls import include, path

from api.routing import Router
from exports.api import articles, batches, reviews, runs

router = Router()
router.register("manual_filter", reviews.ManualFilterViewSet, basename="manual-filter")
router.register("exports/batches", batches.BatchViewSet, basename="export-batch")
router.register("exports/runs", runs.ExportRunViewSet, basename="export-run")

urlpatterns = [
    path("exports/articles", articles.ArticlesView.as_view(), name="export-articles"),
    path("exports/latest", batches.LatestView.as_view(), name="export-latest"),
    path("", include(router.urls)),
]
