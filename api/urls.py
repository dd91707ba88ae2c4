"""All routes of the API: those of every installed app that names its `api_urls`.

Mounted twice, at /api/v1/ and, for clients of the older systems, at /api/.
"""

from django.apps import apps
from django.urls import include, path, re_path

from api.fallbacks import unknown_route
from api.views import DocsView, SchemaView

app_name = "api"

urlpatterns = [
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view(), name="docs"),
    *(path("", include(app.api_urls)) for app in apps.get_app_configs() if hasattr(app, "api_urls")),
    re_path("", unknown_route, name="unknown"),
]
