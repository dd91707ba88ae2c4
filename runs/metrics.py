"""What every kind of run tells /metrics (a kind needs nothing of its own for it)."""

from collections.abc import Iterator

from django.db import connection
from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily, Metric

from runs.models import Run
from runs.reaper import run_models

# below this a table is counted; above, the planner's statistics say which part has which status
COUNTED_UP_TO = 20_000
NEWEST = 100


def collect() -> Iterator[Metric]:
    """Runs by kind and status, how long they take, how long the oldest waits."""
    counted = GaugeMetricFamily(
        "pressroom_runs", "Runs by kind and status; ended ones may be estimated.", None, ["kind", "status"]
    )
    took = GaugeMetricFamily(
        "pressroom_run_seconds", f"How long the newest {NEWEST} ended runs took.", None, ["kind", "quantile"]
    )
    waits = GaugeMetricFamily("pressroom_run_oldest_queued_seconds", "Age of the oldest queued run.", None, ["kind"])
    dead = GaugeMetricFamily("pressroom_runs_stalled", "Runs whose worker let the lease run out.", None, ["kind"])
    for model in run_models():
        kind = model._meta.label_lower
        for status, number in by_status(model).items():
            counted.add_metric([kind, status], number)
        for quantile, seconds in durations(model).items():
            took.add_metric([kind, quantile], seconds)
        waits.add_metric([kind], oldest_queued_seconds(model))
        dead.add_metric([kind], model.objects.expired().count())
    yield from (counted, took, waits, dead)


def by_status(model: type[Run]) -> dict[str, float]:
    """How many runs have each status: open ones exactly, the others estimated where there are many."""
    numbers = dict.fromkeys([*model.STATUSES.open, *model.STATUSES.final], 0.0)
    estimate = _rows_estimate(model)
    runs = model.objects.all() if estimate <= COUNTED_UP_TO else model.objects.open()
    if estimate > COUNTED_UP_TO:
        numbers |= {status: share * estimate for status, share in _shares(model).items() if status in numbers}
        numbers |= dict.fromkeys(model.STATUSES.open, 0.0)
    rows = runs.order_by().values_list("status").annotate(number=Count("pk"))
    return numbers | {status: float(number) for status, number in rows}


def durations(model: type[Run]) -> dict[str, float]:
    """Median and 95th percentile of the newest ended runs."""
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds)
              FROM (SELECT extract(epoch FROM finished_at - started_at)::float8 AS seconds
                      FROM (SELECT finished_at, started_at FROM {table} ORDER BY {_key(model)} DESC LIMIT %s) newest
                     WHERE finished_at IS NOT NULL AND started_at IS NOT NULL) ended
            """,
            [NEWEST],
        )
        row = cursor.fetchone()
    return dict(zip(("0.5", "0.95"), row[0] or (), strict=False))


def oldest_queued_seconds(model: type[Run]) -> float:
    """How long the oldest run waits for a worker; 0 when none does."""
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(extract(epoch FROM clock_timestamp()"
            f" - min(greatest(created_at, not_before))), 0)::float8 FROM {table} WHERE status = %s",
            [str(model.STATUSES.queued)],
        )
        return max(0.0, cursor.fetchone()[0])


def _rows_estimate(model: type[Run]) -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT greatest(reltuples, 0)::float8 FROM pg_class WHERE oid = %s::regclass", [_quoted(model)])
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def _shares(model: type[Run]) -> dict[str, float]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT unnest(most_common_vals::text::text[]), unnest(most_common_freqs)::float8 FROM pg_stats"
            " WHERE schemaname = 'public' AND tablename = %s AND attname = 'status'",
            [model._meta.db_table],
        )
        return dict(cursor.fetchall())


def _quoted(model: type[Run]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _key(model: type[Run]) -> str:
    return connection.ops.quote_name(str(model._meta.pk.column))
