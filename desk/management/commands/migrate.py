"""manage.py migrate as a live system needs it: one deploy at a time, and no queue behind a lock.

An ALTER TABLE that waits for a reader makes every later reader wait behind it. So a lock is waited for only
LOCK_TIMEOUT, and the migration is tried again, which lets the readers through in between.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections

from config.shell import OneLineErrors

LOCK_TIMEOUT = "2s"
ATTEMPTS = 20
PAUSE_SECONDS = (1.0, 3.0)
LOCK_NOT_AVAILABLE = "55P03"
DEPLOY = 7_240_001  # the advisory lock's number, of this database

INVALID_INDEXES = """
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace ORDER BY 1
"""


class Command(OneLineErrors, migrate.Command):
    """Django's own, behind a lock, with a lock timeout, tried again when a table is busy."""

    def handle(self, *args: Any, **options: Any) -> None:
        self.database = options["database"]
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        with self.deploying_alone():
            self.refuse_invalid_indexes()
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    super().handle(*args, **options)
                    break
                except OperationalError as error:
                    if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                        raise
                    self.wait_after(attempt, error)
            self.refuse_invalid_indexes()

    @contextmanager
    def deploying_alone(self) -> Iterator[None]:
        """Hold the advisory lock; it ends with the connection, whatever happens to this process."""
        told = False
        while not self.ask("SELECT pg_try_advisory_lock(%s)", DEPLOY):
            # asked again and again: a statement that waits would hold the other's concurrent index up for ever
            if not told:
                self.stderr.write("Another migrate is at work on this database; waiting for it.")
                told = True
            time.sleep(random.uniform(0.2, 0.6))  # noqa: S311 - jitter, not a secret
        try:
            yield
        finally:
            if connections[self.database].connection is not None and connections[self.database].is_usable():
                self.reset_timeouts()
                self.ask("SELECT pg_advisory_unlock(%s)", DEPLOY)

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        """Set the timeouts of each migration, and take them back afterwards."""
        if action in ("apply_start", "unapply_start"):
            # a concurrent index waits for every older transaction and blocks nobody meanwhile
            self.ask("SELECT set_config('lock_timeout', %s, false)", LOCK_TIMEOUT if migration.atomic else "0")
            self.ask("SELECT set_config('statement_timeout', %s, false)", "0")
        elif action in ("apply_success", "unapply_success"):
            self.reset_timeouts()
        super().migration_progress_callback(action, migration, fake)

    def reset_timeouts(self) -> None:
        """Back to what the role, the database or the settings say."""
        with connections[self.database].cursor() as cursor:
            cursor.execute("RESET lock_timeout; RESET statement_timeout")

    def wait_after(self, attempt: int, error: OperationalError) -> None:
        """Let the others through; after the last attempt say what to do."""
        self.reset_timeouts()
        reason = str(error).strip().splitlines()[0]
        if attempt == ATTEMPTS:
            raise CommandError(
                f"A table stayed in use over {ATTEMPTS} attempts ({reason}). Nothing is half done: find what holds "
                "it in pg_stat_activity and run migrate again.",
                returncode=1,
            ) from error
        self.stderr.write(f"A table is in use ({reason}); trying again ({attempt} of {ATTEMPTS}).")
        time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - jitter, not a secret

    def refuse_invalid_indexes(self) -> None:
        """An index that was being built when something died is kept up by every write and used by no query."""
        with connections[self.database].cursor() as cursor:
            cursor.execute(INVALID_INDEXES)
            names = [row[0] for row in cursor.fetchall()]
        if names:
            drops = " ".join(f'DROP INDEX CONCURRENTLY "{name}";' for name in names)
            raise CommandError(
                f"Left half-built by an interrupted migrate: {drops} Then run migrate again.", returncode=1
            )

    def ask(self, sql: str, value: Any) -> Any:
        with connections[self.database].cursor() as cursor:
            cursor.execute(sql, [value])
            return cursor.fetchone()[0]
