"""The next page is read and normalised while the one before it is being written.

Half of a page's time belongs to Python and half to PostgreSQL. One process alone would let each wait for the
other; a second thread with a connection of its own uses both. Shards do not: they fill the cores already.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple

from django.db import connection

from etl.products.decisions import Sifted, sift
from etl.products.pages import Page
from etl.products.positions import Cursor
from etl.products.source import SourceUnusable

# The thread that writes asks for little but often. With Python's 5 ms it would wait that long each time.
SWITCH_SECONDS = 0.0005


class Prepared(NamedTuple):
    """A page as read, and its rows as normalised."""

    page: Page
    sifted: Sifted


def prepare(read: Callable[[Cursor], Page | None], cursor: Cursor) -> Prepared | None:
    """The page beyond the cursor; None when there is none."""
    page = read(cursor)
    return Prepared(page, sift(page.rows)) if page is not None else None


class ReadAhead:
    """At most one page ahead. Nothing read here counts before its turn comes, so a page that is not asked for
    (the run was cancelled, the page before it failed) is forgotten.

    To be left before the source it reads is closed.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead")
        self._beyond: Cursor | None = None
        self._page: Future[Prepared | None] | None = None

    def __enter__(self) -> ReadAhead:
        self._switch_seconds = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.submit(lambda: connection.close())  # in the thread: it is the thread's own connection
        self._thread.shutdown()
        sys.setswitchinterval(self._switch_seconds)

    def begin(self, read: Callable[[Cursor], Page | None], cursor: Cursor) -> None:
        """Go and prepare the page beyond the cursor."""
        self._beyond, self._page = cursor, self._thread.submit(prepare, read, cursor)

    def take(self, cursor: Cursor) -> Prepared | None:
        """What was prepared for this cursor, waiting for it; None when there is nothing, whatever the reason.

        Whoever then reads the page again sees the end of the source anew, or meets an error of our own database
        where it is dealt with. Raises SourceUnusable as the thread did: a source that hangs is waited for once.
        """
        page, self._page = self._page, None
        if page is None:
            return None
        failure = page.exception()  # waits; the source is one connection, for one thread at a time
        if isinstance(failure, SourceUnusable) and cursor == self._beyond:
            raise failure
        return page.result() if failure is None and cursor == self._beyond else None
