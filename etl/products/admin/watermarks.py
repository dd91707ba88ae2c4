"""The watermark, its lag, and the audited way back."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import widgets
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from access.services import timeline
from desk.admin import ReadOnlyAdmin
from desk.object_actions import Context, object_action
from etl.products.models import Watermark
from etl.products.services import rewind_watermark
from etl.products.staging import configured_source
from runs.admin import span
from runs.errors import Conflict

EVENTS_SHOWN = 50


class RewindForm(forms.Form):
    to = forms.SplitDateTimeField(
        label=gettext_lazy("Back to"),
        widget=widgets.AdminSplitDateTime,
        help_text=gettext_lazy("The next run reads every source row changed after this moment again."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        help_text=gettext_lazy("Kept in the audit log."),
    )


@admin.register(Watermark)
class WatermarkAdmin(ReadOnlyAdmin):
    list_display = ("table_name", "last_processed_at", "last_processed_id", "lag", "updated_at")
    fields = ("table_name", "last_processed_at", "last_processed_id", "lag", "updated_at")
    readonly_fields = ("lag",)
    object_actions: ClassVar = ["rewind"]
    change_form_template = "etl/watermark.html"
    list_empty_text = gettext_lazy("A source gets its watermark with the first product sync.")

    @object_action(
        label=gettext_lazy("Rewind"),
        permission="etl.rewind_watermark",
        confirm=gettext_lazy("No data is lost: products that did not change are not written again."),
        form=RewindForm,
        tone="danger",
        when=lambda watermark: watermark.table_name == configured_source().table,  # no other is read again
    )
    def rewind(self, request: HttpRequest, watermark: Watermark, wish: dict[str, Any]) -> None:
        if watermark.table_name != configured_source().table:
            raise ValidationError(_("This source is not read any more."))
        try:
            rewind_watermark(wish["to"], reason=wish["reason"], actor=request.user)
        except Conflict as conflict:
            self.message_user(request, conflict.message, messages.WARNING)
        else:
            self.message_user(request, _("The watermark was rewound."))

    def page_context(self, watermark: Watermark) -> Context:
        return {"events": timeline(watermark)[:EVENTS_SHOWN]}

    @admin.display(description=gettext_lazy("lag"))
    def lag(self, watermark: Watermark) -> str:
        return span(timezone.now() - watermark.last_processed_at)
