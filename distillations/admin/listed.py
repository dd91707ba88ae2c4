"""What the list of distillations shows beside their columns, asked once for a whole page."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from desk.badges import badge, meter, number
from desk.lists import OpsChangeList
from distillations.models import Distillation
from distillations.usage import Drift, find_drift

COUNTER_LABELS = {
    "usage_count": gettext_lazy("used"),
    "reserved_count": gettext_lazy("reserved"),
    "topic_count": gettext_lazy("topics"),
    "topic_usage_count": gettext_lazy("uses of a topic"),
}


class SourcesList(OpsChangeList):
    """The rows of the page with last_used_at, is_recommended, drifts, and the greatest_use of the whole table."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = dressed([each.pk for each in self.result_list])
        greatest = max(1, Distillation.objects.greatest_use())
        for each in self.result_list:
            each.greatest_use = greatest


def dressed(ids: list[int]) -> list[Any]:
    """These distillations, in this order, with what the marks below need."""
    rows = Distillation.objects.stats_of(ids)
    drifts = defaultdict(list)
    for drift in find_drift(ids):
        drifts[drift.distillation_id].append(drift)
    for each in rows:
        each.drifts = drifts[each.pk]
    return rows


def usage_meter(distillation: Any) -> SafeString | str:
    """How often it was used, on a list beside the most used one."""
    shown = number(distillation.usage_count)
    greatest = getattr(distillation, "greatest_use", None)
    return meter(distillation.usage_count, greatest, shown) if greatest else shown


def recommended_mark(distillation: Any) -> SafeString | str:
    """The star, and why: on hover, and below for who cannot hover."""
    if not distillation.is_recommended:
        return ""
    why = distillation.recommend_reason
    return format_html(
        '<span class="badge badge-info badge-star" title="{}">{}</span><span class="under">{}</span>',
        why,
        _("Recommended"),
        why,
    )


def drift_mark(distillation: Any) -> SafeString | str:
    """A warning that counters differ from their rows, and which do."""
    if not distillation.drifts:
        return ""
    said = [said_of(drift) for drift in distillation.drifts]
    lines = format_html_join("", '<span class="under">{}</span>', ((line,) for line in said))
    return format_html("{}{}", badge(_("drifted"), "warning", _("Counters differ from the rows they count.")), lines)


def said_of(drift: Drift) -> str:
    """One counter that drifted, in words."""
    return _("%(counter)s: says %(old)s, rows %(new)s") % {
        "counter": COUNTER_LABELS[drift.counter],
        "old": number(drift.old_count),
        "new": number(drift.new_count),
    }


def task_form_for(distillation_id: int) -> str:
    """The form of a new task that takes its topics from this distillation."""
    return f"{reverse('admin:distillations_generationtask_add')}?distillation={distillation_id}"
