"""The limit: the same locks, constraints, triggers and effects by a plain psycopg client, statements prepared."""

import psycopg
from django.db import connection

from distillations.selection import PICK_LEAST_USED

TAKEN = 3
TASK = """
    INSERT INTO generation_tasks (status, progress, attempt, max_attempts, error, error_text, mode, requested_count,
                                  keyword, dispatched_at)
    VALUES ('pending', 0, 0, 5, '', '', 'auto', %s, '', NULL) RETURNING id
"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('pick', 0))"

_own: list[psycopg.Connection] = []


def pick() -> None:
    """One task with three slots."""
    sql = _connection()
    with sql.transaction():
        (task,) = sql.execute(TASK, [TAKEN]).fetchone() or ()
        sql.execute(LOCK)
        sql.execute(PICK_LEAST_USED, {"task": task, "requested": TAKEN})


def _connection() -> psycopg.Connection:
    """One per client, to the same database as Django's, but nothing of Django in it."""
    if not _own:
        facts = connection.get_connection_params()
        wanted = ("dbname", "user", "password", "host", "port")
        _own.append(psycopg.connect(autocommit=True, **{key: facts[key] for key in wanted if facts.get(key)}))
    return _own[0]
