"""What product sync and documents tell /metrics; how many runs there are of each status, runs.metrics tells."""

from collections.abc import Iterator

from django.db import connection
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from etl.products.models import RejectedRow, Watermark

# a longer list is said to be this long: nobody needs the exact length of a disaster
REJECTS_COUNTED = 100_000
STEPS_COUNTED = 200

STAGE_SECONDS = """
    SELECT step, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY milliseconds / 1000.0::float8)
      FROM (SELECT step, outcome, milliseconds FROM etl_task_step ORDER BY id DESC LIMIT %s) newest
     WHERE outcome NOT IN ('reused', 'failed')
     GROUP BY step ORDER BY step
"""


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
    took = GaugeMetricFamily(
        "pressroom_document_stage_seconds",
        f"How long the newest {STEPS_COUNTED} stages of documents took.",
        None,
        ["stage", "quantile"],
    )
    for stage, quantile, seconds in stage_seconds():
        took.add_metric([stage, quantile], seconds)
    yield took


def stage_seconds() -> list[tuple[str, str, float]]:
    """Median and 95th percentile by stage, of those that ran and did well."""
    with connection.cursor() as cursor:
        cursor.execute(STAGE_SECONDS, [STEPS_COUNTED])
        rows = cursor.fetchall()
    return [
        (stage, quantile, seconds)
        for stage, both in rows
        for quantile, seconds in zip(("0.5", "0.95"), both, strict=True)
    ]


def unresolved_rejects() -> int:
    """How many rejected rows are open, counted in their own small index and no further than sense."""
    open_rows = RejectedRow.objects.unresolved().order_by().values("pk")[:REJECTS_COUNTED]
    sql, params = open_rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({sql}) AS open_rows", params)
        return cursor.fetchone()[0]  # type: ignore[no-any-return]
