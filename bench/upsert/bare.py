"""The limit: the same statement with the same values through psycopg alone, in Django's way and in psycopg's own."""

from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from psycopg.types.json import Jsonb

from bench.upsert.values import analysis

JSON = ("content_format_weights", "language_preferences", "full_analysis_data")
COLUMNS = tuple(analysis(0))
STATEMENT = f"""
    INSERT INTO intent_analysis_metadata (task_id, {", ".join(COLUMNS)})
    VALUES (%(task_id)s, {", ".join(f"%({name})s" for name in COLUMNS)})
    ON CONFLICT (task_id) DO UPDATE
       SET {", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS)}, updated_at = clock_timestamp()
    RETURNING id, created_at, updated_at, xmax = 0
"""

_own: list[psycopg.Connection[Any]] = []


def save(task: UUID, number: int) -> None:
    """One atomic statement, its values bound by the client as in every connection of Django."""
    _execute(psycopg.ClientCursor, task, number)


def save_prepared(task: UUID, number: int) -> None:
    """One atomic statement that the server prepares, which none can count on behind a pooler."""
    _execute(psycopg.Cursor, task, number)


def _execute(cursor: type[psycopg.Cursor[Any]], task: UUID, number: int) -> None:
    values = analysis(number)
    values |= {name: Jsonb(values[name]) for name in JSON}
    cursor(_connection()).execute(STATEMENT, values | {"task_id": task}).fetchone()


def _connection() -> psycopg.Connection[Any]:
    """One per client, to the same database as Django's, but nothing of Django in it."""
    if not _own:
        connection.close()  # fifty clients with two each would be more than the server takes
        facts = connection.get_connection_params()
        wanted = ("dbname", "user", "password", "host", "port")
        _own.append(psycopg.connect(autocommit=True, **{key: facts[key] for key in wanted if facts.get(key)}))
    return _own[0]
