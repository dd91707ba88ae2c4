"""Results of document tasks put into tables, and taken out again.

Every verb is one transaction, retried when it loses: tasks by id, then the table's row, which guards the document and
all mounts of it, then the mounts, then the audit log. What is mounted is read from the task's result, compared, hashed
and written by PostgreSQL (nodes.Node).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from access.services import record
from etl.documents import nodes, pointers
from etl.documents.choices import DocumentStatus, OnConflict
from etl.documents.models import ETLTask, Table, TableMount
from etl.documents.nodes import SHA256, Node
from etl.documents.refusals import NotThere
from runs.errors import Conflict
from runs.querysets import ClockTimestamp, database_now
from runs.transactions import atomic_retried

PREVIEW_AT_MOST = 100_000  # characters of either side

_OUTPUT = "(t.result -> 'output')"

# what each wish is about: its result, what stands at its key, and whose mount that is
_WISHES = f"""
WITH node AS MATERIALIZED (
    SELECT data #> %(path)s::text[] AS value FROM "table" WHERE id = %(table)s
), wish AS (
    SELECT * FROM unnest(%(tasks)s::bigint[], %(keys)s::text[]) WITH ORDINALITY AS w (task_id, key, place)
)
SELECT wish.task_id, wish.key, {SHA256.format(_OUTPUT)}, octet_length({_OUTPUT}::text),
       node.value ? wish.key, {SHA256.format("node.value -> wish.key")}, m.id, m.task_id
FROM wish
JOIN etl_task t ON t.id = wish.task_id
CROSS JOIN node
LEFT JOIN table_mount m ON m.table_id = %(table)s AND m.pointer = %(pointer)s AND m.key = wish.key
    AND m.unmounted_at IS NULL AND m.superseded_at IS NULL
ORDER BY wish.place
"""

_INSERT = f"""
WITH node AS MATERIALIZED (
    SELECT data #> %(path)s::text[] AS value, version FROM "table" WHERE id = %(table)s
), wish AS (
    SELECT * FROM unnest(%(tasks)s::bigint[], %(keys)s::text[]) WITH ORDINALITY AS w (task_id, key, place)
)
INSERT INTO table_mount (task_id, table_id, pointer, key, on_conflict, had_previous, previous, value_sha256,
                         table_version, mounted_by_id, mounted_at)
SELECT wish.task_id, %(table)s, %(pointer)s, wish.key, %(on_conflict)s, node.value ? wish.key, node.value -> wish.key,
       {SHA256.format(_OUTPUT)}, node.version + wish.place, %(user)s, %(now)s
FROM wish JOIN etl_task t ON t.id = wish.task_id CROSS JOIN node
ORDER BY wish.place
RETURNING key, id, table_version
"""

_RESULTS_BY_KEY = f"""
SELECT jsonb_object_agg(wish.key, {_OUTPUT})
FROM unnest(%(tasks)s::bigint[], %(keys)s::text[]) AS wish (task_id, key) JOIN etl_task t ON t.id = wish.task_id
"""

_PREVIEW = f"""
SELECT left(jsonb_pretty(data #> %(path)s::text[] -> %(key)s::text), %(most)s + 1),
       (SELECT left(jsonb_pretty({_OUTPUT}), %(most)s + 1) FROM etl_task t WHERE t.id = %(task)s)
FROM "table" WHERE id = %(table)s
"""


@dataclass(frozen=True)
class Mounted:
    """What became of a wish to mount; `mount_id` is None where something else was left standing."""

    mount_id: int | None
    path: str
    created: bool
    table_version: int
    replaced: bool
    task_id: int


@dataclass(frozen=True)
class Preview:
    """What a mount would do. `before` is None where nothing stands; both are cut where `is_cut`."""

    path: str
    before: str | None
    after: str
    is_cut: bool
    is_conflict: bool
    is_mounted: bool
    table_version: int


@dataclass(frozen=True)
class _Wish:
    """A task, its key, and what was found there under the lock."""

    task_id: int
    key: str
    sha256: str | None
    size: int | None
    is_taken: bool
    standing_sha256: str | None
    mount_id: int | None
    mounted_task_id: int | None

    @property
    def is_mounted(self) -> bool:
        """Whether just this stands there already, by a mount of the same task."""
        return self.mounted_task_id == self.task_id and self.standing_sha256 == self.sha256


def mount(
    task: ETLTask,
    *,
    table_id: int,
    pointer: str,
    key: str | None = None,
    on_conflict: OnConflict = OnConflict.ERROR,
    user: Any,
    actor: Any,
) -> Mounted:
    """Put the task's result under a key (default: the stem of its file's name) of an object in a table.

    Nothing is written, and `created` is false, when just that was mounted there before, or when the key is taken and
    `on_conflict` says skip. `user` is through whose eyes task and table are found.
    Raises NotThere, PlaceRefused, TooLarge, and Conflict ("task-not-completed", "no-result", "path-conflict").
    """
    keys = {} if key is None else {task.pk: key}
    (mounted,) = _mount_all([task], keys, Node(table_id, pointer), OnConflict(on_conflict), user=user, actor=actor)
    return mounted


def mount_many(
    tasks: Sequence[ETLTask],
    *,
    table_id: int,
    pointer: str,
    on_conflict: OnConflict = OnConflict.ERROR,
    user: Any,
    actor: Any,
) -> list[Mounted]:
    """Like mount() for each, all or nothing; the table's version rises by one for each that is written.

    Raises Conflict ("duplicate-keys") also where two of them would have the same key.
    """
    return _mount_all(tasks, {}, Node(table_id, pointer), OnConflict(on_conflict), user=user, actor=actor)


def unmount(mount: TableMount, *, actor: Any) -> int:
    """Take a result out of its table again, and put back what stood there; the table's new version.

    Only while the node is still what this mount wrote and no later mount stands inside of it. A mount that this one
    had replaced stands again. Raises Conflict ("mount-ended", "mount-changed", "mounts-below") otherwise.
    """

    def work() -> int:
        table = nodes.locked(Table.objects.all(), mount.table_id)
        row = TableMount.objects.defer("previous").select_for_update(no_key=True).filter(pk=mount.pk).first()
        if row is None:
            raise NotThere("not-found", _("This mount is gone."))
        node = Node(table.pk, row.pointer)
        _insist_on_untouched(row, node)
        version = _restore(row, node)
        TableMount.objects.filter(pk=row.pk).update(unmounted_at=ClockTimestamp())
        again = _stands_again(row)
        record(
            actor=actor,
            action="result.unmounted",
            target=table,
            before={"version": table.version, "mountId": row.pk, "taskId": row.task_id},
            after={"version": version, "path": pointers.join(row.pointer, row.key), "standsAgain": again},
        )
        return version

    return atomic_retried(work)


def preview(task: ETLTask, *, table_id: int, pointer: str, key: str | None = None, user: Any) -> Preview:
    """What stands there, what would, and whether that is a conflict; nothing is locked or written.

    Raises what mount() raises, but no "path-conflict".
    """
    node = Node(table_id, pointer)
    table = Table.objects.visible_to(user).defer("data").filter(pk=table_id).first()
    if table is None:
        raise nodes.no_table(table_id)
    tasks = _completed(ETLTask.objects.visible_to(user), [task.pk])
    (wish,) = _wishes(tasks, {} if key is None else {task.pk: key}, node)
    with connection.cursor() as cursor:
        values = {"key": wish.key, "task": wish.task_id, "most": PREVIEW_AT_MOST}
        cursor.execute(_PREVIEW, node.parameters | values)
        before, after = cursor.fetchone()
    return Preview(
        path=pointers.join(pointer, wish.key),
        before=before and before[:PREVIEW_AT_MOST],
        after=after[:PREVIEW_AT_MOST],
        is_cut=max(len(before or ""), len(after)) > PREVIEW_AT_MOST,
        is_conflict=wish.is_taken and not wish.is_mounted,
        is_mounted=wish.is_mounted,
        table_version=table.version,
    )


def key_of(task: ETLTask) -> str:
    """The key that a task's result has unless another is given: its file's name without the last extension."""
    stem, _dot, _extension = task.filename.rpartition(".")
    return stem or task.filename


def _mount_all(
    tasks: Sequence[ETLTask],
    keys: dict[int, str],
    node: Node,
    on_conflict: OnConflict,
    *,
    user: Any,
    actor: Any,
) -> list[Mounted]:
    def work() -> list[Mounted]:
        wanted = [task.pk for task in tasks]
        visible = ETLTask.objects.visible_to(user).select_for_update(of=("self",), no_key=True)
        completed = _completed(visible, wanted)
        table = nodes.locked(Table.objects.visible_to(user), node.table_id)
        wishes = _wishes(completed, keys, node)
        written = _to_write(wishes, on_conflict)
        rows = _write(written, node, on_conflict, user=user) if written else {}
        if rows:
            _audit(table, node, written, rows, actor=actor)
        return [_mounted(wish, rows.get(wish.key), node, table) for wish in wishes]

    return atomic_retried(work)


def _completed(visible: Any, wanted: Sequence[int]) -> list[ETLTask]:
    """The tasks of these ids, in this order; their results stay where they are."""
    found = {task.pk: task for task in visible.only("id", "status", "filename").filter(pk__in=wanted).order_by("pk")}
    missing = sorted(set(wanted) - found.keys())
    if missing:
        message = _("There is no such task, or it is not yours to see.")
        raise NotThere("task-not-found", message, taskIds=missing)
    unfinished = sorted(pk for pk, task in found.items() if task.status != DocumentStatus.COMPLETED)
    if unfinished:
        message = _("Only what is completed can be mounted.")
        raise Conflict("task-not-completed", message, taskIds=unfinished)
    return [found[pk] for pk in wanted]


def _wishes(tasks: Sequence[ETLTask], keys: dict[int, str], node: Node) -> list[_Wish]:
    """Each task with what stands at its key. The rows are locked, or only looked at."""
    pairs = [(task.pk, pointers.check_key(keys.get(task.pk, key_of(task)))) for task in tasks]
    nodes.insist_on_once([key for _pk, key in pairs])
    node.insist_on_object()
    with connection.cursor() as cursor:
        cursor.execute(_WISHES, node.parameters | _as_arrays(pairs))
        wishes = [_Wish(*row) for row in cursor]
    empty = [wish.task_id for wish in wishes if wish.sha256 is None]
    if empty:
        raise Conflict("no-result", _("This task is completed, but has no output."), taskIds=empty)
    return wishes


def _to_write(wishes: Sequence[_Wish], on_conflict: OnConflict) -> list[_Wish]:
    """Those that change something. Raises Conflict for keys that are taken, unless that is provided for."""
    changing = [wish for wish in wishes if not wish.is_mounted]
    if on_conflict == OnConflict.REPLACE:
        return changing
    taken = [wish.key for wish in changing if wish.is_taken]
    if taken and on_conflict == OnConflict.ERROR:
        message = _("There is something else already: %(keys)s.")
        raise Conflict("path-conflict", message % {"keys": nodes.named(taken)}, conflictingKeys=taken)
    return [wish for wish in changing if not wish.is_taken]


def _write(wishes: Sequence[_Wish], node: Node, on_conflict: OnConflict, *, user: Any) -> dict[str, tuple[int, int]]:
    """Write them; (mount id, table version) by key."""
    nodes.refuse_too_large(sum(wish.size or 0 for wish in wishes))
    arrays = _as_arrays([(wish.task_id, wish.key) for wish in wishes])
    now = database_now()  # one moment for the end of the one and the beginning of the other: replaced_by() goes by it
    TableMount.objects.filter(pk__in=[wish.mount_id for wish in wishes]).update(superseded_at=now)
    with connection.cursor() as cursor:
        values = {"on_conflict": on_conflict.value, "user": user.pk, "now": now}
        cursor.execute(_INSERT, node.parameters | arrays | values)
        rows = {key: (pk, version) for key, pk, version in cursor}
    node.put(_RESULTS_BY_KEY, arrays, steps=len(wishes))
    return rows


def _audit(table: Table, node: Node, wishes: Sequence[_Wish], rows: dict[str, tuple[int, int]], *, actor: Any) -> None:
    mounts = [
        {
            "mountId": rows[wish.key][0],
            "taskId": wish.task_id,
            "path": pointers.join(node.pointer, wish.key),
            "sha256": wish.sha256,
            "replaced": wish.standing_sha256,
        }
        for wish in wishes
    ]
    before = {"version": table.version}
    after = {"version": table.version + len(wishes), "mounts": mounts}
    record(actor=actor, action="result.mounted", target=table, before=before, after=after)


def _mounted(wish: _Wish, row: tuple[int, int] | None, node: Node, table: Table) -> Mounted:
    mount_id, version = row or (wish.mount_id if wish.is_mounted else None, table.version)
    return Mounted(
        mount_id=mount_id,
        path=pointers.join(node.pointer, wish.key),
        created=row is not None,
        table_version=version,
        replaced=row is not None and wish.is_taken,
        task_id=wish.task_id,
    )


def _insist_on_untouched(row: TableMount, node: Node) -> None:
    if not row.is_standing:
        raise Conflict("mount-ended", _("It was un-mounted or replaced already."), mountId=row.pk)
    below = [each.pk for each in TableMount.objects.standing_below(row) if _is_untouched(each)]
    if below:
        message = _("Other results are mounted inside of it; un-mount them first.")
        raise Conflict("mounts-below", message, mountIds=below)
    if not _is_untouched(row):
        message = _("What stands at “%(path)s” is no longer what was mounted there.")
        path = pointers.join(node.pointer, row.key)
        raise Conflict("mount-changed", message % {"path": path}, path=path)


def _is_untouched(row: TableMount) -> bool:
    return Node(row.table_id, row.pointer).sha256_at(row.key) == row.value_sha256


def _restore(row: TableMount, node: Node) -> int:
    if not row.had_previous:
        return node.take([row.key])
    previous = "SELECT jsonb_build_object(m.key, m.previous) FROM table_mount m WHERE m.id = %(mount)s"
    return node.put(previous, {"mount": row.pk})


def _stands_again(row: TableMount) -> int | None:
    """Let the mount stand that this one had replaced, if it had; its id."""
    replaced = TableMount.objects.replaced_by(row).defer("previous").first()
    if replaced is None or not row.had_previous:
        return None
    TableMount.objects.filter(pk=replaced.pk).update(superseded_at=None)
    return replaced.pk


def _as_arrays(pairs: Sequence[tuple[int, str]]) -> dict[str, list[Any]]:
    return {"tasks": [task_id for task_id, _key in pairs], "keys": [key for _pk, key in pairs]}
