"""Roadmaps: what there is to learn, how far its contents are, what was learnt; delete."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from desk.admin import ReadOnlyAdmin
from desk.badges import badge, meter, number, status_badge
from desk.object_actions import Context, object_action
from llm.choices import GeneratorKind
from llm.generator import generator_label
from roadmaps.admin.concepts import ConceptPagesMixin
from roadmaps.admin.learning import learnt_by
from roadmaps.admin.links import task_url
from roadmaps.admin.new_task import MAY_RUN
from roadmaps.admin.owned import OwnerFilter
from roadmaps.admin.stepper import is_writing
from roadmaps.admin.tasks import say_if_short
from roadmaps.admin.trees import rows_of, tree_of
from roadmaps.choices import ContentKind, Strategy
from roadmaps.models import Concept, Roadmap, RoadmapTask
from roadmaps.services import RetryWish, delete_roadmap, retry_roadmap
from runs.errors import Conflict, Contention


@admin.register(Roadmap)
class RoadmapAdmin(ConceptPagesMixin, ReadOnlyAdmin):
    list_display = (
        "title_shown", "hours", "weeks", "complete", "failed", "learnt", "written_by", "owner", "created_at",
    )  # fmt: skip
    list_filter = (OwnerFilter, "created_at")
    list_select_related = ("owner",)
    ordering = ("-created_at", "roadmap_id")
    search_fields = ("title",)  # shows the box; get_search_results asks the queryset
    search_help_text = gettext_lazy("The id, or a part of the title.")
    object_actions: ClassVar = ["retry_failed", "delete"]
    list_empty_text = gettext_lazy("A roadmap task makes the first one: say what you want to learn.")
    change_form_template = "roadmaps/roadmap.html"
    fieldsets = (
        (
            None,
            {"fields": ("roadmap_id", "total_estimated_hours", "recommended_completion_weeks", "owner", "created_at")},
        ),
    )

    class Media:
        css: ClassVar = {"all": ["roadmaps/roadmaps.css"]}

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).with_contents(request.user).with_designer()

    def get_search_results(self, request: HttpRequest, roadmaps: Any, text: str) -> tuple[Any, bool]:
        say_if_short(request, text)
        return roadmaps.search(text), False

    def get_list_select_related(self, request: HttpRequest) -> Any:
        return self.list_select_related

    def changelist_view(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        if request.user.has_perm(MAY_RUN):
            extra_context = {"new_url": reverse("admin:roadmaps_roadmaptask_add"), **(extra_context or {})}
        return super().changelist_view(request, extra_context)

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        roadmap = context.get("original")
        if roadmap is not None:
            tasks = list(RoadmapTask.objects.filter(roadmap=roadmap).order_by("-created_at")[:10])
            is_busy = any(is_writing(task) for task in tasks)
            concepts = Concept.objects.filter(roadmap=roadmap).in_order()
            rows = rows_of(concepts, is_writing=is_busy, learnt=learnt_by(request.user, roadmap.pk))
            context |= {
                "stages": tree_of(roadmap.framework, rows),
                "rationale": roadmap.framework.get("design_rationale", ""),
                "written_by": self.written_by(roadmap),
                "complete": self.complete(roadmap),
                "learnt": self.learnt(roadmap),
                "concepts_in_all": len(rows),
                "tasks": [
                    (task, task_url(task.pk), status_badge(task.status, task.get_status_display())) for task in tasks
                ],
                "kinds": ContentKind.choices,
            }
        return super().render_change_form(request, context, *args, **kwargs)

    # --- Buttons -------------------------------------------------------------------------------------

    @object_action(
        label=gettext_lazy("Retry what failed"),
        permission=MAY_RUN,
        confirm=gettext_lazy("Only the contents that failed are made again."),
        tone="info",
        when=lambda roadmap: roadmap.failed_count > 0,
    )
    def retry_failed(self, request: HttpRequest, roadmap: Roadmap) -> HttpResponse | None:
        task = RoadmapTask.objects.filter(roadmap=roadmap).order_by("-created_at").first()
        if task is None:
            self.message_user(request, _("This roadmap has no task that could make its contents."), messages.WARNING)
            return None
        try:
            retry_roadmap(task, RetryWish(strategy=Strategy.CONTENT), actor=request.user)
        except (Conflict, Contention) as refusal:
            self.message_user(request, str(refusal.message), messages.WARNING)
            return None
        return redirect(task_url(task.pk))

    @object_action(
        label=gettext_lazy("Delete"),
        permission="roadmaps.delete_roadmap",
        confirm=gettext_lazy("Its concepts and what was learnt in it go with it; the task that made it stays."),
        tone="danger",
    )
    def delete(self, request: HttpRequest, roadmap: Roadmap) -> HttpResponse | None:
        try:
            delete_roadmap(roadmap, actor=request.user)
        except (Conflict, Contention) as refusal:
            self.message_user(request, str(refusal.message), messages.WARNING)
            return None
        self.message_user(request, _("“%(roadmap)s” was deleted.") % {"roadmap": roadmap})
        return redirect("admin:roadmaps_roadmap_changelist")

    # --- Cells ---------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("title"))
    def title_shown(self, roadmap: Roadmap) -> SafeString:
        return format_html('{}<span class="under">{}</span>', str(roadmap), roadmap.pk)

    @admin.display(description=gettext_lazy("hours"))
    def hours(self, roadmap: Roadmap) -> str:
        return number(roadmap.total_estimated_hours)

    @admin.display(description=gettext_lazy("weeks"))
    def weeks(self, roadmap: Roadmap) -> str:
        return number(roadmap.recommended_completion_weeks)

    @admin.display(description=gettext_lazy("complete concepts"))
    def complete(self, roadmap: Any) -> SafeString | str:
        return meter(roadmap.complete_count, roadmap.concept_count) if roadmap.concept_count else "—"

    @admin.display(description=gettext_lazy("failed"))
    def failed(self, roadmap: Any) -> SafeString | str:
        return badge(number(roadmap.failed_count), "danger") if roadmap.failed_count else "—"

    @admin.display(description=gettext_lazy("learnt by me"))
    def learnt(self, roadmap: Any) -> SafeString | str:
        return meter(roadmap.learnt_count, roadmap.concept_count) if roadmap.concept_count else "—"

    @admin.display(description=gettext_lazy("written by"))
    def written_by(self, roadmap: Any) -> SafeString | str:
        """Who designed the tree."""
        if not roadmap.designer_kind:
            return "—"
        tone = "warning" if roadmap.designer_kind == GeneratorKind.RULES else "neutral"
        return badge(generator_label(roadmap.designer_kind, roadmap.designer_model), tone)
