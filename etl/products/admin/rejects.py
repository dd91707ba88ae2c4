"""Rejected rows: a to-do list with a retry."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from desk.admin import ReadOnlyAdmin
from desk.badges import badge, readable
from desk.bulk import bulk_action
from desk.object_actions import Context, object_action
from etl.products.admin.runs import link_to_run
from etl.products.choices import Resolution
from etl.products.models import RejectedRow
from etl.products.querysets import RejectedRowQuerySet
from etl.products.services import (
    RETRY_AT_MOST,
    SyncOptions,
    dismiss_rejected_rows,
    request_sync,
    retry_rejected_rows,
)
from etl.products.source import SourceUnusable
from runs.errors import Conflict, Contention


class StateFilter(admin.SimpleListFilter):
    """Open rows unless one asks for more: the list is a to-do list first."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("resolved", _("Resolved")), ("all", _("All"))]

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        default, *others = super().choices(changelist)
        yield {**default, "display": _("Open")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "all":
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() != "resolved")


@admin.register(RejectedRow)
class RejectedRowAdmin(ReadOnlyAdmin):
    list_display = (
        "src_id",
        "brand",
        "sku",
        "reason",
        "field",
        "short_detail",
        "state",
        "created_at",
        "by_run",
    )
    list_filter = (StateFilter, "reason")
    search_fields = ("sku",)  # shows the box; get_search_results asks the queryset
    search_help_text = gettext_lazy("Source row, brand or SKU, exactly.")
    actions = ("retry_selected",)
    bulk_actions: ClassVar = ["dismiss"]
    download_fields = (
        "id", "source", "src_id", "brand", "sku", "reason", "field", "detail", "raw", "run_id", "created_at",
        "resolved_at", "resolution", "resolved_by_run_id",
    )  # fmt: skip
    object_actions: ClassVar = ["retry"]
    change_form_template = "etl/rejected_row.html"
    fieldsets = (
        (None, {"fields": ("source", "src_id", "brand", "sku")}),
        (gettext_lazy("Why"), {"fields": ("reason", "field", "detail", "created_at", "by_run")}),
        (gettext_lazy("Outcome"), {"fields": ("state", "resolved_at", "resolved_run")}),
    )
    readonly_fields = ("state", "by_run", "resolved_run")
    list_empty_text = gettext_lazy("No row of the source is waiting to be mended.")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("etl.retry_rejectedrow")

    @admin.action(description=gettext_lazy("Retry the selected rows"), permissions=["retry"])
    def retry_selected(self, request: HttpRequest, rows: QuerySet) -> None:
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[: RETRY_AT_MOST + 1])
        if len(ids) <= RETRY_AT_MOST:
            self._retry(request, ids)
        else:
            self._retry_by_a_run(request)

    def _retry_by_a_run(self, request: HttpRequest) -> None:
        """More than one request should do: every run begins with all the rows that are open."""
        try:
            run = request_sync(SyncOptions(), actor=request.user, requested_by=request.user)
        except (Conflict, Contention, SourceUnusable) as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, _("%(run)s retries all open rows.") % {"run": capfirst(str(run))})

    @bulk_action(
        label=gettext_lazy("Dismiss"),
        permission="etl.dismiss_rejectedrow",
        confirm=gettext_lazy("They leave the list without being mended; each comes back when its source row changes."),
        breakdown="reason",
        tone="danger",
    )
    def dismiss(self, request: HttpRequest, rows: RejectedRowQuerySet) -> int:
        return dismiss_rejected_rows(rows)

    def get_search_results(self, request: HttpRequest, rows: Any, text: str) -> tuple[Any, bool]:
        return rows.search(text), False

    @object_action(
        label=gettext_lazy("Retry"),
        permission="etl.retry_rejectedrow",
        tone="info",
        when=lambda row: row.resolved_at is None,
    )
    def retry(self, request: HttpRequest, row: RejectedRow) -> None:
        self._retry(request, [row.pk])

    def _retry(self, request: HttpRequest, ids: list[int]) -> None:
        try:
            outcome = retry_rejected_rows(ids, actor=request.user)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        except (Conflict, Contention, SourceUnusable) as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(
                request,
                ngettext("%(count)s row resolved", "%(count)s rows resolved", outcome.resolved)
                % {"count": outcome.resolved}
                + _("; %(count)s still rejected.") % {"count": outcome.still_rejected},
                messages.WARNING if outcome.still_rejected else messages.SUCCESS,
            )

    def page_context(self, row: RejectedRow) -> Context:
        return {"raw": readable(row.raw)}

    @admin.display(description=gettext_lazy("detail"))
    def short_detail(self, row: RejectedRow) -> str:
        return row.detail if len(row.detail) <= 80 else f"{row.detail[:79]}…"

    @admin.display(description=gettext_lazy("state"))
    def state(self, row: RejectedRow) -> SafeString:
        if row.resolved_at is None:
            return badge(_("open"), "warning")
        return badge(row.get_resolution_display(), "muted" if row.resolution == Resolution.DISMISSED else "ok")

    @admin.display(description=gettext_lazy("run"))
    def by_run(self, row: RejectedRow) -> SafeString | None:
        return link_to_run(row.run_id)

    @admin.display(description=gettext_lazy("resolved by run"))
    def resolved_run(self, row: RejectedRow) -> SafeString | None:
        return link_to_run(row.resolved_by_run_id)
