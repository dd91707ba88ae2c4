"""Questions about the audit log."""

from django.db import connection, models


def distinct_by_index(model: type[models.Model], column: str, *, limit: int) -> list[str]:
    """The distinct values of a text column in order, found by hopping along an index that begins with it.

    SELECT DISTINCT reads the whole table; this reads one entry per value.
    """
    column = connection.ops.quote_name(column)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE hops AS (
                (SELECT {column} AS value FROM {table} ORDER BY {column} LIMIT 1)
                UNION ALL
                SELECT (SELECT {column} FROM {table} WHERE {column} > hops.value ORDER BY {column} LIMIT 1)
                  FROM hops WHERE hops.value IS NOT NULL
            )
            SELECT value FROM hops WHERE value IS NOT NULL LIMIT %s
            """,
            [limit],
        )
        return [value for (value,) in cursor.fetchall()]
