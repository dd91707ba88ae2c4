"""Upload documents: many at once, each taken or refused by itself, none taken twice by a double click."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from access.models import AuditEvent
from access.services import record
from etl.documents import pointers
from etl.documents.admin.visible import TOLD, ProjectChoice, RuleChoice, TableChoice, in_words
from etl.documents.choices import DocumentError
from etl.documents.models import ETLTask, Project
from etl.documents.parsing.media import MEDIA_TYPES
from etl.documents.refusals import FileRefused, PlaceRefused
from etl.documents.services import MOST_FILES, DocumentWish, Upload, request_documents
from runs.transactions import atomic_retried

MAY_UPLOAD = "etl.run_document"
MAY_MOUNT = "etl.mount_table"
LONGEST_NONCE = 40


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """Files as they came; whether each may be read is told one by one by the service."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        """The files, 1 to MOST_FILES of them; an empty one passes, to be refused with its name."""
        files = [each for each in (data if isinstance(data, list | tuple) else [data]) if each]
        if not files:
            raise ValidationError(self.error_messages["required"], code="required")
        if len(files) > MOST_FILES:
            raise ValidationError(_("Send 1 to %(most)s files at once.") % {"most": MOST_FILES}, code="too-many")
        return files


class PointerField(forms.CharField):
    """A JSON pointer, blanks and all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "strip": False, "empty_value": ""} | options)

    def clean(self, value: Any) -> str:
        """The pointer, if it is one."""
        pointer: str = super().clean(value)
        try:
            pointers.parse(pointer)
        except PlaceRefused as refusal:
            raise ValidationError(str(refusal.message), code=refusal.slug) from refusal
        return pointer


class UploadForm(forms.Form):
    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"] = ProjectChoice(user, label=_("Project"))
        only = Project.objects.visible_to(user).values_list("pk", flat=True)[:2]
        if len(only) == 1:
            self.fields["project"].initial = only[0]
        self.fields["rule"] = RuleChoice(
            user,
            label=_("Rule"),
            required=False,
            empty_label=_("None: keep the text as it is"),
            help_text=_("How the text becomes JSON."),
        )
        self.fields["files"] = ManyFilesField(
            label=_("Files"),
            help_text=_("Up to %(most)s files of at most %(size)s each: %(kinds)s.")
            % {
                "most": MOST_FILES,
                "size": filesizeformat(settings.ETL_MAX_BYTES),
                "kinds": ", ".join(kind.value for kind in MEDIA_TYPES),
            },
        )
        if user.has_perm(MAY_MOUNT):
            self.fields["table"] = TableChoice(
                user,
                label=_("Mount into"),
                required=False,
                empty_label=_("Nothing: mount later"),
                help_text=_("As soon as the result is there, under the name of the file."),
            )
            self.fields["pointer"] = PointerField(
                label=_("In the object"), help_text=_("A JSON pointer such as /sources/files; empty for the root.")
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("pointer") and cleaned.get("table") is None and "table" not in self.errors:
            self.add_error("table", _("Choose the table that this place is in."))
        return cleaned

    def as_wish(self) -> DocumentWish:
        """The cleaned answers in the service's words."""
        given = self.cleaned_data
        rule, table = given["rule"], given.get("table")
        return DocumentWish(
            project_id=given["project"].pk,
            rule_id=rule.pk if rule else None,
            table_id=table.pk if table else None,
            pointer=given.get("pointer", "") if table else "",
        )


@dataclass(frozen=True)
class RefusedFile:
    """A file that was not taken, and why."""

    filename: str
    reason: str


class UploadScreens(ModelAdmin):
    """The page that takes files, mounted on the tasks."""

    def screen_urls(self) -> list[URLPattern]:
        """Not below the list, which would stand in the menu as the page one is on."""
        return [self.screen("etl/upload/", self.upload_view, "upload")]  # type: ignore[attr-defined]

    def menu_screens(self, request: HttpRequest) -> list[tuple[Any, str]]:
        if not request.user.has_perm(MAY_UPLOAD):
            return []
        return [(gettext_lazy("Upload documents"), reverse("admin:etl_etltask_upload"))]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may = request.user.has_perm(MAY_UPLOAD)
        link = reverse("admin:etl_etltask_upload") if may else ""
        return super().changelist_view(request, {"upload_url": link, **(extra_context or {})})

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for files, queue those that may be read, and tell of each other why not."""
        if not request.user.has_perm(MAY_UPLOAD) or not self.has_view_permission(request):
            raise PermissionDenied
        is_sent = request.method == "POST"
        form = UploadForm(request.user, request.POST, request.FILES) if is_sent else UploadForm(request.user)
        tasks: list[ETLTask] = []
        refused: list[RefusedFile] = []
        if is_sent and form.is_valid():
            nonce = request.POST.get("once", "")[:LONGEST_NONCE] or secrets.token_urlsafe(12)
            tasks, refused = take(form.cleaned_data["files"], form.as_wish(), nonce=nonce, user=request.user)
            if not refused:
                queued = ngettext("%(count)s document is queued.", "%(count)s documents are queued.", len(tasks))
                self.message_user(request, queued % {"count": len(tasks)})
                listed = reverse("admin:etl_etltask_changelist")
                return redirect(f"{listed}?id__in={','.join(str(task.pk) for task in tasks)}")
        context = self.page(  # type: ignore[attr-defined]
            request,
            title=_("Upload documents"),
            form=form,
            media=self.media,
            once=secrets.token_urlsafe(12),
            queued=tasks,
            refused=refused,
            most_bytes=settings.ETL_MAX_BYTES,
            most_files=MOST_FILES,
            has_projects=Project.objects.visible_to(request.user).exists(),
        )
        return TemplateResponse(request, "etl/upload.html", context, status=422 if is_sent else 200)


def take(
    files: Sequence[UploadedFile], wish: DocumentWish, *, nonce: str, user: Any
) -> tuple[list[ETLTask], list[RefusedFile]]:
    """Queue each file that may be read: one that may not holds up no other."""
    tasks: list[ETLTask] = []
    refused: list[RefusedFile] = []
    for place, file in enumerate(files):
        name = str(file.name)
        try:
            tasks.append(_taken_once(file, wish, _key(file, f"{user.pk}:{nonce}:{place}"), user=user))
        except TOLD as refusal:
            refused.append(RefusedFile(name, reason_of(refusal)))
        except OSError as error:
            refused.append(RefusedFile(name, _("The disk refused: %(error)s") % {"error": error.strerror or ""}))
    return tasks, refused


def reason_of(refusal: Exception) -> str:
    """Why a file was not taken; its name stands beside it."""
    if not isinstance(refusal, FileRefused):
        return in_words(refusal)
    details = refusal.extra.get("details") or ""
    return f"{DocumentError(refusal.slug).label} ({details})" if details else str(DocumentError(refusal.slug).label)


def _taken_once(file: UploadedFile, wish: DocumentWish, key: str, *, user: Any) -> ETLTask:
    """The task of this file; of a form that is sent twice the second finds what the first has made."""
    reference = (ETLTask._meta.label_lower, key)

    def make() -> ETLTask:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
        before = AuditEvent.objects.filter(object_type=reference[0], object_id=key).first()
        if before is not None and (made := ETLTask.objects.filter(pk=before.after["taskId"]).first()) is not None:
            return made
        (task,) = request_documents([Upload(str(file.name), file.chunks())], wish, user=user)
        after = {"taskId": task.pk, "filename": task.filename}
        record(actor=user, action="document.uploaded", reference=reference, after=after)
        return task

    return atomic_retried(make)


def _key(file: UploadedFile, once: str) -> str:
    """What tells this upload from any other: the form, the place in it, and the file itself."""
    digest = hashlib.sha256(f"{once}:{file.name}".encode())
    for piece in file.chunks():
        digest.update(piece)
    return f"once:{digest.hexdigest()[:48]}"
