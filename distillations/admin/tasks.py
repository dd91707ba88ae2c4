"""Generation tasks: ask for articles, watch them being written, retry what failed, cancel, delete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import conditional_page, require_safe

from desk.badges import badge, meter, number
from desk.bulk import bulk_action
from desk.object_actions import Context, object_action
from distillations.admin.links import list_of, named, page_of
from distillations.admin.task_form import NewTaskMixin
from distillations.admin.task_rows import rows_of
from distillations.models import ConversionTarget, Distillation, GeneratedArticle, GenerationTask
from distillations.querysets import SHORTEST_PART, is_key
from distillations.services import cancel_tasks, delete_tasks, is_retriable, retry_generation, retry_tasks
from llm.models import LLMCall
from runs.admin import RunAdmin, SupersededFilter
from runs.api import poll_after
from runs.errors import Conflict

TARGETS_LISTED = 100
NOTHING = "—"  # what the page of an object, unlike a list, does not write for None by itself
NONE = "none"


class TargetFilter(admin.SimpleListFilter):
    """For whom articles are written; the newest targets by name, any other by its id in the address."""

    title = gettext_lazy("conversion target")
    parameter_name = "target"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        newest = ConversionTarget.objects.order_by("-id").values_list("pk", "company_name")[:TARGETS_LISTED]
        return [(NONE, _("None, or deleted")), *((str(pk), name) for pk, name in newest)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        asked = self.value()
        if not asked:
            return queryset
        if asked == NONE:
            return queryset.filter(conversion_target=None)
        return queryset.filter(conversion_target=int(asked)) if is_key(asked) else queryset.none()


@admin.register(GenerationTask)
class GenerationTaskAdmin(NewTaskMixin, RunAdmin):
    list_display = ("name", "status_mark", "keyword_mark", "target_mark", "made", "mode", "requested_by", "created_at")
    list_filter = ("status", SupersededFilter, "mode", TargetFilter, "created_at")
    ordering = ("-created_at", "-id")
    search_fields = ("keyword",)  # shows the box; get_search_results asks the queryset
    search_help_text = gettext_lazy("The id, or a part of the keyword.")
    bulk_actions: ClassVar = ["cancel_all", "retry_all", "delete_all"]
    object_actions: ClassVar = ["retry", "cancel_run", "delete_task"]
    download_fields = (
        "id", "status", "mode", "distillation__keyword", "keyword", "conversion_target_name", "article_setting_name",
        "knowledge_base_name", "requested_count", "generated_count", "created_at", "started_at", "finished_at",
        "error", "error_text", "superseded_by",
    )  # fmt: skip
    list_empty_text = gettext_lazy("Ask for articles with “Add generation task”; a worker writes them one by one.")
    change_form_template = "distillations/task.html"
    cancel_permission = "distillations.run_generation"
    fieldsets = (
        (
            gettext_lazy("Asked for"),
            {
                "fields": (
                    "requested_count", "mode", "keyword_mark", "target_mark", "setting_mark", "base_mark",
                    "requested_by", "created_at",
                )
            },
        ),
        (gettext_lazy("Course"), {"fields": ("generated_count", "started_at", "finished_at")}),
    )  # fmt: skip
    readonly_fields = ("keyword_mark", "target_mark", "setting_mark", "base_mark")

    class Media:
        css: ClassVar = {"all": ["distillations/tasks.css"]}

    def get_queryset(self, request: HttpRequest) -> Any:
        tasks: Any = super().get_queryset(request)
        return tasks.with_keyword()

    def get_search_results(self, request: HttpRequest, tasks: Any, text: str) -> tuple[Any, bool]:
        say_if_short(request, text)
        return tasks.search(text), False

    def download_headings(self) -> dict[str, str]:
        headings = {"distillation__keyword": _("Keyword now"), "keyword": _("Keyword of the task")}
        stored = {"conversion_target_name": _("Conversion target"), "article_setting_name": _("Article setting")}
        headings |= stored | {"knowledge_base_name": _("Knowledge base")}
        return {
            name: headings.get(name) or capfirst(str(self.opts.get_field(name).verbose_name))
            for name in self.download_fields
        }

    # --- The page ------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(conditional_page(self.live_view)))
        return [path("<int:pk>/live/", view, name="distillations_generationtask_live"), *super().get_urls()]

    def poll(self, run: Any) -> str:
        return reverse("admin:distillations_generationtask_live", args=[run.pk]) if run.is_open else ""

    def live_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that moves, as it is now."""
        task = self.shown_or_404(request, pk)
        context = {"original": task, **self.page_context(task)}
        answer = HttpResponse(render_to_string("distillations/task_live.html", context, request))
        answer["Retry-After"] = str(poll_after(task.created_at))
        return answer

    def page_context(self, run: Any) -> Context:
        rows = rows_of(run)
        failed = Counter(row.error_label for row in rows if row.error_label)
        return super().page_context(run) | {
            "rows": rows,
            "reasons": failed.most_common(),
            "made": meter(run.generated_count, run.requested_count),
            "articles_url": list_of(GeneratedArticle, task__id__exact=run.pk),
        }

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        task = context.get("original")
        if task is not None and request.user.has_perm("llm.view_llmcall"):
            calls = LLMCall.objects.of_run(task)
            if asked := calls.count():
                used = calls.aggregate(into=Sum("tokens_in"), out=Sum("tokens_out"))
                context |= {
                    "calls": number(asked),
                    "tokens": number((used["into"] or 0) + (used["out"] or 0)),
                    "calls_url": list_of(LLMCall, q=task.pk),
                }
        return super().render_change_form(request, context, *args, **kwargs)

    @object_action(
        label=gettext_lazy("Retry what is missing"),
        permission="distillations.run_generation",
        confirm=gettext_lazy("A new task for the articles that this one did not make, from what is least used now."),
        tone="info",
        when=is_retriable,
    )
    def retry(self, request: HttpRequest, task: GenerationTask) -> HttpResponse | None:
        try:
            new = retry_generation(task, actor=request.user, requested_by=request.user)
        except Conflict as conflict:
            self.message_user(request, conflict.message, messages.WARNING)
            return None
        self.message_user(request, _("%(task)s takes over what is missing.") % {"task": capfirst(str(new))})
        return redirect(page_of(GenerationTask, new.pk))

    @object_action(
        label=gettext_lazy("Delete"),
        permission="distillations.delete_generationtask",
        confirm=gettext_lazy("Its articles stay and can be read; what they used counts as used less often."),
        tone="danger",
        when=lambda task: task.status not in task.STATUSES.active,
    )
    def delete_task(self, request: HttpRequest, task: GenerationTask) -> HttpResponse | None:
        try:
            delete_tasks([task.pk], actor=request.user)
        except Conflict as conflict:
            self.message_user(request, conflict.message, messages.WARNING)
            return None
        self.message_user(request, _("%(task)s was deleted.") % {"task": capfirst(str(task))})
        return redirect(list_of(GenerationTask))

    # --- Many at once --------------------------------------------------------------------------------

    @bulk_action(
        label=gettext_lazy("Cancel"),
        permission="distillations.run_generation",
        confirm=gettext_lazy("Those that have not ended stop at once; articles that are written stay."),
        breakdown="status",
    )
    def cancel_all(self, request: HttpRequest, tasks: Any) -> int:
        return len(cancel_tasks(keys_of(tasks), actor=request.user))

    @bulk_action(
        label=gettext_lazy("Retry what is missing"),
        permission="distillations.run_generation",
        confirm=gettext_lazy("A new task for each that ended without all of its articles; the others are left alone."),
        breakdown="status",
        tone="info",
    )
    def retry_all(self, request: HttpRequest, tasks: Any) -> int:
        return len(retry_tasks(keys_of(tasks), actor=request.user, requested_by=request.user))

    @bulk_action(
        label=gettext_lazy("Delete"),
        permission="distillations.delete_generationtask",
        confirm=gettext_lazy("Their articles stay and can be read; what they used counts as used less often."),
        breakdown="status",
        tone="danger",
    )
    def delete_all(self, request: HttpRequest, tasks: Any) -> int:
        try:
            return len(delete_tasks(keys_of(tasks), actor=request.user))
        except Conflict as conflict:  # one of them is running, so none is deleted
            raise ValidationError(conflict.message) from conflict

    # --- Cells ---------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("task"))
    def name(self, run: Any) -> str:
        return f"#{run.pk}"

    @admin.display(description=gettext_lazy("keyword"))
    def keyword_mark(self, task: Any) -> SafeString | str:
        if task.is_imported:
            return badge(_("imported articles"), "muted")
        keyword = task.shown_keyword or NOTHING
        return named(keyword, is_deleted=task.is_orphaned, model=Distillation, pk=task.distillation_id)

    @admin.display(description=gettext_lazy("conversion target"))
    def target_mark(self, task: GenerationTask) -> SafeString | str:
        return snapshot(task.conversion_target_name, task.conversion_target_id)

    @admin.display(description=gettext_lazy("article setting"))
    def setting_mark(self, task: GenerationTask) -> SafeString | str:
        return snapshot(task.article_setting_name, task.article_setting_id)

    @admin.display(description=gettext_lazy("knowledge base"))
    def base_mark(self, task: GenerationTask) -> SafeString | str:
        return snapshot(task.knowledge_base_name, task.knowledge_base_id)

    @admin.display(description=gettext_lazy("articles"))
    def made(self, task: GenerationTask) -> SafeString | str:
        return meter(task.generated_count, max(task.requested_count, 1))


def snapshot(name: str, pk: int | None) -> SafeString | str:
    """The name a task was asked for with, said to be deleted when it is."""
    return named(name, is_deleted=pk is None) if name else NOTHING


def keys_of(rows: Any) -> Iterator[int]:
    """The keys of a selection, for a service that takes them."""
    return rows.order_by().values_list("pk", flat=True).iterator()


def say_if_short(request: HttpRequest, text: str) -> None:
    """Tell who searches that a short word is looked for at the beginning only."""
    if request.method == "GET" and any(len(word) < SHORTEST_PART for word in text.split()):
        messages.info(request, _("Words of one or two characters were only searched for at the beginning."))
