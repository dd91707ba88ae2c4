"""What an operator is asked before a run that does more than read what is new."""

from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from etl.products.choices import Mode
from etl.products.models import MOST_SHARDS
from etl.products.services import SyncOptions, as_many_shards_as_cores
from etl.products.wishes import keys_asked, refuse_contradictions


class RehashForm(forms.Form):
    mode = Mode.REHASH

    dry_run = forms.BooleanField(
        label=gettext_lazy("Dry run"), required=False, help_text=gettext_lazy("Count only, write nothing.")
    )

    def as_options(self) -> SyncOptions:
        """The cleaned answers in the service's words."""
        return SyncOptions(mode=self.mode, **self.cleaned_data)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            refuse_contradictions(self.as_options())
        return cleaned


class ShardsForm(forms.Form):
    shards = forms.IntegerField(
        label=gettext_lazy("Shards"),
        min_value=1,
        max_value=MOST_SHARDS,
        initial=as_many_shards_as_cores,
        help_text=gettext_lazy("Best as many as the machine has cores."),
    )


class FullForm(RehashForm):
    mode = Mode.FULL

    max_delete_percent = forms.IntegerField(
        label=gettext_lazy("Percent deleted at most"),
        min_value=0,
        max_value=100,
        initial=10,
        help_text=gettext_lazy("If more of the listed products would go, the run fails and deletes nothing."),
    )
    shards = forms.IntegerField(label=gettext_lazy("Shards"), min_value=1, max_value=MOST_SHARDS, initial=1)
    field_order = ("max_delete_percent", "shards", "dry_run")


class ReplayForm(RehashForm):
    mode = Mode.REPLAY

    since = forms.SplitDateTimeField(
        label=gettext_lazy("Changed since"), required=False, widget=widgets.AdminSplitDateTime
    )
    until = forms.SplitDateTimeField(
        label=gettext_lazy("Changed until"), required=False, widget=widgets.AdminSplitDateTime
    )
    keys = forms.CharField(
        label=gettext_lazy("Products"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
        help_text=gettext_lazy("One BRAND/SKU per line; empty for all products of the period."),
    )
    field_order = ("since", "until", "keys", "dry_run")

    def clean_keys(self) -> tuple[tuple[str, str], ...]:
        pairs = []
        for line in filter(str.strip, self.cleaned_data["keys"].splitlines()):
            brand, slash, sku = line.partition("/")
            if not slash:
                raise ValidationError(_("%(text)r is not of the form BRAND/SKU") % {"text": line[:140]})
            pairs.append((brand, sku))
        try:
            return keys_asked(pairs)
        except ValidationError as error:
            raise ValidationError(error.messages) from error
