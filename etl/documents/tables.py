"""What people want of tables: make, describe, replace, edit and delete them.

Each verb is one transaction under the row lock of its table. Elements are set and removed by PostgreSQL inside of the
document (nodes.Node); only what was just sent passes through Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from access.services import record
from api.codec import encode_text
from etl.documents import nodes, pointers
from etl.documents.models import Project, Table, TableMount
from etl.documents.nodes import Node, printed_bytes, refuse_too_large
from etl.documents.projects import locked_project
from etl.documents.refusals import NotThere, Outdated
from runs.errors import Conflict
from runs.querysets import ClockTimestamp
from runs.transactions import atomic_retried

KEYS_AUDITED = 100
_TIMES = ["created_at", "updated_at"]

Element = tuple[str, Any]  # a key, and the JSON that stands there


def create_table(
    *, project_id: int, name: str, description: str = "", data: Any = None, user: Any, actor: Any
) -> Table:
    """A table in a project that `user` sees; an empty object without `data`.

    Raises NotThere, TooLarge, ValidationError.
    """
    document = {} if data is None else data

    def create() -> Table:
        project = locked_project(Project.objects.visible_to(user), project_id)  # or it might be deleted now
        table = Table(project=project, name=name.strip(), description=description, data=document)
        table.full_clean(exclude=["data", *_TIMES])
        refuse_too_large(printed_bytes(document))
        table.save(force_insert=True)
        after = {"projectId": project.pk, "name": table.name}
        record(actor=actor, action="table.created", target=table, after=after)
        return _fresh(table)

    return atomic_retried(create)


def edit_table(table: Table, *, name: str | None = None, description: str | None = None, actor: Any) -> Table:
    """Rename or describe it; None leaves it as it is. Its version stays. Raises ValidationError."""

    def edit() -> Table:
        row = nodes.locked(Table.objects.all(), table.pk)
        before = {"name": row.name, "description": row.description}
        after = {
            "name": row.name if name is None else name.strip(),
            "description": row.description if description is None else description,
        }
        if before == after:
            return row
        row.name, row.description, row.updated_at = after["name"], after["description"], ClockTimestamp()
        row.full_clean(exclude=["project", "data", *_TIMES])
        row.save(update_fields=["name", "description", "updated_at"])
        record(actor=actor, action="table.edited", target=row, before=before, after=after)
        return _fresh(row)

    return atomic_retried(edit)


def replace_data(table: Table, data: Any, *, version: int, actor: Any) -> int:
    """Another document in place of the one of this version; the new version. Raises Outdated, TooLarge."""
    refuse_too_large(printed_bytes(data))

    def replace() -> int:
        row = nodes.locked(Table.objects.all(), table.pk)
        if row.version != version:
            message = _("Somebody changed the table after you looked. Read it again.")
            raise Outdated("stale", message, tableVersion=row.version)
        row.data, row.version, row.updated_at = data, version + 1, ClockTimestamp()
        row.save(update_fields=["data", "version", "updated_at"])
        after = {"version": version + 1}
        record(actor=actor, action="table.replaced", target=row, before={"version": version}, after=after)
        return version + 1

    return atomic_retried(replace)


def delete_table(table: Table, *, force: bool = False, actor: Any) -> None:
    """Delete it and the history of its mounts; while one stands only by force: Conflict ("table-has-mounts")."""

    def delete() -> None:
        row = nodes.locked(Table.objects.all(), table.pk, to_delete=True)
        standing = TableMount.objects.standing().filter(table=row).order_by("pk")
        ids = list(standing.values_list("pk", flat=True)[: KEYS_AUDITED + 1])
        if ids and not force:
            message = _("Results are mounted into it. Un-mount them, or confirm that they go with it.")
            raise Conflict("table-has-mounts", message, mountIds=ids[:KEYS_AUDITED])
        before = {"projectId": row.project_id, "name": row.name, "version": row.version, "mountIds": ids[:KEYS_AUDITED]}
        record(actor=actor, action="table.deleted", target=row, before=before)
        row.delete()

    atomic_retried(delete)


def read_data(table: Table, pointer: str = "") -> tuple[int, str]:
    """(version, the JSON there as text), of one moment. Raises PlaceRefused, NotThere ("pointer-missing")."""
    node = Node(table.pk, pointer)
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT version, (data #> %(path)s::text[])::text FROM "table" WHERE id = %(table)s', node.parameters
        )
        found = cursor.fetchone()
    if found is None:
        raise nodes.no_table(table.pk)
    version, text = found
    if text is None:
        message = _("There is nothing at “%(pointer)s”.")
        raise NotThere("pointer-missing", message % {"pointer": pointer}, pointer=pointer)
    if pointers.odd_indexes(node.path):
        node.kind()  # which refuses 01 and -1 in a list
    return version, text


def create_context_data(table: Table, pointer: str, elements: Sequence[Element], *, actor: Any) -> int:
    """Add these keys to the object at `pointer`, all or none; the table's new version.

    Raises PlaceRefused, TooLarge, and Conflict ("path-conflict", "duplicate-keys") for keys that are taken or given
    twice.
    """

    def add(node: Node) -> int:
        taken = node.taken([key for key, _content in elements])
        if taken:
            message = _("There is something else already: %(keys)s.")
            raise Conflict("path-conflict", message % {"keys": nodes.named(taken)}, conflictingKeys=taken)
        return _put(node, elements)

    return _change(table, pointer, [key for key, _content in elements], add, "context.created", actor=actor)


def update_context_data(table: Table, pointer: str, elements: Sequence[Element], *, actor: Any) -> int:
    """Put other values in place of those at these keys, all or none; the table's new version.

    Raises like create_context_data(), and Conflict ("keys-missing") for keys that the object does not have.
    """
    keys = [key for key, _content in elements]

    def update(node: Node) -> int:
        _insist_on_all(node, keys)
        return _put(node, elements)

    return _change(table, pointer, keys, update, "context.updated", actor=actor)


def delete_context_data(table: Table, pointer: str, keys: Sequence[str], *, actor: Any) -> int:
    """Remove these keys from the object at `pointer`, all or none; the table's new version.

    Raises PlaceRefused, and Conflict ("keys-missing", "duplicate-keys").
    """

    def delete(node: Node) -> int:
        _insist_on_all(node, keys)
        return node.take(keys)

    return _change(table, pointer, keys, delete, "context.deleted", actor=actor)


def _change(
    table: Table, pointer: str, keys: Sequence[str], change: Callable[[Node], int], action: str, *, actor: Any
) -> int:
    """Do it under the lock of the table, to an object, with keys that are each named once; and put it on record."""
    node = Node(table.pk, pointer)
    nodes.insist_on_once(keys)

    def work() -> int:
        row = nodes.locked(Table.objects.all(), table.pk)
        node.insist_on_object()
        version = change(node)
        after = {"version": version, "pointer": pointer, "count": len(keys), "keys": list(keys[:KEYS_AUDITED])}
        record(actor=actor, action=action, target=row, before={"version": row.version}, after=after)
        return version

    return atomic_retried(work)


def _put(node: Node, elements: Sequence[Element]) -> int:
    values = dict(elements)
    refuse_too_large(printed_bytes(values))
    return node.put("%(values)s::jsonb", {"values": encode_text(values)})


def _insist_on_all(node: Node, keys: Sequence[str]) -> None:
    there = set(node.taken(keys))
    missing = [key for key in keys if key not in there]
    if missing:
        message = _("There is nothing at these keys: %(keys)s.")
        raise Conflict("keys-missing", message % {"keys": nodes.named(missing)}, missingKeys=missing)


def _fresh(table: Table) -> Table:
    return Table.objects.defer("data").get(pk=table.pk)
