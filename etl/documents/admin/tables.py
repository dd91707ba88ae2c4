"""Tables: the JSON that results are mounted into, looked at as a tree, edited without treading on anybody."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from api.codec import decode
from desk.admin import OpsModelAdmin
from desk.badges import readable
from desk.object_actions import Context, object_action
from etl.documents.admin.mounting import history
from etl.documents.admin.rules import ExactJSON
from etl.documents.admin.trees import drawn
from etl.documents.admin.uploading import MAY_MOUNT
from etl.documents.admin.visible import TOLD, ProjectChoice, ServedAdmin, in_words, link_to, page_of
from etl.documents.models import Table, TableMount
from etl.documents.refusals import Outdated
from etl.documents.tables import create_table, delete_table, edit_table, read_data, replace_data

EDITED_AT_MOST = 1_000_000  # characters of JSON in a form; more goes through the API
TREE_AT_MOST = 5_000_000  # characters that are drawn as a tree


class TableForm(forms.ModelForm):
    class Meta:
        model = Table
        fields = ("project", "name", "description")
        widgets = {
            "name": forms.TextInput(attrs={"class": "vTextField"}),
            "description": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        }

    asked_by: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "project" in self.fields:
            self.fields["project"] = ProjectChoice(self.asked_by, label=self.fields["project"].label)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if not name:
            raise forms.ValidationError(_("A table needs a name."), code="blank")
        return name


class DataForm(forms.Form):
    data = ExactJSON(label=gettext_lazy("Data"), lines=28)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**63 - 1)

    def clean_data(self) -> Any:
        """Results are mounted into objects, and the first of them is the document itself."""
        data = self.cleaned_data["data"]
        if data is None:
            raise forms.ValidationError(_("The document may not be null."), code="null")
        return data


class ForceForm(forms.Form):
    force = forms.BooleanField(
        label=gettext_lazy("Also with results mounted into it"),
        required=False,
        help_text=gettext_lazy("They stay with their tasks; the history of their mounts goes."),
    )


@admin.register(Table)
class TableAdmin(ServedAdmin, OpsModelAdmin):
    """Tables of projects that the user sees."""

    form = TableForm
    list_display = ("name", "project", "version", "updated_at")
    list_select_related = ("project",)
    search_fields = ("name",)
    search_help_text = gettext_lazy("A part of the name.")
    ordering = ("-id",)
    sortable_by = ()
    object_actions: ClassVar = ["delete_table"]
    change_form_template = "etl/table.html"
    list_empty_text = gettext_lazy("Add a table: a JSON document that results are mounted into.")
    menu_place = 2
    readonly_fields = ("project_link", "version", "created_at", "updated_at")

    def get_urls(self) -> list[URLPattern]:
        return [
            self.screen("<int:pk>/data/", self.data_view, "data"),
            self.screen("<int:pk>/data.json", require_safe(self.raw_view), "raw"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("data")

    def get_fieldsets(self, request: HttpRequest, obj: Table | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("project", "name", "description")})]
        state = ("project_link", "version", "created_at", "updated_at")
        return [(None, {"fields": ("name", "description")}), (gettext_lazy("State"), {"fields": state})]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"asked_by": request.user})

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Without the buttons that add or edit a project in a window of its own."""
        if db_field.name == "project":
            return db_field.formfield()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, table: Table, form: TableForm, change: bool) -> None:
        given = form.cleaned_data
        words = {"name": given["name"], "description": given["description"]}
        if change:
            edit_table(table, **words, actor=request.user)
            return
        made = create_table(project_id=given["project"].pk, **words, user=request.user, actor=request.user)
        table.pk, table._state.adding = made.pk, False

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        if (table := context.get("original")) is not None:
            may_edit = request.user.has_perm("etl.change_table")
            mounts = TableMount.objects.filter(table=table).order_by("-pk")
            context |= self._data_shown(table, request.GET.get("at", "")) | {
                "edit_url": reverse("admin:etl_table_data", args=[table.pk]) if may_edit else "",
                "raw_url": reverse("admin:etl_table_raw", args=[table.pk]),
                "mounts": history(mounts, may_unmount=request.user.has_perm(MAY_MOUNT)),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def _data_shown(self, table: Table, pointer: str) -> Context:
        """The tree of the document or of what the pointer leads to, of one moment with its version."""
        try:
            version, text = read_data(table, pointer)
        except TOLD as refusal:
            return {"at": pointer, "at_fault": in_words(refusal), "data_version": table.version}
        shown: Context = {"at": pointer, "data_version": version, "data_size": filesizeformat(len(text))}
        if len(text) > TREE_AT_MOST:
            return shown | {"is_too_long": True}
        return shown | {"tree": drawn(decode(text))}

    # --- the document ----------------------------------------------------------------------------

    def data_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The whole document as JSON; it is kept only if nobody changed it meanwhile."""
        table = self.found(request, pk)
        if not request.user.has_perm("etl.change_table"):
            raise PermissionDenied
        if request.method == "POST":
            return self._replace(request, table)
        version, text = read_data(table)
        if len(text) > EDITED_AT_MOST:
            note = _("The document is too long for a form; change it through the API.")
            self.message_user(request, note, messages.WARNING)
            return redirect(page_of(table))
        form = DataForm(initial={"data": readable(decode(text)), "version": version})
        return self._data_page(request, table, form)

    def _replace(self, request: HttpRequest, table: Table) -> HttpResponse:
        form = DataForm(request.POST)
        if not form.is_valid():
            return self._data_page(request, table, form, status=422)
        given = form.cleaned_data
        try:
            version = replace_data(table, given["data"], version=given["version"], actor=request.user)
        except Outdated as refusal:
            form.add_error(None, in_words(refusal))
            return self._data_page(request, table, form, status=412)
        except (*TOLD, DataError) as refusal:
            form.add_error("data", in_words(refusal))
            return self._data_page(request, table, form, status=422)
        self.message_user(request, _("The document was replaced; it has version %(version)s.") % {"version": version})
        return redirect(page_of(table))

    def _data_page(self, request: HttpRequest, table: Table, form: DataForm, *, status: int = 200) -> HttpResponse:
        context = self.page(
            request,
            title=_("Edit the data of %(table)s") % {"table": table.name},
            table=table,
            form=form,
            back=page_of(table),
            is_outdated=status == 412,
        )
        return TemplateResponse(request, "etl/table_data.html", context, status=status)

    def raw_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The document, digit for digit, as a file."""
        table = self.found(request, pk)
        version, text = read_data(table)
        answer = HttpResponse(text, content_type="application/json")
        answer["Content-Disposition"] = f'attachment; filename="table-{table.pk}-v{version}.json"'
        answer["X-Content-Type-Options"] = "nosniff"
        return answer

    @object_action(
        label=gettext_lazy("Delete the table"),
        permission="etl.delete_table",
        confirm=gettext_lazy("Its document and the history of its mounts go with it. The tasks stay."),
        form=ForceForm,
        tone="danger",
    )
    def delete_table(self, request: HttpRequest, table: Table, wish: dict[str, Any]) -> HttpResponse | None:
        try:
            delete_table(table, force=wish["force"], actor=request.user)
        except TOLD as refusal:
            self.message_user(request, in_words(refusal), messages.ERROR)
            return None
        self.message_user(request, _("%(name)s was deleted.") % {"name": table.name})
        return redirect("admin:etl_table_changelist")

    @admin.display(description=gettext_lazy("project"))
    def project_link(self, table: Table) -> SafeString | None:
        return link_to(table.project)
