"""The admin site every operator works in: Django's own, with our home page and order."""

from math import ceil
from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from api.throttles import Login
from desk import home


class PressroomAdminSite(AdminSite):
    site_title = _("Pressroom")
    site_header = _("Pressroom")
    index_title = _("Home")
    site_url = None  # there is no public site to view

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {"home": home.gather(request), **(extra_context or {})})

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """As Django's, but not more often than the rate of an address; the lockout counts by user name."""
        throttle = Login()
        if request.method == "POST" and not throttle.allow_request(request, self):
            refusal = render(request, "429.html", status=429)
            refusal["Retry-After"] = str(ceil(throttle.wait()))
            return refusal
        return super().login(request, extra_context)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """Apps that show something on the home page come first: they are the daily work."""
        listed = super().get_app_list(request, app_label)
        return sorted(listed, key=lambda app: not hasattr(apps.get_app_config(app["app_label"]), "home"))
