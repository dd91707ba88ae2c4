"""Projects: who works on what together."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.contrib.auth import get_user_model
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from desk.admin import OpsModelAdmin
from desk.object_actions import Context, object_action
from etl.documents.admin.visible import TOLD, ServedAdmin, in_words, page_of
from etl.documents.models import ETLTask, Project, Table
from etl.documents.projects import create_project, delete_project, edit_project, may_manage, set_members

SHOWN = 50


class ProjectForm(forms.ModelForm):
    members = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Members"),
        queryset=get_user_model().objects.none(),
        required=False,
        widget=FilteredSelectMultiple(gettext_lazy("members"), is_stacked=False),
        help_text=gettext_lazy("They see the project, its rules, tasks and tables, and may work with them."),
    )

    class Meta:
        model = Project
        fields = ("name", "description", "members")
        widgets = {
            "name": forms.TextInput(attrs={"class": "vTextField"}),
            "description": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "members" in self.fields:
            self.fields["members"].queryset = get_user_model().objects.filter(is_active=True).order_by("username")
            if self.instance.pk:
                self.initial["members"] = list(self.instance.members.values_list("pk", flat=True))

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if not name:
            raise forms.ValidationError(_("A project needs a name."), code="blank")
        return name


@admin.register(Project)
class ProjectAdmin(ServedAdmin, OpsModelAdmin):
    """Projects that the user owns or is a member of."""

    form = ProjectForm
    list_display = ("name", "owner", "member_count", "table_count", "task_count", "updated_at")
    list_select_related = ("owner",)
    search_fields = ("name",)
    search_help_text = gettext_lazy("A part of the name.")
    ordering = ("-id",)
    sortable_by = ()
    object_actions: ClassVar = ["delete_project"]
    change_form_template = "etl/project.html"
    list_empty_text = gettext_lazy("Add a project: documents, tables and rules belong to one.")
    menu_place = 2
    readonly_fields = ("owner", "created_at", "updated_at", "shared_with")

    class Media:
        css: ClassVar = {"all": ["etl/documents.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        def how_many(rows: Any) -> Subquery:
            counted = rows.filter(project=OuterRef("pk")).order_by().values("project").annotate(n=Count("pk"))
            return Subquery(counted.values("n"))

        members = Project.members.through.objects
        return (
            super()
            .get_queryset(request)
            .annotate(
                members_counted=how_many(members),
                tables_counted=how_many(Table.objects.all()),
                tasks_counted=how_many(ETLTask.objects.all()),
            )
        )

    def get_fieldsets(self, request: HttpRequest, obj: Project | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("name", "description", "members")})]
        written = ("name", "description", "members" if self._may_share(request, obj) else "shared_with")
        return [(None, {"fields": written}), (gettext_lazy("State"), {"fields": ("owner", "created_at", "updated_at")})]

    def _may_share(self, request: HttpRequest, project: Project | None) -> bool:
        may_change = self.has_change_permission(request, project)
        return project is None or (may_change and may_manage(project, request.user))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return form if self._may_share(request, obj) else type(form.__name__, (form,), {"members": None})

    def save_model(self, request: HttpRequest, project: Project, form: ProjectForm, change: bool) -> None:
        given = form.cleaned_data
        words = {"name": given["name"], "description": given["description"]}
        if not change:
            made = create_project(**words, members=given["members"], owner=request.user, actor=request.user)
            project.pk, project._state.adding = made.pk, False
            return
        edit_project(project, **words, actor=request.user)
        if "members" in given:
            set_members(project, given["members"], actor=request.user)

    @object_action(
        label=gettext_lazy("Delete the project"),
        permission="etl.delete_project",
        confirm=gettext_lazy("Its rules stay with their owners. A project with tables or tasks is not deleted."),
        tone="danger",
    )
    def delete_project(self, request: HttpRequest, project: Project) -> HttpResponse | None:
        try:
            delete_project(project, actor=request.user)
        except TOLD as refusal:
            self.message_user(request, in_words(refusal), messages.ERROR)
            return None
        self.message_user(request, _("%(name)s was deleted.") % {"name": project.name})
        return redirect("admin:etl_project_changelist")

    def buttons(self, request: HttpRequest, obj: Any = None) -> list[dict[str, Any]]:
        shown = super().buttons(request, obj)
        return shown if obj is None or may_manage(obj, request.user) else []

    def page_context(self, project: Project) -> Context:
        tables = Table.objects.filter(project=project).defer("data").order_by("-pk")[:SHOWN]
        return {
            "tables": [(table, page_of(table)) for table in tables],
            "rules": [(rule, page_of(rule)) for rule in project.rules.order_by("-pk")[:SHOWN]],  # type: ignore[attr-defined]
            "tasks_url": f"{reverse('admin:etl_etltask_changelist')}?project={project.pk}",
            "table_add_url": f"{reverse('admin:etl_table_add')}?project={project.pk}",
        }

    @admin.display(description=gettext_lazy("members"))
    def shared_with(self, project: Project) -> str | None:
        return ", ".join(project.members.order_by("username").values_list("username", flat=True)) or None

    @admin.display(description=gettext_lazy("members"))
    def member_count(self, project: Any) -> int:
        return project.members_counted or 0

    @admin.display(description=gettext_lazy("tables"))
    def table_count(self, project: Any) -> int:
        return project.tables_counted or 0

    @admin.display(description=gettext_lazy("document tasks"))
    def task_count(self, project: Any) -> int:
        return project.tasks_counted or 0
