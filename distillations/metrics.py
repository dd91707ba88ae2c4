"""What distillations tell /metrics: as the last hourly check found them, since a scrape must not count millions."""

from collections.abc import Iterator

from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from distillations.models import Distillation, GenerationSlot, UsageCheck


def collect() -> Iterator[Metric]:
    """Drift, how evenly distillations are used, and how many articles are reserved."""
    drifted = GaugeMetricFamily("pressroom_usage_drift_rows", "Counters that differ from their rows.", None, [])
    checked = GaugeMetricFamily("pressroom_usage_check_age_seconds", "Age of the last usage check.", None, [])
    used = GaugeMetricFamily("pressroom_distillation_uses", "Uses of distillations with a topic.", None, ["of"])
    if check := UsageCheck.objects.order_by("-id").first():
        drifted.add_metric([], check.drifted)
        checked.add_metric([], (timezone.now() - check.checked_at).total_seconds())
        used.add_metric(["mean"], check.uses / max(1, check.eligible))
    counts = Distillation.objects.recommended().values_list("usage_count", flat=True)
    for of, ends in (("min", counts), ("max", counts.reverse())):
        if (count := ends.first()) is not None:
            used.add_metric([of], count)
    reserved = GaugeMetricFamily("pressroom_slots_reserved", "Articles that are reserved or being written.", None, [])
    reserved.add_metric([], GenerationSlot.objects.filter(task__status__in=("pending", "running")).holding().count())
    yield from (drifted, checked, used, reserved)
