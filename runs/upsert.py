"""Insert or update in one statement, and know which it was.

Never select, then insert: two at once both find nothing, and one of them fails (document 004).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.db import connections, models, router

M = TypeVar("M", bound=models.Model)


def upsert(model: type[M], *, unique: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[M, bool]:
    """The row with these unique values, made or brought up to date, and whether it was made.

    One INSERT … ON CONFLICT DO UPDATE … RETURNING: atomic, so of many at once exactly one is told that it made the row.
    `unique` are the fields of a unique constraint without a condition, `values` all others to be written; both by
    attribute name (`task_id`) and with plain values. A field named in neither gets its default in a new row and stays
    as it is in an old one; `created_at` is kept and `updated_at` moves, both by the database's clock. Nothing of
    Model.save() runs, and no signal is sent; the row's named fields are the values given.
    """
    using = router.db_for_write(model)
    connection = connections[using]
    statement = _statement(model, using, tuple(unique), tuple(values))
    known = {**unique, **values}
    with connection.cursor() as cursor:
        cursor.execute(
            statement.sql,
            [
                field.get_db_prep_save(known[name] if name in known else field.get_default(), connection)
                for name, field in statement.written.items()
            ],
        )
        *found, was_created = cursor.fetchone()
    for (name, read), value in zip(statement.returned.items(), found, strict=True):
        known[name] = read(value)
    return model.from_db(using, statement.names, [known[name] for name in statement.names]), was_created


@dataclass(frozen=True)
class _Statement:
    """What is the same of every upsert of these fields."""

    sql: str
    names: list[str]  # of all columns
    written: dict[str, models.Field[Any, Any]]
    returned: dict[str, Callable[[Any], Any]]  # what the caller does not know, and how it is read


@cache
def _statement(model: type[models.Model], using: str, unique: tuple[str, ...], values: tuple[str, ...]) -> _Statement:
    quote = connections[using].ops.quote_name
    fields = {field.attname: field for field in model._meta.concrete_fields}
    column = {name: quote(str(field.column)) for name, field in fields.items()}
    named = dict.fromkeys((*unique, *values))
    filled = {name for name, field in fields.items() if not field.primary_key and not field.has_db_default()}
    written = {name: fields[name] for name in fields if name in filled or name in named}
    updates = [f"{column[name]} = EXCLUDED.{column[name]}" for name in values or unique]
    if "updated_at" in fields and "updated_at" not in values:
        updates.append(f"{column['updated_at']} = clock_timestamp()")
    returned = {name: _reader(field, using) for name, field in fields.items() if name not in named}
    sql = (
        f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(column[name] for name in written)})"
        f" VALUES ({', '.join(['%s'] * len(written))})"
        f" ON CONFLICT ({', '.join(column[name] for name in unique)}) DO UPDATE SET {', '.join(updates)}"
        # the version of a row that an UPDATE made carries the lock of that update in xmax, a new row's is 0
        f" RETURNING {', '.join([*(column[name] for name in returned), 'xmax = 0'])}"
    )
    return _Statement(sql, list(fields), written, returned)


def _reader(field: models.Field[Any, Any], using: str) -> Callable[[Any], Any]:
    """How a value of this column is read, as a query would."""
    connection = connections[using]
    expression = field.cached_col  # type: ignore[attr-defined]
    converters = [*connection.ops.get_db_converters(expression), *expression.get_db_converters(connection)]

    def read(value: Any) -> Any:
        for convert in converters:
            value = convert(value, expression, connections[using])
        return value

    return read
