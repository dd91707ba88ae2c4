"""Times without a zone in a foreign table where clocks are changed."""

from datetime import UTC, datetime, timedelta

import pytest

from etl.models import Product, Watermark
from etl.products import services
from foreign_servers import create_table, good, insert
from observed import counts, open_rejects

BERLIN = "Europe/Berlin"
NAIVE = {"mysql": "DATETIME(6)", "postgresql": "timestamp"}


@pytest.fixture
def naive(server, read_from, monkeypatch):
    """write(sku → wall-clock time as text) into a table whose times have no zone, meant as those of Berlin."""
    create_table(server, time_type=NAIVE[server.engine])
    read_from(server, time_zone=BERLIN)
    monkeypatch.setattr(server, "time", lambda at: at)
    ids = iter(range(1, 10_000))

    def write(**times):
        insert(server, [(next(ids), good(sku), at) for sku, at in times.items()])

    return write


def test_times_without_a_zone_are_read_in_the_zone_that_is_set(naive, synced):
    naive(summer="2026-07-01 12:00:00", winter="2026-01-01 12:00:00.000001")
    synced()
    assert dict(Product.objects.values_list("sku", "src_updated_at")) == {
        "summer": datetime(2026, 7, 1, 10, tzinfo=UTC),
        "winter": datetime(2026, 1, 1, 11, 0, 0, 1, tzinfo=UTC),
    }


@pytest.mark.parametrize("batch_size", [1, 2, 50])
def test_around_a_skipped_hour_no_row_is_lost_or_read_twice(naive, synced, batch_size):
    naive(**{f"s{n}": f"2026-03-29 0{n // 6}:{n % 6}0:00" for n in range(30)})
    run = synced(batch_size=batch_size)
    assert counts(run) == {"read": 30, "created": 24, "rejected": 6}
    assert open_rejects() == {f"s{n}": "missing-timestamp" for n in range(12, 18)}  # 02:00 to 02:50 never was


@pytest.mark.parametrize("batch_size", [1, 2, 50])
def test_an_hour_that_comes_twice_is_read_once_by_a_run(naive, synced, batch_size):
    naive(**{f"s{n}": f"2025-10-26 0{n // 6}:{n % 6}0:00" for n in range(30)})
    assert counts(synced(batch_size=batch_size)) == {"read": 30, "created": 30}
    assert synced(batch_size=batch_size, lookback=timedelta(0)).read == 0


def test_what_is_written_while_an_hour_comes_the_second_time_is_not_lost(naive, synced):
    naive(first="2025-10-26 02:50:00")  # 00:50 UTC
    synced()
    naive(second="2025-10-26 02:05:00")  # 01:05 UTC, before the watermark by its clock
    assert synced(lookback=timedelta(minutes=5)).created == 1
    naive(after="2025-10-26 03:01:00")
    assert synced(lookback=timedelta(minutes=5)).created == 1
    naive(late="2025-10-26 02:30:00")  # committed late, at the end of the second coming
    assert synced(lookback=timedelta(minutes=5)).created == 1


def test_a_rewind_into_an_hour_that_came_twice_reads_all_of_it(naive, synced):
    naive(early="2025-10-26 02:01:00", late="2025-10-26 05:00:00")
    run = synced()
    services.rewind_watermark(datetime(2025, 10, 26, 1, 30, tzinfo=UTC), reason="test", actor="test")
    assert Watermark.objects.position_of(run.source).at == datetime(2025, 10, 26, 1, 30, tzinfo=UTC)
    assert counts(synced(lookback=timedelta(0))) == {"read": 2, "unchanged": 2}
