"""Times without a zone: what they mean, and that no row is lost where clocks are changed."""

# ruff: noqa: DTZ001, DTZ901 - clocks on a wall have no zone

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.products.wallclock import LAST_YEAR_AT_ONCE, WallClock, changes

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Shanghai", "UTC"]
BERLIN = WallClock("Europe/Berlin")
# 02:00 became 03:00 on 29 March 2026, and 03:00 became 02:00 on 25 October
SKIPPED, TWICE = datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)
SECOND_COMING = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_a_time_means_what_the_clock_of_its_zone_showed():
    assert BERLIN.instant(datetime(2026, 7, 1, 12)) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert WallClock("Asia/Shanghai").instant(datetime(2026, 7, 1, 12)) == datetime(2026, 7, 1, 4, tzinfo=UTC)


def test_a_time_that_was_skipped_is_none():
    assert BERLIN.instant(SKIPPED) is None
    (span,) = BERLIN.skipped(datetime(2026, 3, 1), datetime(2026, 4, 1))
    assert span == (datetime(2026, 3, 29, 2), datetime(2026, 3, 29, 3))
    assert BERLIN.skipped(datetime(2026, 4, 1), datetime(2026, 10, 1)) == []


def test_a_time_that_came_twice_means_its_first_coming_and_all_of_it_has_passed_at_the_second():
    assert BERLIN.instant(TWICE) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert BERLIN.latest(SECOND_COMING) == datetime(2026, 10, 25, 2, 59, 59, 999999)


def test_a_run_that_begins_in_an_hour_that_came_twice_begins_with_it():
    start = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert BERLIN.widened(SECOND_COMING) == start
    assert BERLIN.widened(SECOND_COMING - timedelta(hours=1)) == start
    assert BERLIN.widened(SECOND_COMING + timedelta(hours=1)) == SECOND_COMING + timedelta(hours=1)


@pytest.mark.parametrize("wall", [datetime.min, datetime.max, datetime(1, 1, 3), datetime(9999, 12, 30)])
def test_the_ends_of_the_calendar_are_no_crash(wall):
    for zone in ZONES:
        instant = WallClock(zone).instant(wall)
        assert instant is None or instant.tzinfo is UTC


@pytest.mark.parametrize("zone", ZONES)
@given(seconds=st.lists(st.integers(0, 40 * 366 * 86400), min_size=2, max_size=20))
def test_instants_rise_with_the_clock_and_lead_back_to_it(zone, seconds):
    clock = WallClock(zone)
    walls = sorted({datetime(2000, 1, 1) + timedelta(seconds=each) for each in seconds})
    # and around every change of the clocks
    spans = [span for span in itertools.chain(*changes(zone, LAST_YEAR_AT_ONCE)) if 1995 < span.start.year < 2045]
    for span in spans:
        walls += [span.start, span.end, span.start + (span.end - span.start) / 2, span.end - timedelta(microseconds=1)]
    known = [(wall, clock.instant(wall)) for wall in sorted(set(walls))]
    kept = [(wall, instant) for wall, instant in known if instant is not None]
    for (_wall, earlier), (_later_wall, later) in itertools.pairwise(kept):
        assert earlier < later
    for wall, instant in kept:
        assert clock.latest(instant) == wall
    skipped = [span for span in changes(zone, LAST_YEAR_AT_ONCE).skipped if span in spans]
    for wall, instant in known:
        assert (instant is None) == any(span.start <= wall < span.end for span in skipped)
