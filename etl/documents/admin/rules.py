"""Rules: which JSON becomes of a text, and how."""

from __future__ import annotations

import io
from typing import Any, ClassVar

import msgspec
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import ParseError

from api.codec import decode
from api.parsers import JSONParser
from desk.admin import OpsModelAdmin
from desk.badges import badge, readable
from desk.object_actions import Context, object_action
from etl.documents.admin.visible import TOLD, ProjectChoice, ServedAdmin, in_words, page_of
from etl.documents.choices import RuleMode
from etl.documents.models import ETLRule
from etl.documents.rules import change_rule, create_rule, delete_rule, may_manage
from etl.documents.shaping.schemas import check_schema

EMPTY_SCHEMA = {"type": "object", "properties": {"title": {"type": "string", "title": "标题"}}}


class ExactJSON(forms.CharField):
    """JSON as text, every digit kept; Django's own reads numbers as floats."""

    def __init__(self, **options: Any) -> None:
        lines = options.pop("lines", 18)
        area = forms.Textarea(attrs={"rows": lines, "class": "vLargeTextField json-edit", "spellcheck": "false"})
        super().__init__(widget=area, **options)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else readable(value)

    def clean(self, value: Any) -> Any:
        """The value; what is no JSON is told with the place where it stops being any."""
        text = super().clean(value)
        try:
            decode(text)
            return JSONParser().parse(io.BytesIO(text.encode()))  # which refuses what no column can hold
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
            fault = _("This is not JSON: %(fault)s")
            raise ValidationError(fault % {"fault": str(error)[:300]}, code="not-json") from error
        except ParseError as error:
            raise ValidationError(str(error.detail), code="not-json") from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(decode(data or "") != initial)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            return True


class RuleForm(forms.ModelForm):
    json_schema = ExactJSON(
        label=gettext_lazy("JSON schema"),
        initial=EMPTY_SCHEMA,
        help_text=gettext_lazy(
            "JSON Schema (draft 2020-12) of an object. Titles help: a column or line of the document is matched to a "
            "field by its name or its title."
        ),
    )

    seen = forms.CharField(widget=forms.HiddenInput, required=False)  # which version the editor has read

    class Meta:
        model = ETLRule
        fields = ("name", "description", "project", "mode", "json_schema", "system_prompt")
        widgets = {
            "name": forms.TextInput(attrs={"class": "vTextField"}),
            "description": forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
            "system_prompt": forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField"}),
            "mode": forms.RadioSelect,
        }
        help_texts = {
            "mode": gettext_lazy(
                "Shaped to the schema: by the language model if one is set up, else by rules, which say what they did "
                "not find. Kept as it is: the result is the text itself, without a model; the schema must allow that."
            ),
            "system_prompt": gettext_lazy("What a language model is told beside the schema; rules do not read it."),
        }

    asked_by: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            del self.fields["seen"]
        else:
            self.initial["seen"] = self.instance.updated_at.isoformat()
        if "project" in self.fields:
            model_field = self.fields["project"]
            self.fields["project"] = ProjectChoice(
                self.asked_by, label=model_field.label, help_text=model_field.help_text, required=False,
                empty_label=_("None: only mine"),
            )  # fmt: skip

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if not name:
            raise ValidationError(_("A rule needs a name."), code="blank")
        return name

    def clean_json_schema(self) -> Any:
        """A schema that can be used; what is wrong is told at the field."""
        schema = self.cleaned_data["json_schema"]
        try:
            check_schema(schema)
        except ValidationError as error:
            raise ValidationError(error.messages, code="bad-schema") from error
        return schema

    def clean(self) -> dict[str, Any]:
        """What was typed on top of another version is not kept; it stays in the form."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if "seen" in self.fields and given.get("seen") != self.initial["seen"]:
            raise ValidationError(_outdated_with_link(self.instance), code="stale")
        return given


def _outdated_with_link(rule: ETLRule) -> SafeString:
    told = _(
        "Somebody changed the rule after you opened it. Nothing was kept; what you typed stands below. Compare it with "
        "the rule as it is now."
    )
    link = '{} <a href="{}" target="_blank" rel="noopener">{}</a>'
    return format_html(link, told, page_of(rule), _("The rule now"))


@admin.register(ETLRule)
class RuleAdmin(ServedAdmin, OpsModelAdmin):
    """The user's own rules, and those of projects that the user sees."""

    form = RuleForm
    list_display = ("name", "mode_mark", "project", "owner", "updated_at")
    list_filter: ClassVar[Any] = ("mode",)
    list_select_related = ("project", "owner")
    search_fields = ("name",)
    search_help_text = gettext_lazy("A part of the name.")
    ordering = ("-id",)
    sortable_by = ()
    object_actions: ClassVar = ["delete_rule"]
    list_empty_text = gettext_lazy("Add a rule to have documents shaped to a schema; without one their text is kept.")
    menu_place = 2
    readonly_fields = ("owner", "created_at", "updated_at")

    class Media:
        css: ClassVar = {"all": ["etl/documents.css"]}

    def get_queryset(self, request: HttpRequest) -> Any:
        rules = super().get_queryset(request)
        shows_list = request.resolver_match is not None and str(request.resolver_match.url_name).endswith("changelist")
        return rules.defer("json_schema", "system_prompt") if shows_list else rules

    def get_fieldsets(self, request: HttpRequest, obj: ETLRule | None = None) -> Any:
        written = [
            (None, {"fields": ("name", "description", "project")}),
            (gettext_lazy("Shape"), {"fields": ("mode", "json_schema", "system_prompt")}),
        ]
        if obj is None:
            return written
        hidden = [(None, {"fields": ("seen",)})] if self.has_change_permission(request, obj) else []
        return [*written, (gettext_lazy("State"), {"fields": ("owner", "created_at", "updated_at")}), *hidden]

    def has_change_permission(self, request: HttpRequest, obj: ETLRule | None = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or may_manage(obj, request.user))

    def buttons(self, request: HttpRequest, obj: Any = None) -> list[dict[str, Any]]:
        return super().buttons(request, obj) if obj is None or may_manage(obj, request.user) else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"asked_by": request.user})

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Without the buttons that add or edit a project in a window of its own."""
        if db_field.name == "project":
            return db_field.formfield()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, rule: ETLRule, form: RuleForm, change: bool) -> None:
        if not change:
            create_rule(rule, user=request.user, actor=request.user)
            return
        changes = {name: value for name, value in form.cleaned_data.items() if name != "seen"}
        change_rule(rule, changes, seen=rule.updated_at, user=request.user, actor=request.user)

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        page = super().render_change_form(request, context, *args, **kwargs)
        if context["adminform"].form.has_error(NON_FIELD_ERRORS, code="stale"):
            page.status_code = 412
        return page

    @object_action(
        label=gettext_lazy("Delete the rule"),
        permission="etl.delete_etlrule",
        confirm=gettext_lazy("Tasks that it shaped keep their results and its name."),
        tone="danger",
    )
    def delete_rule(self, request: HttpRequest, rule: ETLRule) -> HttpResponse | None:
        try:
            delete_rule(rule, actor=request.user)
        except TOLD as refusal:
            self.message_user(request, in_words(refusal), messages.ERROR)
            return None
        self.message_user(request, _("%(name)s was deleted.") % {"name": rule.name})
        return redirect("admin:etl_etlrule_changelist")

    @admin.display(description=gettext_lazy("mode"))
    def mode_mark(self, rule: ETLRule) -> SafeString:
        return badge(rule.get_mode_display(), "info" if rule.mode == RuleMode.LLM else "muted")
