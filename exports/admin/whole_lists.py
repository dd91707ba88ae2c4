"""What an editor may do with everything a list of the review desk shows."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from desk.admin import OpsModelAdmin
from desk.bulk import SAMPLES, BulkAction, bulk_action
from exports.admin.shown import FilterForm, tab_of
from exports.admin.wishes import MAY_DECIDE
from exports.choices import ReviewStatus
from exports.models import ManualReview
from exports.sweeping import decide_all, restore_all


class Sample(NamedTuple):
    """One of the rows a deed is about."""

    pk: int
    title: str

    def __str__(self) -> str:
        return self.title


class WholeListMixin(OpsModelAdmin):
    """The deeds of whole lists, mounted on the review desk."""

    bulk_actions: ClassVar = ["pick_all", "backup_all", "discard_all", "unpick_all", "restore_all"]

    def _bulk_of(self, request: HttpRequest, tab: str) -> list[BulkAction]:
        """The deeds that make sense for all rows of this tab."""
        if tab == ReviewStatus.EXPORTED:
            names = ["restore_all"]
        else:
            useless = {"pending": "unpick_all", "selected": "pick_all", "backup": "backup_all"}.get(tab, "discard_all")
            names = [name for name in self.bulk_actions if name not in (useless, "restore_all")]
        return [each for each in self._permitted(request) if each.name in names]

    def _ask_about_all(self, request: HttpRequest) -> HttpResponse:
        name = request.POST.get("action", "")
        action = next((each for each in self._permitted(request) if each.name == name), None)
        if action is None:
            raise PermissionDenied
        return self.ask_about(request, action, None)

    def ask_about(self, request: HttpRequest, action: BulkAction, ticked: list[str] | None) -> HttpResponse:
        """As of any list, with what an editor knows the rows by: their titles, the first ones first."""
        answer = super().ask_about(request, action, ticked)
        if isinstance(answer, TemplateResponse) and answer.context_data:
            first = self._selected(request, ticked).in_order().values_list("pk", "article__title")[:SAMPLES]
            answer.context_data |= {"samples": [Sample(*row) for row in first], "kind": _("region")}
        return answer

    def _selected(self, request: HttpRequest, ticked: list[str] | None) -> Any:
        rows = FilterForm(request.GET).wanted(tab_of(request.GET)).rows()
        return rows if ticked is None else rows.filter(pk__in=ticked)

    @bulk_action(
        label=gettext_lazy("Pick all"),
        permission=MAY_DECIDE,
        confirm=gettext_lazy("They go to the end of the selected list, in the order you see."),
        breakdown="region",
        tone="info",
    )
    def pick_all(self, request: HttpRequest, rows: QuerySet[ManualReview]) -> int:
        return decide_all(rows, ReviewStatus.SELECTED, actor=request.user)

    @bulk_action(
        label=gettext_lazy("Put all in backup"),
        permission=MAY_DECIDE,
        confirm=gettext_lazy("They go to the end of the backup list, in the order you see."),
        breakdown="region",
    )
    def backup_all(self, request: HttpRequest, rows: QuerySet[ManualReview]) -> int:
        return decide_all(rows, ReviewStatus.BACKUP, actor=request.user)

    @bulk_action(
        label=gettext_lazy("Discard all"),
        permission=MAY_DECIDE,
        confirm=gettext_lazy("Neither you nor the worker will export them, unless somebody takes them back."),
        breakdown="region",
        tone="danger",
    )
    def discard_all(self, request: HttpRequest, rows: QuerySet[ManualReview]) -> int:
        return decide_all(rows, ReviewStatus.DISCARDED, actor=request.user)

    @bulk_action(
        label=gettext_lazy("Make all candidates"),
        permission=MAY_DECIDE,
        confirm=gettext_lazy("They lose their place in the list."),
        breakdown="region",
    )
    def unpick_all(self, request: HttpRequest, rows: QuerySet[ManualReview]) -> int:
        return decide_all(rows, ReviewStatus.PENDING, actor=request.user)

    @bulk_action(
        label=gettext_lazy("Make all candidates again"),
        permission=MAY_DECIDE,
        confirm=gettext_lazy("The briefs that have them keep them."),
        breakdown="region",
    )
    def restore_all(self, request: HttpRequest, rows: QuerySet[ManualReview]) -> int:
        return restore_all(rows, actor=request.user)
