"""Mount a result: where, under which key, and what would change there, before it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from desk.badges import badge
from desk.diffs import FieldDiff, Line, compare
from desk.object_actions import Context
from etl.documents import mounting
from etl.documents.admin.uploading import MAY_MOUNT, PointerField
from etl.documents.admin.visible import TOLD, TableChoice, in_words, page_of
from etl.documents.choices import DocumentStatus, OnConflict
from etl.documents.models import ETLTask, Table, TableMount
from etl.documents.mounting import Mounted, Preview
from etl.documents.refusals import NotThere, PlaceRefused
from runs.errors import Conflict

MOUNTS_SHOWN = 50
MOST_LINES = 2_000  # of both sides; comparing more would take long


class MountForm(forms.Form):
    def __init__(self, task: ETLTask, user: Any, data: Any) -> None:
        super().__init__(data)
        self.task = task
        self.fields["table"] = TableChoice(user, label=_("Table"), empty_label=_("Choose a table"))
        self.fields["pointer"] = PointerField(
            label=_("In the object"),
            help_text=_("A JSON pointer such as /sources/files; empty for the root. The object must be there already."),
        )
        self.fields["key"] = forms.CharField(
            label=_("Key"),
            required=False,
            strip=False,
            widget=forms.TextInput(attrs={"placeholder": mounting.key_of(task)}),
            help_text=_("Empty: the name of the file without its extension."),
        )
        self.fields["on_conflict"] = forms.ChoiceField(
            label=_("If the key is taken"), choices=OnConflict.choices, widget=forms.RadioSelect, required=False
        )

    @classmethod
    def usual(cls) -> dict[str, str]:
        """What stands in the form at first."""
        return {"on_conflict": OnConflict.ERROR}

    def clean_on_conflict(self) -> OnConflict:
        return OnConflict(self.cleaned_data["on_conflict"] or OnConflict.ERROR)

    def as_place(self) -> dict[str, Any]:
        """The cleaned answers in the service's words."""
        given = self.cleaned_data
        return {"table_id": given["table"].pk, "pointer": given["pointer"], "key": given["key"] or None}


@dataclass(frozen=True)
class Sides:
    """What stands there and what would, side by side."""

    preview: Preview
    diff: FieldDiff | None  # None when they are too long to be compared

    @property
    def is_new(self) -> bool:
        return self.preview.before is None


class Wish:
    """A wish to mount as it was typed: its form, and what would come of it."""

    def __init__(self, task: ETLTask, user: Any, asked: QueryDict) -> None:
        self.task, self.user = task, user
        self.is_asked = "table" in asked
        self.form = MountForm(task, user, asked if self.is_asked else MountForm.usual() | asked.dict())
        self.sides = self._looked_at() if self.is_asked and self.form.is_valid() else None
        if not self.is_asked:
            self.form.errors.clear()  # an empty form is no mistake

    def _looked_at(self) -> Sides | None:
        try:
            preview = mounting.preview(self.task, **self.form.as_place(), user=self.user)
        except TOLD as refusal:
            self.tell(refusal)
            return None
        return Sides(preview, _compared(preview))

    def tell(self, refusal: Exception) -> None:
        """Why not, beside the field it is about."""
        field = None
        if isinstance(refusal, PlaceRefused):
            field = "key" if refusal.slug.startswith("key-") else "pointer"
        elif isinstance(refusal, NotThere) and refusal.slug == "table-not-found":
            field = "table"
        elif isinstance(refusal, Conflict) and refusal.slug == "path-conflict":
            field = "key"
        self.form.add_error(field, in_words(refusal))

    @property
    def seen(self) -> str:
        """What one has looked at: this version of a table, this place in it."""
        if self.sides is None:
            return ""
        preview = self.sides.preview
        return f"{self.form.cleaned_data['table'].pk}:{preview.table_version}:{preview.path}"

    @property
    def may_go_on(self) -> bool:
        """Whether mounting would do something, as far as one can see."""
        if self.sides is None or self.form.errors:
            return False
        return not self.sides.preview.is_conflict or self.form.cleaned_data["on_conflict"] != OnConflict.ERROR


class MountScreens(ModelAdmin):
    """The page that mounts a task's result, and what is mounted of it."""

    def get_urls(self) -> list[URLPattern]:
        return [self.screen("<int:pk>/mount/", self.mount_view, "mount"), *super().get_urls()]  # type: ignore[attr-defined]

    def mounts_context(self, request: HttpRequest, task: ETLTask) -> Context:
        """What the task's page says of its mounts."""
        may = request.user.has_perm(MAY_MOUNT)
        is_completed = task.status == DocumentStatus.COMPLETED
        mine = TableMount.objects.visible_to(request.user).filter(task=task).order_by("-pk")
        return {
            "mount_url": reverse("admin:etl_etltask_mount", args=[task.pk]) if may and is_completed else "",
            "mounts": history(mine, may_unmount=may),
        }

    def mount_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Look as often as one likes; mount what was looked at, and nothing else."""
        task = self.found(request, pk)  # type: ignore[attr-defined]
        if not request.user.has_perm(MAY_MOUNT):
            raise PermissionDenied
        if task.status != DocumentStatus.COMPLETED:
            self.message_user(request, _("Only what is completed can be mounted."), messages.WARNING)
            return redirect(page_of(task))
        is_sent = request.method == "POST"
        wish = Wish(task, request.user, request.POST if is_sent else request.GET)
        if not is_sent or "check" in request.POST or wish.sides is None:
            return self._mount_page(request, wish, status=422 if wish.form.errors else 200)
        if request.POST.get("seen") != wish.seen:
            note = _("This is not what you looked at: the wish or the table has changed. Look again.")
            self.message_user(request, note, messages.WARNING)
            return self._mount_page(request, wish, status=409)
        try:
            mounted = mounting.mount(
                task,
                **wish.form.as_place(),
                on_conflict=wish.form.cleaned_data["on_conflict"],
                user=request.user,
                actor=request.user,
            )
        except TOLD as refusal:
            wish.tell(refusal)
            return self._mount_page(request, wish, status=409 if isinstance(refusal, Conflict) else 422)
        self._say_what_was_done(request, mounted)
        return redirect(page_of(task) + "#mounts")

    def _mount_page(self, request: HttpRequest, wish: Wish, *, status: int) -> HttpResponse:
        if request.headers.get("x-part"):  # the script asks for what changes only, and shows it whatever it says
            return TemplateResponse(request, "etl/mount_check.html", {"wish": wish})
        context = self.page(  # type: ignore[attr-defined]
            request,
            title=_("Mount %(file)s") % {"file": wish.task.filename},
            wish=wish,
            task=wish.task,
            has_tables=Table.objects.visible_to(request.user).exists(),
            back=page_of(wish.task),
        )
        return TemplateResponse(request, "etl/mount.html", context, status=status)

    def _say_what_was_done(self, request: HttpRequest, mounted: Mounted) -> None:
        facts = {"path": mounted.path, "version": mounted.table_version}
        if mounted.created:
            said = _("It is mounted at %(path)s; the table has version %(version)s.")
            if mounted.replaced:
                said = _("It is mounted at %(path)s in place of what stood there; the table has version %(version)s.")
            self.message_user(request, said % facts, messages.SUCCESS)
        elif mounted.mount_id is not None:
            self.message_user(request, _("Just this is mounted at %(path)s already; nothing was written.") % facts)
        else:
            said = _("Something else stands at %(path)s; it was left there.")
            self.message_user(request, said % facts, messages.WARNING)


def history(mounts: Any, *, may_unmount: bool) -> list[dict[str, Any]]:
    """Mounts, newest first, each with its table and the address of its un-mounting while it stands."""
    found = mounts.defer("previous").select_related("mounted_by", "table")
    found = found.only("id", "task_id", "pointer", "key", "table_id", "table__name", "table_version", "had_previous",
                       "mounted_at", "unmounted_at", "superseded_at", "mounted_by__username")  # fmt: skip
    return [
        {
            "mount": mount,
            "url": page_of(mount),
            "table_url": page_of(mount.table),
            "state": state_mark(mount),
            "unmount_url": reverse("admin:etl_tablemount_do_unmount", args=[mount.pk])
            if may_unmount and mount.is_standing
            else "",
        }
        for mount in found[:MOUNTS_SHOWN]
    ]


def state_mark(mount: TableMount) -> SafeString:
    """Whether it stands."""
    if mount.unmounted_at is not None:
        return badge(_("un-mounted"), "muted")
    return badge(_("replaced"), "neutral") if mount.superseded_at is not None else badge(_("mounted"), "ok")


def _compared(preview: Preview) -> FieldDiff | None:
    if preview.before is None:
        return FieldDiff(preview.path, [], [Line(line, "new") for line in preview.after.splitlines()])
    if preview.before.count("\n") + preview.after.count("\n") > MOST_LINES:
        return None
    return FieldDiff(preview.path, *compare(preview.before, preview.after))
