"""Distillation runs: have a keyword turned into questions, watch, cancel."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from desk.badges import number
from desk.object_actions import Context
from distillations.admin.forms import RunForm
from distillations.admin.links import page_of
from distillations.keywords import request_distillation
from distillations.models import Distillation, DistillationRun
from runs.admin import RunAdmin, SupersededFilter

POLL_PATH = "/api/v1/distillation/runs/{}"


@admin.register(DistillationRun)
class DistillationRunAdmin(RunAdmin):
    list_display = (
        "name",
        "keyword",
        "topics_asked",
        "status_mark",
        "progress_meter",
        "result",
        "requested_by",
        "started",
        "duration",
    )
    list_display_links = ("name", "keyword")
    list_filter = ("status", SupersededFilter)
    list_select_related = ("requested_by", "superseded_by", "distillation")
    list_empty_text = gettext_lazy("Distil a keyword: a worker asks for its questions and stores both together.")
    change_list_template = "distillations/runs.html"
    change_form_template = "distillations/run.html"
    poll_path = POLL_PATH
    cancel_permission = "distillations.run_distillation"
    form = RunForm
    fieldsets = (
        (gettext_lazy("Asked for"), {"fields": ("keyword", "topics_asked", "requested_by", "created_at")}),
        (gettext_lazy("Course"), {"fields": ("started_at", "finished_at", "result")}),
    )
    readonly_fields = ("topics_asked", "result")

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return request.user.has_perm("distillations.run_distillation")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else ((None, {"fields": ("keyword", "topic_count")}),)

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        if kwargs.get("add"):
            context |= {
                "title": _("Distil a keyword"),
                "show_save_and_continue": False,
                "show_save_and_add_another": False,
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        wording = {"has_add_permission": False, "may_add": self.has_add_permission(request)}
        return super().changelist_view(request, wording | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: DistillationRun, form: Any, change: bool) -> None:
        """Only new ones are saved here; whoever is a run's worker writes the rest."""
        cleaned = form.cleaned_data
        run = request_distillation(
            cleaned["keyword"], cleaned["topic_count"], actor=request.user, requested_by=request.user
        )
        obj.pk, obj._state.adding = run.pk, False

    def response_add(self, request: HttpRequest, obj: DistillationRun, *args: Any) -> HttpResponse:
        self.message_user(request, _("%(run)s is queued.") % {"run": capfirst(str(obj))})
        return redirect("admin:distillations_distillationrun_change", obj.pk)

    def page_context(self, run: DistillationRun) -> Context:
        made = run.distillation
        return super().page_context(run) | {
            "made": made,
            "made_url": page_of(Distillation, made.pk) if made else "",
            "topics": list(made.topics.order_by("id")) if made else [],
        }

    @admin.display(description=gettext_lazy("topics"))
    def topics_asked(self, run: DistillationRun) -> str:
        return number(run.topic_count)

    @admin.display(description=gettext_lazy("distillation"))
    def result(self, run: DistillationRun) -> SafeString | str:
        made = run.distillation
        return format_html('<a href="{}">{}</a>', page_of(Distillation, made.pk), made) if made else "—"
