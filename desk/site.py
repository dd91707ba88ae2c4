"""The admin site every operator works in: Django's own, with our home page and order."""

from collections.abc import Iterator
from itertools import chain
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

    def get_urls(self) -> list[Any]:
        screens: list[Any] = []
        for model_admin in self._registry.values():
            screens += getattr(model_admin, "screen_urls", list)()
        return screens + super().get_urls()

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """As Django's, but not more often than the rate of an address; the lockout counts by user name."""
        throttle = Login()
        if request.method == "POST" and not throttle.allow_request(request, self):
            refusal = render(request, "429.html", status=429)
            refusal["Retry-After"] = str(ceil(throttle.wait()))
            return refusal
        return super().login(request, extra_context)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """Apps that show something on the home page come first: they are the daily work.

        A ModelAdmin may stand in the menu under a `menu_name` of its own, before others by its `menu_place`, and
        bring screens that list no model: `screen_urls()` mounts them, `menu_screens(request)` names them.
        """
        listed = super().get_app_list(request, app_label)
        for app in listed:
            app["models"] = sorted(
                chain.from_iterable(self._menu_entries(request, entry) for entry in app["models"]),
                key=lambda entry: entry["place"],
            )
        return sorted(listed, key=lambda app: not hasattr(apps.get_app_config(app["app_label"]), "home"))

    def _menu_entries(self, request: HttpRequest, entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
        model_admin = self._registry.get(entry["model"])
        place = getattr(model_admin, "menu_place", 1)
        yield {**entry, "name": getattr(model_admin, "menu_name", entry["name"]), "place": place}
        screens = getattr(model_admin, "menu_screens", None)
        for name, url in screens(request) if screens else ():
            yield {
                "name": name,
                "admin_url": url,
                "object_name": "",
                "add_url": None,
                "view_only": True,
                "place": place,
            }
