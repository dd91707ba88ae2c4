"""Folders and users of their own: these tests start, kill and count real servers."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusters import put_migrated_cluster
from tests.config.processes import User, processes_of, wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder; the test fails if anything still runs in it a while after its end."""
    path = Path(tempfile.mkdtemp(prefix="pr-", dir="/tmp"))
    yield path
    try:
        wait_until(lambda: not processes_of(path), seconds=15)
    finally:
        for process in processes_of(path):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, 9)
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def made(folder: Path) -> None:
    """The cluster below `var` is there already: not every test is about the first start."""
    put_migrated_cluster(folder / "var" / "postgres")


@pytest.fixture
def use(folder: Path) -> Iterator[Callable[..., User]]:
    """Start users of a pair; each is ended with the test."""
    users: list[User] = []

    def start(where: Path = folder / "var", **options) -> User:
        users.append(User(where, **options))
        return users[-1]

    yield start
    for user in users:
        user.kill()
