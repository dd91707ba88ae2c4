"""What becomes of a run when its worker ends, well or badly."""

import contextlib
import time

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, connection, transaction
from structlog.contextvars import get_contextvars

from etl.models import ProductSyncRun
from runs.errors import Contention, RunFailed
from runs.lease import Lease


@pytest.fixture
def lease(queued):
    return Lease.take(ProductSyncRun, queued().pk)


def outcome(lease):
    return ProductSyncRun.objects.values_list("status", "error", "lease_token").get(pk=lease.pk)


def test_it_is_completed_when_nothing_goes_wrong(lease):
    with lease:
        pass
    assert outcome(lease) == ("completed", "", None)


def test_an_expected_failure_is_a_slug_and_goes_no_further(lease):
    with lease:
        raise RunFailed("too-many-rejects", "7 > 3")
    assert outcome(lease) == ("failed", "too-many-rejects", None)
    run = ProductSyncRun.objects.get(pk=lease.pk)
    assert (run.error_text, str(run.error_label)) == ("7 > 3", "More rows were rejected than allowed")


def test_an_unexpected_error_is_stored_without_its_message_and_raised(lease):
    with pytest.raises(ZeroDivisionError), lease:
        raise ZeroDivisionError("password=hunter2")
    assert outcome(lease) == ("failed", "internal-error", None)
    assert ProductSyncRun.objects.get(pk=lease.pk).error_text == "ZeroDivisionError"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, SoftTimeLimitExceeded])
def test_a_stopped_worker_gives_the_run_back(lease, stop):
    with pytest.raises(stop), lease:
        raise stop
    assert outcome(lease) == ("pending", "", None)


@pytest.mark.parametrize("outage", [OperationalError, Contention])
def test_an_outage_gives_the_run_back_for_a_little_later(lease, outage):
    with pytest.raises(outage), lease:
        raise outage
    assert outcome(lease) == ("pending", "", None)
    assert ProductSyncRun.objects.claim(lease.pk) is None  # not due yet


def test_a_run_that_was_taken_over_is_left_alone(lease):
    ProductSyncRun.objects.cancel(lease.pk)
    with lease:
        lease.advance()
        raise AssertionError("the fence let it pass")
    assert outcome(lease)[0] == "cancelled"


def test_even_success_writes_nothing_once_the_lease_is_lost(lease):
    with lease:
        ProductSyncRun.objects.cancel(lease.pk)
    assert outcome(lease)[0] == "cancelled"


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [(ZeroDivisionError(), "failed", "internal-error"), (Contention(), "pending", ""), (RunFailed("x"), "failed", "x")],
)
def test_an_end_that_was_rolled_back_is_none(lease, error, status, slug):
    """Else the run would hang until its lease runs out, and at last fail as if its workers had died."""
    with contextlib.suppress(ZeroDivisionError, Contention), lease, transaction.atomic():
        lease.finish("completed")
        raise error
    assert outcome(lease) == (status, slug, None)


def test_what_goes_wrong_behind_the_end_changes_nothing(lease):
    with contextlib.suppress(ZeroDivisionError), lease:
        lease.finish("completed")
        raise ZeroDivisionError
    assert outcome(lease) == ("completed", "", None)


def test_it_beats_in_the_background(lease, settings):
    settings.RUN_LEASE_SECONDS = 0.3
    with lease:
        ProductSyncRun.objects.heartbeat(lease.pk, lease.token)
        for _ in range(10):
            time.sleep(0.1)
            assert not ProductSyncRun.objects.expired().exists()
    assert outcome(lease)[0] == "completed"


def test_a_beat_that_meets_the_worker_s_own_lock_is_not_a_loss(lease):
    with lease, transaction.atomic():
        lease.advance()
        assert _beat_in_thread(lease) is True


def test_a_beat_without_the_run_is_a_loss(lease):
    with lease:
        ProductSyncRun.objects.cancel(lease.pk)
        assert _beat_in_thread(lease) is False


def _beat_in_thread(lease):
    import threading

    results = []

    def beat():
        results.append(lease._beat_once())
        connection.close()

    thread = threading.Thread(target=beat)
    thread.start()
    thread.join()
    return results[0]


def test_a_run_that_works_on_a_part_of_itself_logs_under_its_own_name_again(lease, queued):
    with lease:
        with Lease.take(ProductSyncRun, queued(dry_run=True).pk) as part:
            assert get_contextvars()["run_id"] == part.pk
        assert get_contextvars()["run_id"] == lease.pk
    assert "run_id" not in get_contextvars()
