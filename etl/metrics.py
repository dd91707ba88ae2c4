"""What product sync tells /metrics."""

from collections.abc import Iterator

from django.db import connection
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from etl.products.models import RejectedRow, Watermark

# a longer list is said to be this long: nobody needs the exact length of a disaster
REJECTS_COUNTED = 100_000


def collect() -> Iterator[Metric]:
    """How far behind the source we are, and what it sent that could not be taken over."""
    lag = GaugeMetricFamily("pressroom_sync_lag_seconds", "Age of the newest row read of a source.", None, ["source"])
    for watermark in Watermark.objects.order_by("table_name"):
        age = timezone.now() - watermark.last_processed_at
        lag.add_metric([watermark.table_name], age.total_seconds())
    yield lag
    rejects = GaugeMetricFamily("pressroom_rejected_rows", "Rejected rows that wait to be mended.", None, [])
    rejects.add_metric([], unresolved_rejects())
    yield rejects


def unresolved_rejects() -> int:
    """How many rejected rows are open, counted in their own small index and no further than sense."""
    open_rows = RejectedRow.objects.unresolved().order_by().values("pk")[:REJECTS_COUNTED]
    sql, params = open_rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({sql}) AS open_rows", params)
        return cursor.fetchone()[0]  # type: ignore[no-any-return]
