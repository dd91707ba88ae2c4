"""Which articles a distillation was used for: every use, and below them what was deleted since."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.paginator import Page
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from desk.charts import Chart, Series
from desk.lists import BoundedPaginator
from distillations.admin.links import page_of
from distillations.models import DistillationUsage, GeneratedArticle, GenerationSlot, GenerationTask

ROWS_SHOWN = 50
DAYS_SHOWN = 30


class HistoryScreen(ModelAdmin):
    """The usage history of one distillation."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.history_of_use))
        mine = path("<int:pk>/usage/", view, name="distillations_distillation_usage")
        return [mine, *super().get_urls()]

    def history_of_use(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Newest first; two lists with pages of their own."""
        distillation = self.get_object(request, str(pk))
        if distillation is None or not self.has_view_permission(request, distillation):
            raise Http404
        uses = DistillationUsage.objects.history_of(pk).select_related("topic")
        gone = GenerationSlot.objects.without_their_article(pk).select_related("topic")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Usage history"),
            "subtitle": str(distillation),
            "opts": self.opts,
            "media": self.media,
            "distillation": distillation,
            "uses": (used := page_asked(request, uses, "page")),
            "rows": [row_of_use(each) for each in used],
            "gone": (lost := page_asked(request, gone, "gone")),
            "gone_rows": [row_of_slot(each) for each in lost],
            "chart": uses_per_day(pk),
        }
        return TemplateResponse(request, "distillations/history.html", context)


def page_asked(request: HttpRequest, rows: Any, parameter: str) -> Page:
    """The page of these rows that the address asks for; the nearest there is for any other."""
    return BoundedPaginator(rows, ROWS_SHOWN).get_page(request.GET.get(parameter))


def row_of_use(use: Any) -> dict[str, Any]:
    """One use, with where its task and its article are looked at."""
    return {
        "at": use.used_at,
        "topic": use.topic.question if use.topic else "",
        "task": use.task_id,
        "task_url": page_of(GenerationTask, use.task_id),
        "article": use.article_title,
        "article_url": page_of(GeneratedArticle, use.article_id),
    }


def row_of_slot(slot: GenerationSlot) -> dict[str, Any]:
    """One slot whose article is gone; it keeps the question it was written for."""
    return {
        "at": slot.updated_at,
        "topic": slot.question,
        "task": slot.task_id,
        "task_url": page_of(GenerationTask, slot.task_id),
    }


def uses_per_day(distillation_id: int) -> Chart:
    """How often it was used in the last weeks."""
    today = timezone.localdate()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS_SHOWN))]
    since = timezone.make_aware(datetime.combine(days[0], time.min))
    counted = DistillationUsage.objects.per_day(distillation_id, since)
    return Chart(
        title=_("Uses per day"),
        labels=[date_format(day, "MONTH_DAY_FORMAT") for day in days],
        series=[Series(_("uses"), [counted.get(day, 0) for day in days])],
    )
