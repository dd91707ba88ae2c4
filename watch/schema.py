"""The doctor compares the database with the models: what they declare must be there, and be valid.

Nothing is listed by hand: tables, columns, named constraints and indexes, foreign keys and triggers all come
from Django's models, those of later apps and of other people's too.
"""

from collections.abc import Iterator
from typing import Any

import pgtrigger
from django.apps import apps
from django.db import connection, models
from django.utils.translation import gettext as _
from pgtrigger import core as triggers

from watch.catalog import Index, Table, sequences_behind, tables, type_numbers
from watch.findings import Finding, Up, fine, problem
from watch.servers import unapplied_migrations

MEND = "manage.py doctor --mend"


def examine(up: Up) -> Iterator[Finding]:
    """Every table, column, constraint, index and trigger the models declare."""
    if not up.database:
        return
    unfinished = {app for app, _name in unapplied_migrations()}  # migrate first, then it is worth a look
    looked_at = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.app_label not in unfinished
    ]
    found = list(_differences(looked_at))
    yield from found
    if not found:
        counted = {"tables": len({model._meta.db_table for model in looked_at})}
        yield fine("schema", _("%(tables)s tables are as the models declare them") % counted)


def _differences(looked_at: list[type[models.Model]]) -> Iterator[Finding]:
    actual = tables()
    types = type_numbers({"bigint", "integer", *(_type_of(field) for each in looked_at for field in _columns(each))})
    expected_indexes: set[str] = set()
    for model in looked_at:
        name = model._meta.db_table
        if name not in actual:
            yield problem("schema", _("The table %(table)s is missing.") % {"table": name}, _restore(model))
            continue
        table = actual[name]
        yield from _wrong_columns(model, table, types)
        yield from _missing_constraints(model, table)
        yield from _missing_indexes(model, table)
        yield from _missing_keys(model, table)
        expected_indexes |= {index.name for index in model._meta.indexes}
        expected_indexes |= {each.name for each in model._meta.constraints}
    known = {model._meta.db_table for model in looked_at}
    for name in known & set(actual):
        yield from (
            _unfinished_index(name, index)
            for index in actual[name].indexes
            if not index.valid and index.name not in expected_indexes
        )
    yield from _wrong_triggers(looked_at)
    yield from _late_sequences(known)


# --- columns -------------------------------------------------------------------------------------


def _columns(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.local_concrete_fields if field.db_type(connection)]


def _type_of(field: Any) -> str:
    return str(field.db_type(connection))


def _fits(actual: int, declared: int | None, types: dict[str, int | None]) -> bool:
    """A wider integer is no fault: Django's own migrations give many-to-many tables a bigint."""
    return declared in (None, actual) or (declared == types["integer"] and actual == types["bigint"])


def _wrong_columns(model: type[models.Model], table: Table, types: dict[str, int | None]) -> Iterator[Finding]:
    for field in _columns(model):
        place = {"column": f"{model._meta.db_table}.{field.column}"}
        column = table.columns.get(field.column)
        if column is None:
            yield problem("schema", _("The column %(column)s is missing.") % place, _restore(model))
        elif not _fits(column.type, types[_type_of(field)], types):
            facts = place | {"type": _type_of(field)}
            yield problem("schema", _("The column %(column)s is no %(type)s.") % facts, _restore(model))
        elif column.not_null == field.null:
            text = (
                _("The column %(column)s must not allow NULL.")
                if column.not_null is False
                else _("The column %(column)s must allow NULL.")
            )
            change = "DROP" if field.null else "SET"
            sql = f"ALTER TABLE {_quoted(model)} ALTER COLUMN {_quote(field.column)} {change} NOT NULL"
            yield problem("schema", text % place, MEND, sql)


# --- what the models name ------------------------------------------------------------------------


def _missing_constraints(model: type[models.Model], table: Table) -> Iterator[Finding]:
    by_name = {each.name: each for each in table.constraints}
    indexes = {each.name: each for each in table.indexes}
    for constraint in model._meta.constraints:
        facts = {"name": constraint.name, "table": model._meta.db_table}
        there = by_name.get(constraint.name)
        if there is not None and there.valid:
            continue
        if there is not None:
            sql = f"ALTER TABLE {_quoted(model)} VALIDATE CONSTRAINT {_quote(constraint.name)}"
            text = _("The constraint %(name)s of %(table)s does not hold for old rows.")
            yield problem("schema", text % facts, MEND, sql)
            continue
        index = indexes.get(constraint.name) if isinstance(constraint, models.UniqueConstraint) else None
        if index is not None and index.valid and index.unique:
            continue
        text = _("The constraint %(name)s of %(table)s is missing.")
        if index is not None:
            text = _("The index %(name)s of %(table)s is not valid.")
        yield problem("schema", text % facts, MEND, *_drop(index), *_create_constraint(model, constraint))


def _missing_indexes(model: type[models.Model], table: Table) -> Iterator[Finding]:
    by_name = {index.name: index for index in table.indexes}
    for index in model._meta.indexes:
        there = by_name.get(index.name)
        if there is not None and there.valid:
            continue
        facts = {"name": index.name, "table": model._meta.db_table}
        text = _("The index %(name)s of %(table)s is missing.")
        if there is not None:
            text = _("The index %(name)s of %(table)s is not valid.")
        with connection.schema_editor(collect_sql=True, atomic=False) as editor:
            create = str(index.create_sql(model, editor, concurrently=True))
        yield problem("schema", text % facts, MEND, *_drop(there), create)


def _create_constraint(model: type[models.Model], constraint: Any) -> Iterator[str]:
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        sql = str(constraint.create_sql(model, editor))
    if isinstance(constraint, models.CheckConstraint):  # at once for new rows, and for old ones without a long lock
        yield f"{sql} NOT VALID"
        yield f"ALTER TABLE {_quoted(model)} VALIDATE CONSTRAINT {_quote(constraint.name)}"
    else:
        yield sql.replace("CREATE UNIQUE INDEX ", "CREATE UNIQUE INDEX CONCURRENTLY ", 1)


def _drop(index: Index | None) -> list[str]:
    return [f"DROP INDEX CONCURRENTLY {_quote(index.name)}"] if index is not None else []


def _unfinished_index(table: str, index: Index) -> Finding:
    text = _("The index %(name)s of %(table)s is not valid.") % {"name": index.name, "table": table}
    return problem("schema", text, MEND, f"REINDEX INDEX CONCURRENTLY {_quote(index.name)}")


# --- what the fields ask for, whatever its name --------------------------------------------------


def _missing_keys(model: type[models.Model], table: Table) -> Iterator[Finding]:
    schema_editor: Any = connection.schema_editor(collect_sql=True, atomic=False)
    local_fields: list[Any] = list(model._meta.local_concrete_fields)
    with schema_editor as editor:
        for fields in _unique_together(model):
            columns = tuple(field.column for field in fields)
            if not any(index.unique and not index.partial and index.columns == columns for index in table.indexes):
                sql = str(editor._create_unique_sql(model, fields))
                yield _missing_key(_("No unique index on %(place)s."), model, columns, sql)
        for field in local_fields:
            columns = (field.column,)
            if field.remote_field and field.db_constraint and not _has_foreign_key(table, field.column):
                sql = str(editor._create_fk_sql(model, field, "_fk_%(to_table)s_%(to_column)s"))
                sql = sql.removesuffix(" DEFERRABLE INITIALLY DEFERRED")
                yield _missing_key(
                    _("No valid foreign key on %(place)s."), model, columns, f"{sql} DEFERRABLE INITIALLY DEFERRED"
                )
            wants_index = field.db_index and not field.unique
            if wants_index and not any(
                index.valid and not index.partial and index.columns[:1] == columns for index in table.indexes
            ):
                sql = str(editor._create_index_sql(model, fields=[field], concurrently=True))
                yield _missing_key(_("No index on %(place)s."), model, columns, sql)


def _unique_together(model: type[models.Model]) -> Iterator[list[Any]]:
    for field in model._meta.local_concrete_fields:
        if field.unique:
            yield [field]
    for names in model._meta.unique_together:
        yield [model._meta.get_field(name) for name in names]


def _has_foreign_key(table: Table, column: str) -> bool:
    return any(each.kind == "f" and each.valid and each.columns == (column,) for each in table.constraints)


def _missing_key(text: str, model: type[models.Model], columns: tuple[str, ...], sql: str) -> Finding:
    place = f"{model._meta.db_table} ({', '.join(columns)})"
    return problem("schema", text % {"place": place}, MEND, sql)


# --- triggers and sequences ----------------------------------------------------------------------


def _wrong_triggers(looked_at: list[type[models.Model]]) -> Iterator[Finding]:
    for model, trigger in pgtrigger.registered():
        if model not in looked_at:
            continue
        status, enabled = trigger.get_installation_status(model)
        facts = {"name": trigger.name, "table": model._meta.db_table}
        if status == triggers.UNINSTALLED:
            text = _("The trigger %(name)s of %(table)s is missing.")
            yield problem("schema", text % facts, "manage.py pgtrigger install")
        elif status == triggers.OUTDATED:
            text = _("The trigger %(name)s of %(table)s is not the one the models declare.")
            yield problem("schema", text % facts, "manage.py pgtrigger install")
        elif not enabled:
            text = _("The trigger %(name)s of %(table)s is switched off.")
            yield problem("schema", text % facts, "manage.py pgtrigger enable")


def _late_sequences(known: set[str]) -> Iterator[Finding]:
    """After rows were copied in with their ids, the next insert would fail."""
    for table, column, sequence, highest in sequences_behind(known):
        text = _("The next id of %(table)s is already taken.") % {"table": f"{table}.{column}"}
        yield problem("schema", text, MEND, f"SELECT setval('{sequence}', {highest})")


def _restore(model: type[models.Model]) -> str:
    """No statement brings lost data back."""
    return _("Restore the table from a backup (docs/operations.md); an empty one: manage.py migrate %(app)s zero") % {
        "app": model._meta.app_label
    }


def _quoted(model: type[models.Model]) -> str:
    return _quote(model._meta.db_table)


def _quote(name: str) -> str:
    return connection.ops.quote_name(name)
