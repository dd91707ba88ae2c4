"""Clients side by side, each a process with a connection of its own; benches and fault tests share them."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from django.db import connection, connections

Work = Callable[[], None]


class Clients:
    """So many processes that repeat a piece of work, for so many times each or for so many seconds.

    They connect on entering the block, work within done(), and stay until it is left, so that the CPU time of their
    backends can be read.
    """

    def __init__(self, work: Work, count: int) -> None:
        self._work = work
        self._context: Any = multiprocessing.get_context("fork")
        self._orders = [self._context.Pipe() for _ in range(count)]
        self._processes = [self._context.Process(target=self._live, args=(pipe[1],)) for pipe in self._orders]

    def __enter__(self) -> Clients:
        connections.close_all()  # a fork must not share a connection
        for process in self._processes:
            process.start()
        for mine, _theirs in self._orders:
            assert mine.recv() == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for mine, _theirs in self._orders:
            mine.send(None)
        for process in self._processes:
            process.join()

    @property
    def pids(self) -> list[int]:
        """Their processes."""
        return [process.pid for process in self._processes if process.pid]

    def done(self, *, times: int = 1_000_000_000, seconds: float = 1_000_000.0) -> int:
        """Let all work at once; how often it was done in all. A client that failed raises here."""
        for mine, _theirs in self._orders:
            mine.send((times, seconds))
        outcomes = [mine.recv() for mine, _theirs in self._orders]
        failed = [outcome for outcome in outcomes if not isinstance(outcome, int)]
        if failed:
            raise AssertionError(f"{len(failed)} of {len(outcomes)} clients failed, the first with {failed[0]}")
        return sum(outcomes)

    def _live(self, orders: Any) -> None:
        connection.ensure_connection()
        orders.send("ready")
        while order := orders.recv():
            times, seconds = order
            began, done = time.monotonic(), 0
            try:
                while done < times and time.monotonic() - began < seconds:
                    self._work()
                    done += 1
            except Exception as error:
                orders.send(repr(error))
            else:
                orders.send(done)
        connection.close()
