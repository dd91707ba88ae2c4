"""Empties the database after a test that commits, by what the test wrote and not by what there is.

Django truncates every table and makes permissions, roles and schedules anew: with our indexes that took longer
than most tests. Here only tables that hold rows are emptied; what migrations ship stays unless a test changed it.
"""

from importlib import import_module

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase

SMALL_BYTES = 1_000_000  # above it TRUNCATE is quicker than DELETE and leaves no dead rows

_shipped: dict[str, str] = {}


def install() -> None:
    """Clean up in this way from now on. The database is fresh: what it holds is what migrations ship."""
    _remember_shipped()
    TransactionTestCase._fixture_teardown = lambda test: clean()


def clean() -> None:
    """Empty every table but the shipped; these are made anew when they were changed."""
    if connection.in_atomic_block:  # a test that fails inside a block of its own
        connection.close()
    if _contents(list(_shipped)) != _shipped:
        call_command("flush", verbosity=0, interactive=False)
        ship_templates()
        _remember_shipped()
        return
    written = [table for table in _with_rows() if table not in _shipped]
    if not written:
        return
    with connection.cursor() as cursor:
        # neither foreign keys nor append-only triggers have a say in this
        cursor.execute("SET session_replication_role = replica")
        try:
            for table in written:
                cursor.execute("SELECT pg_table_size(%s::regclass)", [f'"{table}"'])
                statement = "DELETE FROM" if cursor.fetchone()[0] < SMALL_BYTES else "TRUNCATE"
                cursor.execute(f'{statement} "{table}"' + (" CASCADE" if statement == "TRUNCATE" else ""))
        finally:
            cursor.execute("RESET session_replication_role")


def ship_templates() -> None:
    """Add the templates that a migration ships; roles and schedules come back by themselves."""
    import_module("exports.migrations.0002_shipped_templates").ship_templates(apps)


def _remember_shipped() -> None:
    tables = [*_with_rows(), "django_migrations"]
    _shipped.clear()
    _shipped.update(_contents(sorted(set(tables))))


def _with_rows() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM \"{table}\")" for table in tables)
        )
        return [row[0] for row in cursor.fetchall()]


def _contents(tables: list[str]) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{table}', coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM \"{table}\" t"
                for table in tables
            )
        )
        return dict(cursor.fetchall())
