"""Conversion targets, article settings and knowledge bases: what articles are written for and from."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from desk.admin import OpsModelAdmin
from distillations.materials import change_material, check_texts, create_material
from distillations.models import ArticleSetting, ConversionTarget, KnowledgeBase, KnowledgeDocument
from distillations.services import delete_materials
from runs.errors import Conflict

PLACEHOLDERS = {
    "keyword": _("the keyword"),
    "topics": _("the question that the article answers"),
    "topicsList": _("the same as a numbered list"),
    "companyName": _("the company of the conversion target"),
    "companyIndustry": _("its industry"),
    "companyWebsite": _("its website"),
    "companyAddress": _("its address"),
    "knowledgeBase": _("the titles of the knowledge base; its texts are given beside the prompt"),
}


class MaterialForm(forms.ModelForm):
    """Refuses beside its field what the service would refuse."""

    def clean(self) -> dict[str, Any]:
        """With plain line ends, as other texts have them."""
        said = {name: _plain(value) for name, value in (super().clean() or {}).items()}
        try:
            check_texts(self._meta.model, said)
        except ValidationError as error:
            self.add_error(None, error)
        return said


def _plain(value: Any) -> Any:
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


class MaterialAdmin(OpsModelAdmin):
    """Written and deleted by the services of the room, on record there."""

    form = MaterialForm
    sortable_by = ()

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (Conflict, ObjectDoesNotExist):
            # somebody took the name, or deleted it, while the form was looked at; looked at again the form says so
            return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            change_material(obj, {name: form.cleaned_data[name] for name in form.changed_data}, actor=request.user)
        else:
            _added(obj, {name: form.cleaned_data[name] for name in self.fields}, actor=request.user)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_materials(type(obj), [obj.pk], actor=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        delete_materials(queryset.model, queryset.values_list("pk", flat=True), actor=request.user)


def _added(material: Any, values: dict[str, Any], *, actor: Any) -> None:
    """Store it, and let the object of the form be what was stored."""
    material.pk = create_material(type(material), values, actor=actor).pk
    material._state.adding = False


@admin.register(ConversionTarget)
class ConversionTargetAdmin(MaterialAdmin):
    list_display = ("company_name", "industry", "website", "address", "updated_at")
    search_fields = ("company_name", "industry")
    fields = ("company_name", "industry", "website", "address")
    ordering = ("-id",)
    list_empty_text = _("Add the companies that articles should lead to.")


class SettingForm(MaterialForm):
    class Meta:
        model = ArticleSetting
        fields = ("name", "prompt")
        widgets: ClassVar = {"prompt": forms.Textarea(attrs={"rows": 14, "class": "vLargeTextField"})}
        help_texts: ClassVar = {"prompt": ""}  # the page has a table of them


@admin.register(ArticleSetting)
class ArticleSettingAdmin(MaterialAdmin):
    form = SettingForm
    list_display = ("name", "beginning", "updated_at")
    search_fields = ("name",)
    fields = ("name", "prompt")
    ordering = ("-id",)
    change_form_template = "distillations/setting.html"
    list_empty_text = _("Add one to say how articles should be written; without any the usual words are used.")

    class Media:
        css: ClassVar = {"all": ["distillations/tasks.css"]}

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context["placeholders"] = [(f"{{{name}}}", meaning) for name, meaning in PLACEHOLDERS.items()]
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("prompt"))
    def beginning(self, setting: ArticleSetting) -> str:
        return setting.prompt if len(setting.prompt) <= 100 else f"{setting.prompt[:100]}…"


class DocumentForm(MaterialForm):
    class Meta:
        model = KnowledgeDocument
        fields = ("title", "content")
        widgets: ClassVar = {
            "title": forms.TextInput(attrs={"class": "vTextField"}),
            "content": forms.Textarea(attrs={"rows": 8, "class": "vLargeTextField"}),
        }


class DocumentInline(admin.StackedInline):
    """Who may change a knowledge base may change its documents: they have no screen of their own."""

    model = KnowledgeDocument
    form = DocumentForm
    extra = 0
    ordering = ("id",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("distillations.view_knowledgebase")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_add, may_change = "distillations.add_knowledgebase", "distillations.change_knowledgebase"
        return request.user.has_perm(may_change if obj else may_add)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request, obj)


@admin.register(KnowledgeBase)
class KnowledgeBaseAdmin(MaterialAdmin):
    inlines = (DocumentInline,)
    list_display = ("name", "description", "documents_count", "updated_at")
    search_fields = ("name",)
    fields = ("name", "description")
    ordering = ("-id",)
    list_empty_text = _("Add a shelf of documents for articles to quote from.")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        bases: Any = super().get_queryset(request)
        return bases.with_document_count()

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        for document, fields in formset.changed_objects:
            change_material(document, {name: getattr(document, name) for name in fields}, actor=request.user)
        for document in formset.new_objects:
            values = {name: getattr(document, name) for name in ("knowledge_base", "title", "content")}
            _added(document, values, actor=request.user)
        if formset.deleted_objects:
            ids = [document.pk for document in formset.deleted_objects]
            delete_materials(KnowledgeDocument, ids, actor=request.user)

    @admin.display(description=_("documents"))
    def documents_count(self, base: Any) -> int:
        return base.document_count
