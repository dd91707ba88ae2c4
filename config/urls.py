"""Where each door is mounted."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from desk import health
from watch import views as watch

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", watch.metrics),
    path("api/v1/", include("api.urls")),
    path("api/", include("api.urls", namespace="api-unversioned")),
]

handler400 = "api.fallbacks.bad_request"
handler403 = "api.fallbacks.permission_denied"
handler404 = "api.fallbacks.not_found"
handler500 = "api.fallbacks.server_error"
