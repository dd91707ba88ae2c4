"""Runs to move: product sync stands for every kind."""

import pytest
from django.conf import settings

from etl.models import ProductSyncRun
from runs.querysets import ClockTimestamp, seconds_from_now


@pytest.fixture
def runs(transactional_db):
    """The queryset of a real kind of run."""
    return ProductSyncRun.objects


@pytest.fixture
def queued(runs):
    """queued(**values) inserts a queued run; each has a source of its own, so many may be open."""

    def make(**values):
        return runs.create(source=f"source {runs.count()}", **values)

    return make


@pytest.fixture
def held(runs, queued):
    """held(lease=seconds) inserts a run that a worker holds; a negative lease has run out."""

    def make(*, lease=settings.RUN_LEASE_SECONDS, **values):
        run = queued(**values)
        token = runs.claim(run.pk)
        runs.filter(pk=run.pk).update(lease_until=seconds_from_now(lease), dispatched_at=ClockTimestamp())
        run.refresh_from_db()
        assert run.lease_token == token
        return run

    return make
