"""All routes of this app, below /api/v1/ and /api/."""

from django.urls import include, path

from api.routing import Router
from exports.api import runs

router = Router()
router.register("runs", runs.ExportRunViewSet, basename="export-run")

urlpatterns = [path("exports/", include(router.urls))]
