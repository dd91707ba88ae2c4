"""Further databases on the test's server, empty at first."""

import contextlib
from copy import deepcopy
from urllib.parse import quote
from uuid import uuid4

from django.db import connection, connections


@contextlib.contextmanager
def empty_database():
    """A database of its own, as a Django alias."""
    alias = f"extra_{uuid4().hex[:12]}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {alias} TEMPLATE template0")
    place = deepcopy(connection.settings_dict) | {"NAME": alias, "CONN_MAX_AGE": None}
    connections.databases[alias] = place
    # a test may connect only to what was there before it; what is connected already may stay
    extra = connections[alias]
    del connections.databases[alias]
    extra.ensure_connection()
    connections.databases[alias] = place
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections[alias], connections.databases[alias]
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {alias} WITH (FORCE)")


def url_of(alias):
    """The DATABASE_URL of an alias."""
    place = connections[alias].settings_dict
    host = quote(place["HOST"], safe="")
    address = f"{host}:{place['PORT']}" if place["PORT"] else host
    user = place["USER"] + (f":{quote(place['PASSWORD'])}" if place["PASSWORD"] else "")
    return f"postgresql://{user}@{address}/{place['NAME']}"


CATALOGUE = """
    SELECT 'column', c.relname, a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                     nullif(a.attidentity, ''), nullif(a.attgenerated, ''), pg_get_expr(d.adbin, d.adrelid))
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
       AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, concat_ws(' ', pg_get_constraintdef(oid), convalidated)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL
    SELECT 'index', indrelid::regclass::text, indexrelid::regclass::text,
           concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid, indisready)
      FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'trigger', tgrelid::regclass::text, tgname, concat_ws(' ', pg_get_triggerdef(oid), tgenabled)
      FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function', p.proname, pg_get_function_identity_arguments(p.oid), pg_get_functiondef(p.oid)
      FROM pg_proc p
     WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
       AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = p.oid AND e.deptype = 'e')
    UNION ALL
    SELECT 'sequence', schemaname, sequencename, concat_ws(' ', data_type, start_value, increment_by, cycle, cache_size)
      FROM pg_sequences WHERE schemaname = 'public'
    UNION ALL
    SELECT 'extension', extname, '', extversion FROM pg_extension
    UNION ALL
    SELECT 'table option', relname, '', reloptions::text
      FROM pg_class WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL
"""


def catalogue(alias):
    """Everything the schema consists of: (kind, owner, name) → definition."""
    with connections[alias].cursor() as cursor:
        cursor.execute(CATALOGUE)
        return {row[:3]: row[3] for row in cursor.fetchall()}
