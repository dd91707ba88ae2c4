"""Document tasks: the list with what Redis knows of each, the page that moves, and everything one may do to one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Exists, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from desk.badges import badge
from desk.bulk import bulk_action
from desk.lists import OpsChangeList
from desk.object_actions import Context, object_action
from etl.documents import hot, storage
from etl.documents.admin.mounting import MountScreens
from etl.documents.admin.results import files_of, result_of
from etl.documents.admin.stages import BEGINS_AT, stations, what_to_do
from etl.documents.admin.task_filters import (
    STANDING,
    FailedAtFilter,
    MountedFilter,
    OwnerFilter,
    ProjectFilter,
    StatusFilter,
)
from etl.documents.admin.uploading import UploadScreens
from etl.documents.admin.visible import TOLD, VisibleAdmin, in_words, link_to
from etl.documents.choices import DocumentStatus, Stage
from etl.documents.models import DocumentStep, ETLTask, Table
from etl.documents.parsed import Unreadable
from etl.documents.services import cancel_document, retry_document
from etl.documents.texts import text_of
from llm.models import LLMCall
from runs.admin import RunAdmin
from runs.errors import Conflict

POLL_PATH = "/api/v1/etl/tasks/{}"
BULK_AT_MOST = 500
MAY_RUN = "etl.run_document"


class OverlaidList(OpsChangeList):
    """A page of tasks, those at work with what their workers said last: one round trip for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = overlaid(self.result_list)


def overlaid(tasks: Iterable[ETLTask]) -> list[ETLTask]:
    """The same tasks, those at work as they stand right now."""
    shown = list(tasks)
    known = hot.overlay(shown)
    for task in shown:
        if (told := known.get(task.pk)) is not None:
            task.status, task.progress, task.told = told.status, told.percent, told  # type: ignore[attr-defined]
    return shown


@admin.register(ETLTask)
class DocumentTaskAdmin(MountScreens, UploadScreens, VisibleAdmin, RunAdmin):
    """Tasks of projects that the user sees."""

    list_display = (
        "filename", "project_and_rule", "status_mark", "stage", "size_shown", "tries", "mounted", "created_at",
    )  # fmt: skip
    list_display_links = ("filename",)
    list_filter: ClassVar[Any] = (
        StatusFilter, FailedAtFilter, ProjectFilter, OwnerFilter, "created_at", MountedFilter
    )  # fmt: skip
    list_select_related = ("project",)
    search_fields = ("filename",)
    search_help_text = gettext_lazy("A part of the file name.")
    list_empty_text = gettext_lazy("Press “Upload documents” to have the first ones read.")
    bulk_actions: ClassVar = ["retry_all", "cancel_all"]
    object_actions: ClassVar = ["cancel_run", "retry", "retry_reading", "retry_shaping"]
    download_fields = (
        "id", "filename", "media", "size", "sha256", "project", "rule_name", "status", "error_stage", "error",
        "error_text", "attempt", "retries", "requested_by", "created_at", "started_at", "finished_at",
    )  # fmt: skip
    change_list_template = "etl/document_tasks.html"
    change_form_template = "etl/document_task.html"
    menu_place = 0
    poll_path = POLL_PATH
    cancel_permission = MAY_RUN
    fieldsets = (
        (
            gettext_lazy("Asked for"),
            {"fields": ("requested_by", "created_at", "project_link", "rule_link", "mount_wish")},
        ),
        (gettext_lazy("The file"), {"fields": ("filename", "media", "size_shown", "sha256")}),
        (gettext_lazy("Course"), {"fields": ("started_at", "finished_at", "tries", "remote_id")}),
    )
    readonly_fields = ("project_link", "rule_link", "mount_wish", "size_shown", "tries")

    class Media:
        css: ClassVar = {"all": ["etl/documents.css"]}

    def get_urls(self) -> list[URLPattern]:
        view = require_safe(self.file_view)
        return [self.screen("<int:pk>/files/<str:name>", view, "file"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        tasks = super().get_queryset(request).defer("result", "metadata")  # a result may have millions of characters
        return tasks.annotate(is_mounted=Exists(STANDING))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OverlaidList

    # --- deeds -----------------------------------------------------------------------------------

    @object_action(
        label=gettext_lazy("Retry"),
        permission=MAY_RUN,
        confirm=gettext_lazy("It begins again where it failed; what was done before is used again."),
        tone="info",
        when=lambda task: task.status in (DocumentStatus.FAILED, DocumentStatus.CANCELLED),
    )
    def retry(self, request: HttpRequest, task: ETLTask) -> None:
        self._retry(request, task, None)

    @object_action(
        label=gettext_lazy("Read again"),
        permission=MAY_RUN,
        confirm=gettext_lazy("The file is read and its text shaped anew. What is mounted stays until you mount again."),
        when=lambda task: not task.is_open,
    )
    def retry_reading(self, request: HttpRequest, task: ETLTask) -> None:
        self._retry(request, task, Stage.PARSE)

    @object_action(
        label=gettext_lazy("Shape again"),
        permission=MAY_RUN,
        confirm=gettext_lazy("The text that was read is shaped anew. What is mounted stays until you mount again."),
        when=lambda task: not task.is_open and task.steps.filter(step=Stage.PARSE).usable().exists(),
    )
    def retry_shaping(self, request: HttpRequest, task: ETLTask) -> None:
        self._retry(request, task, Stage.TRANSFORM)

    def _retry(self, request: HttpRequest, task: ETLTask, stage: Stage | None) -> None:
        try:
            retry_document(task, from_stage=stage, actor=request.user)
        except TOLD as refusal:
            self.message_user(request, in_words(refusal), messages.WARNING)
        else:
            self.message_user(request, _("%(file)s is queued again.") % {"file": task.filename})

    @bulk_action(
        label=gettext_lazy("Retry"),
        permission=MAY_RUN,
        confirm=gettext_lazy("Each that failed or was cancelled begins again where it stopped; others are left alone."),
        breakdown="status",
    )
    def retry_all(self, request: HttpRequest, tasks: Any) -> int:
        ended = tasks.filter(status__in=(DocumentStatus.FAILED, DocumentStatus.CANCELLED))
        return self._each(ended, lambda task: retry_document(task, actor=request.user))

    @bulk_action(
        label=gettext_lazy("Cancel"),
        permission=MAY_RUN,
        confirm=gettext_lazy("Those that have not ended end here; others are left alone."),
        breakdown="status",
        tone="danger",
    )
    def cancel_all(self, request: HttpRequest, tasks: Any) -> int:
        return self._each(tasks.open(), lambda task: cancel_document(task, actor=request.user))

    def _each(self, tasks: Any, deed: Any) -> int:
        """Do it to each; how many did not say no. Too many at once would hold their rows for too long."""
        chosen = list(tasks.order_by("pk")[: BULK_AT_MOST + 1])
        if len(chosen) > BULK_AT_MOST:
            raise ValidationError(_("At most %(most)s at once; narrow the filter.") % {"most": BULK_AT_MOST})
        done = 0
        for task in chosen:
            with contextlib.suppress(Conflict):
                deed(task)
                done += 1
        return done

    # --- the page --------------------------------------------------------------------------------

    def page_context(self, task: ETLTask) -> Context:
        steps = list(DocumentStep.objects.of(task).in_order().defer("input", "output"))
        present = [step for step in steps if step.retry == task.retries]
        is_mounted = bool(task.is_mounted)  # type: ignore[attr-defined]
        text = text_of(task)
        overlaid([task])
        return super().page_context(task) | {
            "title": task.filename,
            "told": getattr(task, "told", None),
            "stations": stations(task, present, is_mounted=is_mounted),
            "live_stations": {
                status: stations(task, present, status=status, is_mounted=is_mounted) for status in BEGINS_AT
            }
            if task.is_open
            else {},
            "steps": told_apart(steps) if len(steps) > len(present) else [],
            "advice": what_to_do(task),
            "error_stage": task.get_error_stage_display(),
            "result": result_of(task, text),
            "files": files_of(task, text),
        }

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        if (task := context.get("original")) is not None:
            context |= {"model_calls": model_calls(request, task)} | self.mounts_context(request, task)
        return super().render_change_form(request, context, *args, **kwargs)

    def file_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse | FileResponse:
        """The upload, its text or its JSON, always as a download: nobody's HTML is ever a page of ours."""
        task = self.found(request, pk)
        wanted = {each.name: each for each in files_of(task, text_of(task))}.get(name)
        if wanted is None:
            raise Http404
        try:
            content = storage.path_of(wanted.key).open("rb")
        except (Unreadable, OSError) as error:
            raise Http404(_("The file is gone.")) from error
        answer = FileResponse(
            content, as_attachment=True, filename=wanted.download_name, content_type=wanted.content_type
        )
        answer["X-Content-Type-Options"] = "nosniff"
        return answer

    # --- columns ---------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("project and rule"))
    def project_and_rule(self, task: ETLTask) -> SafeString | str:
        if not task.rule_name:
            return task.project.name
        return format_html('{}<span class="under">{}</span>', task.project.name, task.rule_name)

    @admin.display(description=gettext_lazy("rule"))
    def rule_link(self, task: ETLTask) -> SafeString | str:
        if task.rule is not None:
            return link_to(task.rule) or ""
        return _("%(rule)s (deleted)") % {"rule": task.rule_name} if task.rule_name else _("None: the text as it is")

    @admin.display(description=gettext_lazy("project"))
    def project_link(self, task: ETLTask) -> SafeString | None:
        return link_to(task.project)

    @admin.display(description=gettext_lazy("mount asked for"))
    def mount_wish(self, task: ETLTask) -> SafeString | str:
        table = Table.objects.only("name").filter(pk=task.mount_table_id).first()
        if table is None:
            return self.empty_value_display
        return format_html("{} <code>{}</code>", link_to(table), task.mount_pointer or '""')

    @admin.display(description=gettext_lazy("stage"))
    def stage(self, task: ETLTask) -> SafeString | str | None:
        """Where it is, or where it failed."""
        if task.error_stage and not task.is_open:
            return task.get_error_stage_display()
        told = getattr(task, "told", None)
        if told is None:
            return None
        label = Stage(told.stage).label
        if not told.page:
            return format_html("{} · {} %", label, told.percent)
        return format_html("{} · {} / {}", label, told.page, told.pages or "?")

    @admin.display(description=gettext_lazy("size"), ordering="size")
    def size_shown(self, task: ETLTask) -> str:
        return filesizeformat(task.size)

    @admin.display(description=gettext_lazy("attempts"))
    def tries(self, task: ETLTask) -> str:
        """Since it last made progress; and how often a person had it tried again."""
        said = [str(task.attempt)] if task.attempt else []
        if task.retries:
            said.append(ngettext("%(count)s retry", "%(count)s retries", task.retries) % {"count": task.retries})
        return " · ".join(said) or self.empty_value_display

    @admin.display(description=gettext_lazy("mounted"))
    def mounted(self, task: ETLTask) -> SafeString | None:
        return badge(_("mounted"), "ok") if task.is_mounted else None  # type: ignore[attr-defined]


def told_apart(steps: list[DocumentStep]) -> list[DocumentStep]:
    """Steps with their stage in words."""
    for step in steps:
        step.stage_label = Stage(step.step).label if step.step in Stage.values else step.step  # type: ignore[attr-defined]
    return steps


def model_calls(request: HttpRequest, task: ETLTask) -> Context | None:
    """How often a language model was asked for this task, and where that is told; None if it never was."""
    if not request.user.has_perm("llm.view_llmcall"):
        return None
    kind = task._meta.label_lower
    calls = LLMCall.objects.filter(run_kind=kind, run_id=str(task.pk))
    asked = list(calls.order_by("-pk").values("purpose", "prompt_version", "model", "tokens_in", "tokens_out")[:500])
    if not asked:
        return None
    listed = reverse("admin:llm_llmcall_changelist")
    return {
        "count": len(asked),
        "newest": asked[0],
        "tokens": sum((each["tokens_in"] or 0) + (each["tokens_out"] or 0) for each in asked),
        "url": f"{listed}?run_kind__exact={kind}&run_id__exact={task.pk}",
    }
