"""A source of known content and what an undisturbed run leaves; servers of one's own to kill."""

import pytest

from faulting import LEASE_SECONDS, REAPER_SECONDS, OwnServers, Reaper
from product_runs import empty, undisturbed_outcome


@pytest.fixture(autouse=True)
def _fast(settings):
    """What of the runs happens in this process has the times of the workers."""
    settings.RUN_LEASE_SECONDS, settings.REAPER_SECONDS = LEASE_SECONDS, REAPER_SECONDS


@pytest.fixture
def undisturbed(transactional_db):
    """What an undisturbed run over the same source leaves; the tables are empty again."""
    return undisturbed_outcome()


@pytest.fixture
def reaper():
    """The reaper at work while the test runs."""
    with Reaper() as reaping:
        yield reaping


@pytest.fixture(scope="module")
def _servers():
    with OwnServers() as servers:
        yield servers


@pytest.fixture
def own_servers(_servers, transactional_db):
    """Servers that this test may kill; the connection leads to them."""
    with _servers.used():
        yield _servers
        empty()
