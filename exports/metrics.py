"""What exports tell /metrics."""

from collections.abc import Iterator

from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from api.bounded import count_of
from exports.choices import ReviewStatus, Source
from exports.models import ExportRun, ManualReview


def collect() -> Iterator[Metric]:
    """How many articles wait for whom, and how old the newest export of each line is."""
    reviews = GaugeMetricFamily("pressroom_reviews", "Articles by review status; many are estimated.", None, ["status"])
    for status in ReviewStatus.values:
        reviews.add_metric([status], float(count_of(ManualReview.objects.with_status(status))))
    yield reviews
    age = GaugeMetricFamily("pressroom_export_age_seconds", "Age of the newest completed export.", None, ["source"])
    done = ExportRun.objects.filter(status=ExportRun.STATUSES.completed, dry_run=False).order_by("-id")
    for source in Source.values:
        newest = done.filter(kind=source).values_list("finished_at", flat=True).first()
        if newest is not None:
            age.add_metric([source], (timezone.now() - newest).total_seconds())
    yield age
