"""An object inside a table's document, looked at and changed by PostgreSQL alone.

Neither the document nor what is put into it passes through Python, so nobody's numbers change, and what stands
elsewhere in the document is not even looked at. jsonb_set() does nothing, silently, when a parent is missing or no
object, takes -1 and 01 for places in a list, and makes the whole document NULL of a NULL. So all of that is asked
before it is used, under the row lock of the table (locked() takes it).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from api.codec import encode
from etl.documents import pointers
from etl.documents.models import Table
from etl.documents.refusals import NotThere, PlaceRefused, TooLarge
from runs.errors import Conflict

SHA256 = "encode(sha256(convert_to(({})::text, 'UTF8')), 'hex')"  # NULL for what is not there

_KIND = """
SELECT jsonb_typeof(data #> %(path)s::text[]),
       EXISTS (
           SELECT FROM unnest(%(odd)s::int[]) AS place
           WHERE jsonb_typeof(data #> (%(path)s::text[])[:place]) = 'array'
       )
FROM "table" WHERE id = %(table)s
"""

_WRITE = """
UPDATE "table" SET
    data = CASE
        WHEN cardinality(%(path)s::text[]) = 0 THEN {node}
        ELSE jsonb_set(data, %(path)s::text[], {node}, false)
    END,
    version = version + %(steps)s,
    updated_at = clock_timestamp()
WHERE id = %(table)s
RETURNING version, octet_length(data::text)
"""


def locked(tables: QuerySet[Table], pk: int, *, to_delete: bool = False) -> Table:
    """The table of this id among `tables`, its row locked, its document left where it is. Raises NotThere."""
    rows = tables.select_for_update(of=("self",), no_key=not to_delete).defer("data")
    table = rows.filter(pk=pk).first()
    if table is None:
        raise no_table(pk)
    return table


def no_table(pk: int) -> NotThere:
    """For an id that is nobody's, or somebody else's."""
    return NotThere("table-not-found", _("There is no such table, or it is not yours to see."), tableId=pk)


@dataclass(frozen=True)
class Node:
    """A place in a table's document."""

    table_id: int
    pointer: str

    def __post_init__(self) -> None:
        """Raises PlaceRefused for what is no pointer."""
        pointers.parse(self.pointer)

    @property
    def path(self) -> list[str]:
        """The pointer as PostgreSQL takes it."""
        return pointers.parse(self.pointer)

    @property
    def parameters(self) -> dict[str, Any]:
        """What SQL about this node names: `data #> %(path)s::text[]` of the table `%(table)s`."""
        return {"table": self.table_id, "path": self.path, "pointer": self.pointer}

    def kind(self) -> str | None:
        """What stands there, in PostgreSQL's words; None for nothing. Raises PlaceRefused for 01 or -1 in a list."""
        with connection.cursor() as cursor:
            cursor.execute(_KIND, self.parameters | {"odd": pointers.odd_indexes(self.path)})
            kind, is_odd = cursor.fetchone()
        if is_odd:
            message = _("“%(pointer)s” leads into a list, whose places are 0, 1, 2 … without sign or leading zero.")
            raise PlaceRefused("pointer-bad-index", message % {"pointer": self.pointer}, pointer=self.pointer)
        return kind  # type: ignore[no-any-return]

    def insist_on_object(self) -> None:
        """Raises PlaceRefused, by a slug of its own for each kind of thing that is no object."""
        kind = self.kind()
        if kind != "object":
            slug, message = _no_object(kind)
            raise PlaceRefused(slug, message % {"pointer": self.pointer}, pointer=self.pointer)

    def taken(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys that the object has, in the order given."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT key FROM unnest(%(keys)s::text[]) WITH ORDINALITY AS wanted (key, place)
                WHERE (SELECT data #> %(path)s::text[] FROM "table" WHERE id = %(table)s) ? key ORDER BY place
                """,
                self.parameters | {"keys": list(keys)},
            )
            return [key for (key,) in cursor]

    def sha256_at(self, key: str) -> str | None:
        """Of the value at a key of the object; None when there is none."""
        with connection.cursor() as cursor:
            value = SHA256.format("data #> %(path)s::text[] -> %(key)s::text")
            cursor.execute(f'SELECT {value} FROM "table" WHERE id = %(table)s', self.parameters | {"key": key})
            return cursor.fetchone()[0]  # type: ignore[no-any-return]

    def put(self, values: str, parameters: dict[str, Any], *, steps: int = 1) -> int:
        """Set the keys of the JSON object that the SQL `values` gives; the table's new version, higher by `steps`.

        The caller has looked at the node under the same lock. Raises TooLarge.
        """
        version, size = self._write(f"((data #> %(path)s::text[]) || ({values}))", parameters, steps)
        refuse_too_large(size)
        return version

    def take(self, keys: Sequence[str]) -> int:
        """Remove these keys; the table's new version."""
        return self._write("((data #> %(path)s::text[]) - %(keys)s::text[])", {"keys": list(keys)}, 1)[0]

    def _write(self, node: str, parameters: dict[str, Any], steps: int) -> tuple[int, int]:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE.format(node=node), self.parameters | parameters | {"steps": steps})
            version, size = cursor.fetchone()
            return version, size


def refuse_too_large(size: int) -> None:
    """Raises TooLarge for so many bytes of JSON."""
    most = settings.ETL_MAX_TABLE_BYTES
    if size > most:
        message = _("A table holds at most %(most)s bytes of JSON; this would make it %(size)s.")
        raise TooLarge("table-too-large", message % {"most": most, "size": size}, most=most, size=size)


def printed_bytes(value: Any) -> int:
    """How long this JSON is once PostgreSQL has written every zero of its 1e400, but for spaces."""
    text = encode(value)
    return len(text) + (_zeros(value) if b"E" in text else 0)


def _zeros(value: Any) -> int:
    found, waiting = 0, [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Decimal):
            found += abs(int(each.as_tuple().exponent))
        elif isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return found


def _no_object(kind: str | None) -> tuple[str, str]:
    if kind is None:
        return "pointer-missing", _("There is nothing at “%(pointer)s”.")
    if kind == "null":
        return "pointer-null", _("At “%(pointer)s” stands null, and no object.")
    if kind == "array":
        return "pointer-list", _("At “%(pointer)s” stands a list, and no object.")
    return "pointer-scalar", _("At “%(pointer)s” stands a single value, and no object.")


def insist_on_once(keys: Sequence[str]) -> None:
    """Raises Conflict for keys that are given twice: which of the values was meant?"""
    twice = sorted(key for key, count in Counter(keys).items() if count > 1)
    if twice:
        message = _("These keys are given more than once: %(keys)s.")
        raise Conflict("duplicate-keys", message % {"keys": named(twice)}, duplicateKeys=twice)


def named(keys: Sequence[str]) -> str:
    """The first of them, for a sentence."""
    return ", ".join(keys[:10]) + (" …" if len(keys) > 10 else "")
