"""What the database says of its own tables, in four queries."""

from dataclasses import dataclass, field

from django.db import connection

COLUMNS = """
    SELECT c.relname, a.attname, a.atttypid, a.attnotnull
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
       AND a.attnum > 0 AND NOT a.attisdropped
"""

CONSTRAINTS = """
    SELECT c.relname, k.conname, k.contype, k.convalidated,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS n (number, place)
                   JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.number ORDER BY n.place)
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
     WHERE c.relnamespace = current_schema()::regnamespace AND k.contype IN ('c', 'f', 'u', 'p', 'x')
"""

INDEXES = """
    SELECT t.relname, i.relname, x.indisvalid AND x.indisready, x.indisunique, x.indpred IS NOT NULL,
           ARRAY(SELECT coalesce(a.attname::text, '') FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS n (number, place)
                   LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = n.number
                  WHERE n.place <= x.indnkeyatts ORDER BY n.place)
      FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
     WHERE t.relnamespace = current_schema()::regnamespace
"""

SEQUENCES = """
    SELECT t.relname, a.attname, format('%I.%I', n.nspname, s.relname), pg_sequence_last_value(s.oid::regclass)
      FROM pg_class s
      JOIN pg_namespace n ON n.oid = s.relnamespace
      JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      JOIN pg_class t ON t.oid = d.refobjid
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
     WHERE s.relkind = 'S' AND s.relnamespace = current_schema()::regnamespace
"""


@dataclass(frozen=True)
class Column:
    type: int
    not_null: bool


@dataclass(frozen=True)
class Constraint:
    name: str
    kind: str  # pg_constraint.contype
    valid: bool
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Index:
    name: str
    valid: bool
    unique: bool
    partial: bool
    columns: tuple[str, ...]


@dataclass
class Table:
    """What one table has."""

    columns: dict[str, Column] = field(default_factory=dict)
    constraints: list[Constraint] = field(default_factory=list)
    indexes: list[Index] = field(default_factory=list)


def tables() -> dict[str, Table]:
    """Every table of the schema in use."""
    found: dict[str, Table] = {}
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        for table, column, type_oid, not_null in cursor.fetchall():
            found.setdefault(table, Table()).columns[column] = Column(type_oid, not_null)
        cursor.execute(CONSTRAINTS)
        for table, name, kind, valid, columns in cursor.fetchall():
            kind = kind.decode() if isinstance(kind, bytes) else kind
            found.setdefault(table, Table()).constraints.append(Constraint(name, kind, valid, tuple(columns)))
        cursor.execute(INDEXES)
        for table, name, valid, unique, partial, columns in cursor.fetchall():
            found.setdefault(table, Table()).indexes.append(Index(name, valid, unique, partial, tuple(columns)))
    return found


def type_numbers(names: set[str]) -> dict[str, int | None]:
    """The oid of each type by the name a CREATE TABLE gives it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, to_regtype(name)::oid::bigint FROM unnest(%s::text[]) AS n (name)", [sorted(names)]
        )
        return dict(cursor.fetchall())


def sequences_behind(known: set[str]) -> list[tuple[str, str, str, int]]:
    """(table, column, sequence, highest value) where the next row would get a number that is taken."""
    with connection.cursor() as cursor:
        cursor.execute(SEQUENCES)
        owned = [row for row in cursor.fetchall() if row[0] in known]
        if not owned:
            return []
        quote = connection.ops.quote_name
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT {place}, (SELECT max({quote(column)})::bigint FROM {quote(table)})"
                for place, (table, column, _sequence, _last) in enumerate(owned)
            )
        )
        highest = dict(cursor.fetchall())
    return [
        (table, column, sequence, highest[place])
        for place, (table, column, sequence, last) in enumerate(owned)
        if highest[place] is not None and highest[place] > (last or 0)
    ]
