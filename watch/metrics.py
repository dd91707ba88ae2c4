"""What /metrics says: gauges asked of the database at the moment of the scrape, and the stored counters.

An app names a function `() → iterable of prometheus_client metric families` as `metrics` in its AppConfig.
It must stay fast on millions of rows: an index or an estimate, never an exact count of a big table.
"""

from collections.abc import Callable, Iterable, Iterator

import structlog
from django.apps import AppConfig, apps
from django.db import Error, connection
from django.utils.module_loading import import_string
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from watch import counters
from watch.middleware import BUCKETS
from watch.models import Counter

logger = structlog.get_logger(__name__)

Gather = Callable[[], Iterable[Metric]]

HELP = {
    "pressroom_http_requests": "Requests by route, method and status.",
    "pressroom_transaction_conflicts": "Transactions that lost against others, or lost their connection.",
    "pressroom_transactions_failed": "Transactions that lost every retry.",
    "pressroom_run_lease_expiries": "Leases that ran out before their worker ended the run.",
    "pressroom_run_fenced_writes": "Writes of a worker that no longer held its run, all refused.",
    "pressroom_llm_calls": "Calls of the language model by how they ended.",
    "pressroom_llm_tokens": "Tokens as told by the model's server.",
    "pressroom_counter_flushes_failed": "Times a process could not hand over its counts, and kept them.",
}
SECONDS = "pressroom_http_request_seconds"


def exposition() -> bytes:
    """Everything, in the text format of Prometheus. Raises what the database raises when it is away."""
    counters.flush_quietly()  # what this process knows shall not be missing from its own answer
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Everything())
    return generate_latest(registry)


class Everything(Collector):
    """The stored counters and what every app has to say."""

    def collect(self) -> Iterator[Metric]:
        yield from stored_counters()
        yield estimated_rows()
        failing = GaugeMetricFamily(
            "pressroom_collector_failed", "1 for an app whose figures are missing.", None, ["app"]
        )
        for config in apps.get_app_configs():
            if path := getattr(config, "metrics", None):
                figures = gathered(config, import_string(path))
                failing.add_metric([config.label], float(figures is None))
                yield from figures or ()
        yield failing


def gathered(config: AppConfig, gather: Gather) -> list[Metric] | None:
    """An app's figures; None when it fails, which must not take the others' away."""
    try:
        return list(gather())
    except Error:
        logger.exception("metrics.failed", app=config.label)
        return None


def stored_counters() -> Iterator[Metric]:
    """One family per counter's name; a new name needs nothing here, a line in HELP is for people."""
    families: dict[str, CounterMetricFamily] = {}
    seconds: dict[tuple[str, str], dict[str, float]] = {}
    for name, labels, value in Counter.objects.order_by("name", "labels").values_list("name", "labels", "value"):
        if name.startswith(SECONDS):
            key = (labels["route"], labels["method"])
            seconds.setdefault(key, {})[labels.get("le", "sum")] = value
            continue
        base = name.removesuffix("_total")
        if base not in families:
            families[base] = CounterMetricFamily(base, HELP.get(base, base), None, sorted(labels))
        families[base].add_metric([labels[label] for label in sorted(labels)], value)
    yield from families.values()
    yield request_seconds(seconds)


def request_seconds(by_route: dict[tuple[str, str], dict[str, float]]) -> HistogramMetricFamily:
    """How long requests took; what is stored per bucket is summed up the way Prometheus wants it."""
    family = HistogramMetricFamily(SECONDS, "How long requests took.", labels=["route", "method"])
    for labels, counted in by_route.items():
        total, buckets = 0.0, []
        for most in (*map(str, BUCKETS), "+Inf"):
            total += counted.get(most, 0)
            buckets.append((most, total))
        family.add_metric(labels, buckets, counted.get("sum", 0))
    return family


def estimated_rows() -> GaugeMetricFamily:
    """How big our tables are by the planner's estimate, which costs nothing."""
    family = GaugeMetricFamily("pressroom_table_rows_estimate", "Rows by the planner's estimate.", None, ["table"])
    tables = [model._meta.db_table for model in apps.get_models()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, greatest(reltuples, 0)::float8 FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname = ANY(%s) ORDER BY relname",
            [tables],
        )
        for table, rows in cursor.fetchall():
            family.add_metric([table], rows)
    return family
