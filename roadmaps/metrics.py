"""What roadmaps tell /metrics beside what every kind of run does."""

from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric

from api.bounded import count_of
from roadmaps.choices import ContentKind
from roadmaps.models import Concept, RoadmapStep

NEWEST = 2_000  # steps; of one roadmap there are a few hundred


def collect() -> Iterator[Metric]:
    """How long steps take and what they cost, and how many contents failed."""
    took = GaugeMetricFamily(
        "pressroom_roadmap_step_seconds", f"Of the newest {NEWEST} steps that were run.", None, ["step", "quantile"]
    )
    for step, quantile, seconds in step_seconds():
        took.add_metric([step, quantile], seconds)
    failed = GaugeMetricFamily(
        "pressroom_roadmap_contents_failed", "Contents that failed; many are estimated.", None, ["kind"]
    )
    for kind in ContentKind.values:
        failed.add_metric([kind], float(count_of(Concept.objects.with_failed_content(kind))))
    yield from (took, failed)


def step_seconds() -> Iterator[tuple[str, str, float]]:
    """Step, quantile and seconds, of those that were not used again from before."""
    table = connection.ops.quote_name(RoadmapStep._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT step, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY milliseconds / 1000.0)
              FROM (SELECT step, milliseconds, outcome FROM {table} ORDER BY id DESC LIMIT %s) newest
             WHERE outcome <> 'reused'
             GROUP BY step ORDER BY step
            """,
            [NEWEST],
        )
        for step, (median, slow) in cursor.fetchall():
            yield step, "0.5", median
            yield step, "0.95", slow
