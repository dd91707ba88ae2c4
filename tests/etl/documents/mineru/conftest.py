"""A MinerU server, settings that lead to it, and a task that has a document read there."""

import pytest
from pytest_httpserver import HTTPServer

from etl.documents.mineru import detection
from etl.documents.mineru.parser import MineruParser
from etl.documents.parsed import Remote
from mineru_servers import GENERATIONS, TOKEN
from runs.errors import LeaseLost


@pytest.fixture(scope="session")
def listening():
    """A local server that may be asked again while it hangs. One for all, since it takes half a second to stop."""
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture
def http(listening):
    """The server with nothing to say yet."""
    yield listening
    listening.clear()


@pytest.fixture
def mineru(http, settings, monkeypatch):
    """`mineru("4")`: a server of that generation, and settings that lead to it."""
    monkeypatch.setattr(detection, "_spoken", {})
    made = []

    def make(generation, *, contract=None):
        server = GENERATIONS[generation](http)
        made.append(server)
        settings.ETL_PARSER, settings.ETL_MINERU_URL = "mineru", server.url
        settings.ETL_MINERU_TOKEN = TOKEN if generation == "hosted" else ""
        settings.ETL_MINERU_CONTRACT = contract or ("hosted" if generation == "hosted" else "auto")
        settings.ETL_MINERU_DOWNLOAD_HOSTS = ()
        settings.ETL_MINERU_POLL_SECONDS, settings.ETL_TASK_TIMEOUT = 0.02, 10
        settings.ETL_MINERU_CONNECT_SECONDS, settings.ETL_MINERU_READ_SECONDS = 1, 2
        return server

    yield make
    for server in made:
        server.over.set()


class Killed(BaseException):
    """The worker is gone at this point."""


class Task:
    """What the owner of the parser knows: the id on the server, and how far it is. It may be cancelled or killed."""

    def __init__(self, path, server):
        self.path, self.server, self.kept, self.told = path, server, [], []
        self.cancelled = self.killed = lambda: False

    def read(self, filename="报告 2026.pdf"):
        known = self.kept[-1] if self.kept else ""
        return MineruParser().parse(
            self.path, filename=filename, report=self.report, remote=Remote(known=known, keep=self.keep)
        )

    def keep(self, name):
        if self.cancelled():
            raise LeaseLost
        self.kept.append(name)
        self.server.events.append(("keep", name))

    def report(self, pages, total):
        self.told.append((pages, total))
        if self.cancelled():
            raise LeaseLost
        if self.killed():
            raise Killed


@pytest.fixture
def task(tmp_path, mineru):
    """`task(server)`: a task with a small document."""
    path = tmp_path / "file"
    path.write_bytes(b"%PDF-1.7 a document")
    return lambda server: Task(path, server)
