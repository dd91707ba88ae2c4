"""What the screens of documents share: nobody finds here what is not theirs to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from desk.object_actions import Context
from etl.documents.models import ETLRule, Project, Table
from etl.documents.refusals import QueueFull, Refused
from runs.errors import Conflict, Contention

TOLD = (Conflict, Contention, Refused, QueueFull, ValidationError)  # what a service says no with


class VisibleAdmin(ModelAdmin):
    """Rows that the user may see; the page of any other is not found, as if there were none."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.visible_to(request.user)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        raise Http404

    def screen(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        """A page of this admin beside Django's own."""
        full = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
        return path(route, self.admin_site.admin_view(view), name=full)

    def found(self, request: HttpRequest, pk: int) -> Any:
        """The row of this id, if the user may see it."""
        row = self.get_object(request, str(pk))
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        return row

    def page(self, request: HttpRequest, **facts: Any) -> Context:
        """What every page of its own template needs."""
        return {**self.admin_site.each_context(request), "opts": self.opts, **facts}


class ServedAdmin(VisibleAdmin):
    """Rows that services write. Deleting is a button of its own: Django's page knows nothing of services."""

    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """What a service refuses although the form let it pass was changed by somebody else meanwhile."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (*TOLD, DataError) as refusal:
            self.message_user(request, in_words(refusal), messages.ERROR)
            return redirect(request.get_full_path())

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The service has saved everything."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The service has it on record."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The service has it on record."""


class ProjectChoice(forms.ModelChoiceField):
    """One of the projects that a user sees."""

    def __init__(self, user: Any, **options: Any) -> None:
        super().__init__(Project.objects.visible_to(user).only("name").order_by("name", "pk"), **options)


class TableChoice(forms.ModelChoiceField):
    """One of the tables that a user sees, named with its project."""

    def __init__(self, user: Any, **options: Any) -> None:
        tables = Table.objects.visible_to(user).select_related("project").only("name", "project__name")
        super().__init__(tables.order_by("project__name", "name", "pk"), **options)

    def label_from_instance(self, table: Any) -> str:
        return f"{table.project.name} / {table.name}"


class RuleChoice(forms.ModelChoiceField):
    """One of the rules that a user sees."""

    def __init__(self, user: Any, **options: Any) -> None:
        super().__init__(ETLRule.objects.visible_to(user).only("name").order_by("name", "pk"), **options)


def in_words(refusal: Exception) -> str:
    """What a person reads of a refusal; of the database's own they need not know the words."""
    if isinstance(refusal, DataError):
        return _("There is a value in it that cannot be stored, such as a number of very many digits.")
    return " ".join(getattr(refusal, "messages", None) or [str(getattr(refusal, "message", refusal))])


def page_of(row: Model) -> str:
    """The address of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def link_to(row: Model | None, text: str = "") -> SafeString | None:
    """A link to a row's page; None, which the admin writes as a dash, for none."""
    return None if row is None else format_html('<a href="{}">{}</a>', page_of(row), text or row)
