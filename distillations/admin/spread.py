"""How evenly distillations are used, as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from api.bounded import count_of
from desk.badges import number
from desk.charts import Chart, Series
from desk.object_actions import Context
from distillations.models import Distillation, UsageCheck
from distillations.spread import Bar, bars_of

URL_NAME = "distillations_distillation_spread"


class SpreadScreen(ModelAdmin):
    """How many distillations were used never, once, twice, and so on."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.spread_view))
        return [path("distribution/", view, name=URL_NAME), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        links = {"spread_url": reverse(f"admin:{URL_NAME}")}
        return super().changelist_view(request, links | (extra_context or {}))

    def spread_view(self, request: HttpRequest) -> HttpResponse:
        """The chart with its figures."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        seen = spread()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Usage distribution"),
            "opts": self.opts,
            "media": self.media,
            "chart": chart_of(seen.bars),
            "figures": figures(seen),
            "as_of": seen.as_of,
        }
        return TemplateResponse(request, "distillations/spread.html", context)


@dataclass(frozen=True)
class Spread:
    """The bars, and of the distillations with a topic how many there are and how often they were used."""

    bars: list[Bar]
    eligible: int
    uses: int
    as_of: datetime | None = None  # None: counted now


def spread() -> Spread:
    """Counted now; of a large table as the last check counted it."""
    check = UsageCheck.objects.order_by("-id").first()
    if check is not None and check.spread and not count_of(Distillation.objects.all()).is_exact:
        return Spread([Bar(*each) for each in check.spread], check.eligible, check.uses, check.checked_at)
    counted = list(Distillation.objects.by_usage())
    eligible = sum(can for _uses, can, _cannot in counted)
    return Spread(bars_of(counted), eligible, sum(uses * can for uses, can, _cannot in counted))


def chart_of(bars: list[Bar]) -> Chart:
    """Distillations by how often they were used; those without a topic can never be."""
    return Chart(
        title=_("Distillations by number of uses"),
        labels=[f"{bar.least}" if bar.least == bar.most else f"{bar.least}–{bar.most}" for bar in bars],
        series=[
            Series(_("with topics"), [bar.with_topics for bar in bars]),
            Series(_("without topics"), [bar.without_topics for bar in bars]),
        ],
    )


def figures(seen: Spread) -> list[tuple[str, str]]:
    """Of those with a topic: how many, and how often the least, the mean and the most used of them was used."""
    counts = Distillation.objects.recommended().values_list("usage_count", flat=True)
    mean = number_format(seen.uses / seen.eligible, 2, force_grouping=True) if seen.eligible else "—"
    return [
        (_("With topics"), number(seen.eligible)),
        (_("Least uses"), number(counts.first())),
        (_("Mean"), mean),
        (_("Most uses"), number(counts.reverse().first())),
    ]
