"""All routes of this app, below /api/v1/ and /api/."""

from django.urls import include, path

urlpatterns = [
    path("etl/", include("etl.products.api.urls")),
    path("etl/", include("etl.documents.api.urls")),
]
