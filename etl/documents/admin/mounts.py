"""Mounts: what stands where, what stood there before, and the way back."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from desk.admin import ReadOnlyAdmin
from desk.badges import json_block
from desk.object_actions import Context, object_action
from etl.documents import mounting
from etl.documents.admin.mounting import state_mark
from etl.documents.admin.uploading import MAY_MOUNT
from etl.documents.admin.visible import TOLD, VisibleAdmin, in_words, link_to, page_of
from etl.documents.models import ETLTask, TableMount

PREVIOUS_SHOWN = 20_000  # characters


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("standing", _("Mounted")), ("ended", _("Un-mounted or replaced"))]

    def queryset(self, request: HttpRequest, mounts: Any) -> QuerySet:
        if self.value() == "standing":
            return mounts.standing()
        return mounts.ended() if self.value() == "ended" else mounts


@admin.register(TableMount)
class TableMountAdmin(VisibleAdmin, ReadOnlyAdmin):
    """Mounts into tables that the user sees."""

    list_display = ("place", "table_name", "state", "table_version", "mounted_by", "mounted_at")
    list_filter: ClassVar[Any] = (StateFilter, "mounted_at")
    search_fields = ("key__exact",)
    search_help_text = gettext_lazy("The whole key")
    ordering = ("-id",)
    object_actions: ClassVar = ["unmount"]
    list_empty_text = gettext_lazy("Open a completed document task and press “Mount”.")
    menu_place = 2
    fieldsets = (
        (None, {"fields": ("table_link", "place", "state", "task_link")}),
        (
            gettext_lazy("Course"),
            {"fields": ("mounted_by", "mounted_at", "on_conflict", "table_version", "unmounted_at", "superseded_at")},
        ),
        (gettext_lazy("What stood there"), {"fields": ("stood_there",)}),
    )
    readonly_fields = ("table_link", "place", "state", "task_link", "stood_there")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        mounts = super().get_queryset(request).select_related("table", "mounted_by")
        return mounts.defer("previous", "table__data")

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """With what the page may show of its task: a member of the table's project need not see the task's."""
        mount = super().get_object(request, *args, **kwargs)
        if mount is not None:
            tasks = ETLTask.objects.visible_to(request.user).only("filename")
            mount.task_seen = tasks.filter(pk=mount.task_id).first()
        return mount

    def page_context(self, mount: TableMount) -> Context:
        return {"title": mount.path}

    @object_action(
        label=gettext_lazy("Un-mount"),
        permission=MAY_MOUNT,
        confirm=gettext_lazy("It is taken out of the table, and what stood there before is put back."),
        tone="danger",
        when=lambda mount: mount.is_standing,
    )
    def unmount(self, request: HttpRequest, mount: TableMount) -> HttpResponse:
        try:
            version = mounting.unmount(mount, actor=request.user)
        except TOLD as refusal:
            self.message_user(request, in_words(refusal), messages.ERROR)
        else:
            done = _("%(path)s was un-mounted; the table has version %(version)s.")
            self.message_user(request, done % {"path": mount.path, "version": version})
        back = {"table": mount.table, "task": mount.task_seen}.get(request.GET.get("back", ""))  # type: ignore[attr-defined]
        return redirect(f"{page_of(back)}#mounts" if back else page_of(mount))

    @admin.display(description=gettext_lazy("place"))
    def place(self, mount: TableMount) -> SafeString:
        return format_html("<code>{}</code>", mount.path)

    @admin.display(description=gettext_lazy("table"))
    def table_name(self, mount: TableMount) -> str:
        return mount.table.name

    @admin.display(description=gettext_lazy("table"))
    def table_link(self, mount: TableMount) -> SafeString | None:
        return link_to(mount.table)

    @admin.display(description=gettext_lazy("task"))
    def task_link(self, mount: Any) -> SafeString | str | None:
        return link_to(mount.task_seen) or f"#{mount.task_id}"

    @admin.display(description=gettext_lazy("state"))
    def state(self, mount: TableMount) -> SafeString:
        return state_mark(mount)

    @admin.display(description=gettext_lazy("what stood there"))
    def stood_there(self, mount: TableMount) -> SafeString | str:
        if not mount.had_previous:
            return _("Nothing.")
        shown = json_block(mount.previous)
        if shown is None:
            return "null"
        return shown if len(shown) <= PREVIOUS_SHOWN else _("Too long to be shown.")
