"""What administrators do to all distillations: repair their counters, forget every use."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from desk.badges import number
from desk.object_actions import Context
from distillations import usage
from distillations.admin.forms import TotalForm
from distillations.admin.links import page_of
from distillations.admin.listed import COUNTER_LABELS
from distillations.models import Distillation, DistillationUsage, Topic
from distillations.usage import Drift
from runs.errors import Conflict, Contention

DRIFTS_SHOWN = 200
LIST = "admin:distillations_distillation_changelist"
MAY_REPAIR, MAY_RESET = "distillations.repair_usage", "distillations.reset_usage"
ask_or_do = require_http_methods(["GET", "HEAD", "POST"])


class ToolScreens(ModelAdmin):
    """Each shows first what it would do; only its form does it."""

    def get_urls(self) -> list[URLPattern]:
        def mine(route: str, view: Any) -> URLPattern:
            name = f"distillations_distillation_{route.strip('/').replace('-', '_')}"
            return path(route, self.admin_site.admin_view(ask_or_do(view)), name=name)

        return [mine("repair/", self.repair_view), mine("reset-all/", self.reset_all_view), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        tools = [
            (_("Repair"), "repair", MAY_REPAIR),
            (_("Reset all"), "reset_all", MAY_RESET),
        ]
        links = [
            (label, reverse(f"admin:distillations_distillation_{name}"))
            for label, name, permission in tools
            if request.user.has_perm(permission)
        ]
        return super().changelist_view(request, {"tools": links} | (extra_context or {}))

    def repair_view(self, request: HttpRequest) -> HttpResponse:
        """What a repair would change; by POST it is done."""
        if not request.user.has_perm(MAY_REPAIR):
            raise PermissionDenied
        if request.method == "POST":
            return self._repair(request)
        drifts = usage.repair_usage(actor=request.user, dry_run=True).drifts
        context = {
            "title": _("Repair the counters"),
            "drifts": list(shown(drifts[:DRIFTS_SHOWN])),
            "count": len(drifts),
            "hidden": max(0, len(drifts) - DRIFTS_SHOWN),
        }
        return self._page(request, "distillations/repair.html", context)

    def _repair(self, request: HttpRequest) -> HttpResponse:
        try:
            fixed = usage.repair_usage(actor=request.user).fixed
        except Contention as error:
            self.message_user(request, str(error.message), messages.ERROR)
            return redirect(request.path)
        text = ngettext("%(count)s counter was repaired.", "%(count)s counters were repaired.", fixed)
        nothing = _("Every counter equals its rows; there was nothing to repair.")
        self.message_user(request, text % {"count": number(fixed)} if fixed else nothing)
        return redirect(LIST)

    def reset_all_view(self, request: HttpRequest) -> HttpResponse:
        """How many uses there are; whoever types that number has them forgotten."""
        if not request.user.has_perm(MAY_RESET):
            raise PermissionDenied
        form = TotalForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid() and self._reset_all(request, form):
            return redirect(LIST)
        context = {
            "title": _("Reset the use of all distillations"),
            "form": form,
            "total": DistillationUsage.objects.count(),
            "distillations": Distillation.objects.count(),
        }
        return self._page(request, "distillations/reset_all.html", context, status=422 if form.is_bound else 200)

    def _reset_all(self, request: HttpRequest, form: TotalForm) -> bool:
        try:
            forgotten = usage.reset_all_usage(expected_total=form.cleaned_data["total"], actor=request.user)
        except (Conflict, Contention) as error:
            form.add_error("total", str(error.message))
            return False
        text = ngettext("%(count)s use was forgotten.", "%(count)s uses were forgotten.", forgotten)
        self.message_user(request, text % {"count": number(forgotten)})
        return True

    def _page(self, request: HttpRequest, template: str, context: Context, status: int = 200) -> HttpResponse:
        base = {**self.admin_site.each_context(request), "opts": self.opts, "back": reverse(LIST)}
        return TemplateResponse(request, template, base | context, status=status)


def shown(drifts: list[Drift]) -> list[dict[str, Any]]:
    """Drifts as a table tells them, with the names of what they belong to."""
    names = dict(
        Distillation.objects.filter(pk__in={each.distillation_id for each in drifts}).values_list("pk", "keyword")
    )
    topics = {each.id for each in drifts if each.counter == "topic_usage_count"}
    questions = dict(Topic.objects.filter(pk__in=topics).values_list("pk", "question"))
    return [
        {
            "keyword": names.get(each.distillation_id, f"#{each.distillation_id}"),
            "url": page_of(Distillation, each.distillation_id),
            "topic": questions.get(each.id, "") if each.counter == "topic_usage_count" else "",
            "counter": COUNTER_LABELS[each.counter],
            "old": each.old_count,
            "new": each.new_count,
        }
        for each in drifts
    ]
