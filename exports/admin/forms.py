"""What an operator is asked before the worker makes a brief."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from exports.choices import SkipScope
from exports.funnel import MOST_ARTICLES
from exports.models import BriefTemplate
from exports.recording import MAX_TAG
from exports.services import ExportOptions


def templates() -> list[tuple[str, str]]:
    """Those there are now."""
    return list(BriefTemplate.objects.order_by("title").values_list("slug", "title"))


class ExportForm(forms.Form):
    report_tag = forms.CharField(label=_("Tag"), required=False, max_length=MAX_TAG, help_text=_("Empty: the date."))
    report_date = forms.DateField(
        label=_("Date"),
        required=False,
        widget=widgets.AdminDateWidget,
        help_text=_("Empty: the one that the tag begins with, else today."),
    )
    template = forms.ChoiceField(label=_("Template"), choices=templates, initial=ExportOptions.template)
    limit = forms.IntegerField(label=_("Articles at most"), required=False, min_value=1, max_value=MOST_ARTICLES)
    min_score = forms.DecimalField(
        label=_("Score at least"), max_digits=6, decimal_places=3, initial=ExportOptions.min_score
    )
    skip_exported = forms.BooleanField(
        label=_("Skip what was exported"),
        required=False,
        initial=True,
        help_text=_("Otherwise only what this brief has already is left out."),
    )
    skip_scope = forms.ChoiceField(
        label=_("Exported where"), choices=SkipScope.choices, initial=SkipScope.ALL, widget=forms.RadioSelect
    )

    def as_options(self, **values: Any) -> ExportOptions:
        """The cleaned answers in the service's words."""
        cleaned = dict(self.cleaned_data)
        return ExportOptions(skip_scope=SkipScope(cleaned.pop("skip_scope")), **cleaned, **values)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self.as_options().complete()
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned
