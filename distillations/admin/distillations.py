"""Distillations, least used first: how often each was used, and the deeds on one or on many."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from desk.admin import OpsModelAdmin
from desk.badges import badge, number
from desk.bulk import bulk_action
from desk.object_actions import Context, object_action
from distillations import keywords, usage
from distillations.admin.filters import DriftedFilter, RecommendedFilter, TopicsFilter, UsedFilter
from distillations.admin.forms import ByHandForm, KeywordForm
from distillations.admin.history import HistoryScreen
from distillations.admin.listed import (
    SourcesList,
    dressed,
    drift_mark,
    recommended_mark,
    task_form_for,
    usage_meter,
)
from distillations.admin.spread import SpreadScreen
from distillations.admin.tools import ToolScreens
from distillations.admin.topics import TopicScreens
from distillations.models import Distillation, DistillationUsage, Topic
from distillations.querysets import SHORTEST_PART


def uses_of(rows: QuerySet) -> int:
    """How often these distillations were used, by the rows and not by the counters."""
    return DistillationUsage.objects.filter(distillation__in=rows.order_by().values("pk")).count()


def ask_to_reset(rows: QuerySet) -> str:
    """What is asked before the uses of these distillations are forgotten."""
    count = uses_of(rows)
    text = ngettext(
        "%(count)s record of use will be deleted. The articles stay; the distillations count from 0 again.",
        "%(count)s records of use will be deleted. The articles stay; the distillations count from 0 again.",
        count,
    )
    return text % {"count": number(count)}


def ask_to_delete(rows: QuerySet) -> str:
    """What is asked before these distillations are deleted."""
    topics = Topic.objects.filter(distillation__in=rows.order_by().values("pk")).count()
    return _(
        "%(topics)s topics and %(uses)s records of use go with them. Articles and tasks stay and keep the keyword."
    ) % {"topics": number(topics), "uses": number(uses_of(rows))}


def ask_to_reset_one(distillation: Distillation) -> str:
    """ask_to_reset() of one."""
    return ask_to_reset(Distillation.objects.filter(pk=distillation.pk))


@admin.register(Distillation)
class DistillationAdmin(SpreadScreen, ToolScreens, HistoryScreen, TopicScreens, OpsModelAdmin):
    list_display = (
        "keyword",
        "standing",
        "used",
        "reserved",
        "topics",
        "provider_mark",
        "last_used",
        "created",
    )
    list_filter = (UsedFilter, TopicsFilter, "provider", RecommendedFilter, DriftedFilter)
    ordering = ("usage_count", "created_at", "id")
    sortable_by = ()
    search_fields = ("keyword",)  # shows the box; get_search_results asks the queryset
    search_help_text = gettext_lazy("The beginning of a keyword, or from 3 characters on any part of it.")
    actions = ("create_task",)
    bulk_actions: ClassVar = ["reset_selected", "delete_selected"]
    object_actions: ClassVar = ["reset_one"]
    download_fields = (
        "id", "keyword", "provider", "usage_count", "reserved_count", "topic_count", "usage_reset_at", "created_at",
    )  # fmt: skip
    list_empty_text = gettext_lazy("Distil a keyword into the questions people ask, or write them yourself.")
    change_list_template = "distillations/distillations.html"
    change_form_template = "distillations/distillation.html"
    menu_place = 0
    readonly_fields = (
        "standing",
        "used",
        "reserved",
        "topics",
        "provider_mark",
        "last_used",
        "created",
        "usage_reset_at",
    )

    class Media:
        css: ClassVar = {"all": ["distillations/distillations.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SourcesList]:
        return SourcesList

    def changelist_view(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        # there are two ways to a new one, so the template names both instead of Django's "Add"
        ways = {"has_add_permission": False, "may_add": self.has_add_permission(request)}
        return super().changelist_view(request, ways | (extra_context or {}))

    def get_search_results(self, request: HttpRequest, rows: Any, text: str) -> tuple[Any, bool]:
        if not text.strip():
            return rows, False
        if len(text.strip()) < SHORTEST_PART and request.method == "GET":
            note = _("“%(word)s” is short: only beginnings of keywords were searched for it.")
            messages.info(request, note % {"word": text.strip()})
        return rows.search(text), False

    # --- the page of one ---------------------------------------------------------------------------

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        return next(iter(dressed([found.pk])), None) if found else None

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{"form": KeywordForm if obj else ByHandForm} | kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("keyword", "questions")}),)
        return (
            (None, {"fields": ("keyword", "provider_mark", "standing")}),
            (gettext_lazy("Use"), {"fields": ("used", "reserved", "topics", "last_used", "usage_reset_at", "created")}),
        )

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        if (distillation := context.get("original")) is not None:
            context["topics"] = distillation.topics.least_used_first()
            context["may_change"] = self.has_change_permission(request, distillation)
            if request.user.has_perm("distillations.run_generation") and distillation.topic_count:
                context["task_form"] = task_form_for(distillation.pk)
        if kwargs.get("add"):
            context["title"] = _("New distillation by hand")
        context["show_save_and_add_another"] = False
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Distillation, form: Any, change: bool) -> None:
        if not change:
            cleaned = form.cleaned_data
            made = keywords.distil_by_hand(cleaned["keyword"], cleaned["questions"], actor=request.user)
            obj.pk, obj._state.adding = made.pk, False
            return
        try:
            keywords.rename_keyword(obj, form.cleaned_data["keyword"], actor=request.user)
        except Distillation.DoesNotExist as error:
            raise Http404 from error

    def delete_model(self, request: HttpRequest, obj: Distillation) -> None:
        keywords.delete_distillations([obj.pk], actor=request.user)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[Any], dict[str, int], set[str], list]:
        """Numbers instead of Django's tree of everything: there may be thousands of uses."""
        ids = [each.pk for each in objs]
        going: dict[type[Model], int] = {
            Distillation: len(ids),
            Topic: Topic.objects.filter(distillation__in=ids).count(),
            DistillationUsage: DistillationUsage.objects.filter(distillation__in=ids).count(),
        }
        counts = {str(model._meta.verbose_name_plural): count for model, count in going.items()}
        return [str(each) for each in objs], counts, set(), []

    # --- deeds --------------------------------------------------------------------------------------

    @object_action(
        label=gettext_lazy("Reset its use"),
        permission="distillations.reset_usage",
        confirm=ask_to_reset_one,
        tone="danger",
    )
    def reset_one(self, request: HttpRequest, distillation: Distillation) -> None:
        self._tell_forgotten(request, usage.reset_usage(distillation, actor=request.user))

    @bulk_action(
        label=gettext_lazy("Reset use"),
        permission="distillations.reset_usage",
        confirm=ask_to_reset,
        breakdown="provider",
        tone="danger",
    )
    def reset_selected(self, request: HttpRequest, rows: QuerySet) -> int:
        ids = list(rows.values_list("pk", flat=True))
        self._tell_forgotten(request, usage.reset_usage_of(ids, actor=request.user))
        return len(ids)

    @bulk_action(
        label=gettext_lazy("Delete"),
        permission="distillations.delete_distillation",
        confirm=ask_to_delete,
        breakdown="provider",
        tone="danger",
    )
    def delete_selected(self, request: HttpRequest, rows: QuerySet) -> int:
        return len(keywords.delete_distillations(rows.values_list("pk", flat=True), actor=request.user))

    def _tell_forgotten(self, request: HttpRequest, count: int) -> None:
        text = ngettext("%(count)s use was forgotten.", "%(count)s uses were forgotten.", count)
        self.message_user(request, text % {"count": number(count)})

    def has_write_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("distillations.run_generation")

    @admin.action(description=gettext_lazy("Write articles from it"), permissions=["write"])
    def create_task(self, request: HttpRequest, rows: QuerySet) -> HttpResponse | None:
        chosen = list(rows.order_by("pk")[:2])
        if len(chosen) != 1:
            self.message_user(request, _("Choose one distillation to write articles from."), messages.WARNING)
            return None
        if not chosen[0].topic_count:
            text = _("“%(keyword)s” has no topics, so no article can be written from it.")
            self.message_user(request, text % {"keyword": chosen[0].keyword}, messages.WARNING)
            return None
        return redirect(task_form_for(chosen[0].pk) or request.get_full_path())

    # --- columns ------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("standing"))
    def standing(self, distillation: Any) -> SafeString | str:
        marks = [mark for mark in (recommended_mark(distillation), drift_mark(distillation)) if mark]
        return format_html_join(" ", "{}", ((mark,) for mark in marks)) or "—"

    @admin.display(description=gettext_lazy("used"))
    def used(self, distillation: Any) -> SafeString | str:
        return usage_meter(distillation)

    @admin.display(description=gettext_lazy("reserved"))
    def reserved(self, distillation: Distillation) -> str:
        return number(distillation.reserved_count)

    @admin.display(description=gettext_lazy("topics"))
    def topics(self, distillation: Distillation) -> SafeString | str:
        if not distillation.topic_count:
            return badge(_("none"), "muted", _("No article can be written from it."))
        return number(distillation.topic_count)

    @admin.display(description=gettext_lazy("provider"))
    def provider_mark(self, distillation: Distillation) -> str:
        return distillation.get_provider_display()

    @admin.display(description=gettext_lazy("last used"))
    def last_used(self, distillation: Any) -> str:
        used_at = distillation.last_used_at
        return date_format(timezone.localtime(used_at), "SHORT_DATETIME_FORMAT") if used_at else "—"

    @admin.display(description=gettext_lazy("created at"))
    def created(self, distillation: Distillation) -> str:
        return date_format(timezone.localtime(distillation.created_at), "SHORT_DATETIME_FORMAT")
