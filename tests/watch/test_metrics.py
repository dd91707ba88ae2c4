"""/metrics says how the installation is doing, to those who may know."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from access.services import create_token
from etl.models import ProductSyncRun, RejectedRow, Watermark
from runs.querysets import ClockTimestamp, seconds_from_now
from watch import counters

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_pending():
    counters._forget()
    yield
    counters._forget()


@pytest.fixture
def scraped(client_of, viewer):
    """scraped() → {(name, labels): value} as the viewer's token sees it."""
    client = client_of(viewer)

    def scrape():
        answer = client.get("/metrics")
        assert answer.status_code == 200
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.content.decode())
            for sample in family.samples
        }

    return scrape


def test_only_those_who_may_read_it_do(client, client_of, desk_of, viewer, stranger, settings):
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer ").status_code == 401
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer pr_unknown").status_code == 401
    assert client_of(stranger).get("/metrics").status_code == 403
    assert client_of(viewer, read_only=True).get("/metrics").status_code == 200
    assert desk_of(viewer).get("/metrics").status_code == 200
    assert client_of(viewer).post("/metrics").status_code == 405
    settings.METRICS_TOKEN = "scraper"
    client.logout()
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer scraper").status_code == 200
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer scrapes").status_code == 401
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer ").status_code == 401


def test_a_revoked_token_reads_nothing_any_more(client, viewer, administrator):
    from access.services import revoke_token

    token, plaintext = create_token(viewer)
    revoke_token(token, actor=administrator)
    assert client.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {plaintext}").status_code == 401


def test_runs_are_counted_by_kind_and_status_with_their_durations(scraped):
    def run(status, **values):
        ProductSyncRun.objects.create(source=f"s{ProductSyncRun.objects.count()}", status=status, **values)

    for seconds in (10, 20, 30):
        run("completed", started_at=seconds_from_now(-seconds), finished_at=ClockTimestamp())
    run("pending", created_at=seconds_from_now(-120))
    run("running", lease_token=1, lease_until=seconds_from_now(-5))
    figures, kind = scraped(), ("kind", "etl.productsyncrun")
    by_status = {
        dict(labels)["status"]: value
        for (name, labels), value in figures.items()
        if name == "pressroom_runs" and dict(labels)["kind"] == "etl.productsyncrun"
    }
    assert by_status == {"pending": 1, "running": 1, "completed": 3, "failed": 0, "cancelled": 0}
    assert figures["pressroom_run_seconds", (kind, ("quantile", "0.5"))] == pytest.approx(20, abs=1)
    assert figures["pressroom_run_oldest_queued_seconds", (kind,)] == pytest.approx(120, abs=10)
    assert figures["pressroom_runs_stalled", (kind,)] == 1


def test_lag_rejects_and_tokens_are_told(scraped):
    Watermark.objects.create(table_name="feed", last_processed_at=seconds_from_now(-3600), last_processed_id=1)
    RejectedRow.objects.create(source="feed", src_id=1, reason="missing-key", raw={})
    RejectedRow.objects.create(
        source="feed", src_id=2, reason="missing-key", raw={}, resolved_at=ClockTimestamp(), resolution="gone"
    )
    figures = scraped()
    assert figures["pressroom_sync_lag_seconds", (("source", "feed"),)] == pytest.approx(3600, abs=10)
    assert figures["pressroom_rejected_rows", ()] == 1
    assert figures["pressroom_access_tokens", (("access", "full"),)] == 1


def test_requests_are_counted_by_route_and_not_by_id(scraped, client_of, viewer):
    client = client_of(viewer)
    for pk in (1, 2, 3):
        client.get(f"/api/v1/etl/products/{pk}")
    client.get("/healthz")
    figures = scraped()
    counted = {
        dict(labels)["route"]: value
        for (name, labels), value in figures.items()
        if name == "pressroom_http_requests_total"
    }
    assert list(counted.values()) == [3]
    (route,) = counted
    assert "products/(?P<pk>" in route
    labels = (("method", "GET"), ("route", route))
    assert figures["pressroom_http_request_seconds_count", labels] == 3
    assert figures["pressroom_http_request_seconds_bucket", (("le", "+Inf"), *labels)] == 3
    assert figures["pressroom_http_request_seconds_sum", labels] > 0


def test_figures_of_one_app_that_fails_do_not_take_the_others_away(client_of, viewer, transactional_db):
    client = client_of(viewer)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE etl_watermark RENAME TO etl_watermark_away")
    try:
        text = client.get("/metrics").content.decode()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE etl_watermark_away RENAME TO etl_watermark")
    assert 'pressroom_collector_failed{app="etl"} 1.0' in text
    assert 'pressroom_collector_failed{app="runs"} 0.0' in text
    assert "pressroom_access_tokens" in text


def test_a_scrape_counts_no_big_table(client_of, viewer):
    """Many ended runs, and no plan reads them one by one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO etl_productsyncrun (source, status, progress, attempt, max_attempts, batch_size, resume,"
            " dry_run, lookback, phase, read, created, updated, unchanged, superseded, rejected, deleted, waiting,"
            " batches, seconds, differences, error, error_text, started_at, finished_at)"
            " SELECT 's', CASE WHEN n % 4 = 0 THEN 'cancelled' ELSE 'completed' END, 100, 0, 5, 1, true, false,"
            " '0', 'done', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '[]', '', '', now(), now() FROM generate_series(1, 40000) n"
        )
        cursor.execute("ANALYZE etl_productsyncrun")
    client = client_of(viewer)
    with CaptureQueriesContext(connection) as queries:
        text = client.get("/metrics").content.decode()
    shares = {
        line.split('status="')[1].split('"')[0]: float(line.split()[-1])
        for line in text.splitlines() if line.startswith('pressroom_runs{kind="etl.productsyncrun"')
    }  # fmt: skip
    assert shares["cancelled"] == pytest.approx(10_000, rel=0.05)
    assert shares["completed"] == pytest.approx(30_000, rel=0.05)
    assert shares["pending"] == 0
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            if not query["sql"].startswith("SELECT") or "etl_productsyncrun" not in query["sql"]:
                continue
            cursor.execute("EXPLAIN " + query["sql"])
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan on etl_productsyncrun" not in plan, plan
