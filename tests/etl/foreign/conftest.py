"""Scratch databases as the source of product sync."""

from pathlib import Path

import pytest

from config import staging
from etl.models import ProductSyncRun
from etl.products import services, sync
from foreign_servers import ZONE, MariaDB, PostgreSQL, Wire

SERVERS = {"postgresql": PostgreSQL, "mariadb": MariaDB}
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """make test needs no server but its own; the longer suites read from both of these."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.long)


@pytest.fixture
def mariadb(transactional_db):
    """A scratch database of MariaDB."""
    server = MariaDB()
    yield server
    server.drop()


@pytest.fixture
def postgresql(transactional_db):
    """A scratch database of PostgreSQL."""
    server = PostgreSQL()
    yield server
    server.drop()


@pytest.fixture(params=SERVERS)
def server(request, transactional_db):
    """Both, one after the other."""
    server = SERVERS[request.param]()
    yield server
    server.drop()


@pytest.fixture
def wire(server):
    """A port that leads to the server."""
    wire = Wire(server)
    yield wire
    wire.cut()


@pytest.fixture
def read_from(settings):
    """read_from(server, **values) makes it the source; values are those of config.staging.Staging."""

    def use(server, *, port=None, table=(None, staging.DEFAULT_TABLE), **values):
        place = {"time_zone": ZONE, "table": staging.TableName(*table)}
        settings.STAGING = staging.at(server.url(port), **(place | values))

    return use


@pytest.fixture
def synced(transactional_db):
    """synced(**options) runs one product sync and returns the run."""

    def run(**options):
        created = services.start_sync_here(services.SyncOptions(**options), actor="test")
        sync.run_product_sync(created.pk)
        created.refresh_from_db()
        return created

    return run


@pytest.fixture
def runs(transactional_db):
    """The queryset of runs."""
    return ProductSyncRun.objects
