"""What people want of documents: have them read, tried again, cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from access.services import Actor, record
from etl.documents import pointers, storage
from etl.documents.choices import DocumentError, DocumentStatus, Stage
from etl.documents.models import DocumentStep, ETLRule, ETLTask, Project, Table
from etl.documents.parsed import Unreadable
from etl.documents.parsing.media import recognise
from etl.documents.projects import locked_project
from etl.documents.refusals import FileKindRefused, FileRefused, FileTooLarge, NotThere, QueueFull
from etl.documents.storage import Received
from runs.errors import Conflict
from runs.querysets import ClockTimestamp
from runs.services import cancel, ring
from runs.transactions import atomic_retried

MOST_FILES = 20  # of one wish
LONGEST_NAME = 255
STAGES = {Stage.PARSE: (Stage.PARSE, Stage.TRANSFORM), Stage.TRANSFORM: (Stage.TRANSFORM,)}


@dataclass(frozen=True)
class Upload:
    """A file as it comes in: its name and its bytes, piece by piece."""

    filename: str
    pieces: Iterable[bytes]


@dataclass(frozen=True)
class DocumentWish:
    """What is wanted of files: whose they are, which rule shapes them, and where the results are mounted."""

    project_id: int
    rule_id: int | None = None
    table_id: int | None = None
    pointer: str = ""


def request_documents(
    uploads: Sequence[Upload], wish: DocumentWish, *, user: Any, actor: Actor | None = None
) -> list[ETLTask]:
    """Keep files and queue a task for each: all of them or none.

    They are the user's; `actor` is who asks, if that is not the user (a command).
    Raises QueueFull before anything is kept; NotThere for a project, rule or table that the user does not see;
    PlaceRefused for a pointer that is none; ValidationError for a file name that cannot be one; FileRefused for a file
    that is not allowed; PermissionDenied for a table by a user who may not mount.
    """
    if not 1 <= len(uploads) <= MOST_FILES:
        raise too_many_files()
    project, rule, table = _found(wish, user)
    if wish.table_id is not None:
        pointers.parse(wish.pointer)
    for upload in uploads:
        _check_name(upload.filename)
    if ETLTask.objects.open().count() + len(uploads) > settings.ETL_MAX_PENDING:
        raise QueueFull
    received: list[Received] = []
    try:
        for upload in uploads:
            received.append(_received(upload))
        media = [_recognised(each) for each in received]
        placed = [storage.take_in(each) for each in received]
    finally:
        for each in received:
            storage.discard(each)  # what was taken in is no longer there

    def create() -> list[ETLTask]:
        locked_project(Project.objects.visible_to(user), project.pk)  # deleted side by side, it is not there any more
        return [
            _create(
                pk,
                key,
                file,
                kind,
                project=project,
                rule=rule,
                table=table,
                pointer=wish.pointer,
                user=user,
                actor=actor or user,
            )
            for (pk, key), file, kind in zip(placed, received, media, strict=True)
        ]

    return atomic_retried(create)


def _create(pk: int, key: str, file: Received, media: str, *, user: Any, actor: Actor, **of: Any) -> ETLTask:
    rule, table = of["rule"], of["table"]
    task = ETLTask(
        pk=pk,
        project=of["project"],
        rule=rule,
        rule_name=rule.name if rule else "",
        filename=file.filename,
        media=media,
        file=key,
        sha256=file.sha256,
        size=file.size,
        mount_table=table,
        mount_pointer=of["pointer"] if table else "",
        requested_by=user,
        dispatched_at=ClockTimestamp(),
    )
    task.save(force_insert=True)
    after = {"projectId": task.project_id, "ruleId": task.rule_id, "filename": task.filename, "sha256": task.sha256}
    record(actor=actor, action="document.requested", target=task, after=after)
    ring(task, noted=True)
    return task


def retry_document(task: ETLTask, *, from_stage: Stage | None = None, actor: Any) -> ETLTask:
    """Queue an ended task again under its own id, from a stage on; without one, from where it failed.

    What earlier stages made is used again if nothing they depend on has changed. Raises Conflict while it is being
    worked on ("already-running"), for a completed task without a stage named ("nothing-to-retry"), when its rule
    was deleted ("rule-deleted") or its text is to be shaped again but was never read ("no-text-yet").
    """

    def reopen() -> ETLTask:
        old = ETLTask.objects.select_for_update(no_key=True).defer("result").get(pk=task.pk)
        stage = _stage_to_begin_at(old, from_stage)
        DocumentStep.objects.filter(run=old, step__in=[each.value for each in STAGES[stage]]).make_void()
        values: dict[str, Any] = {"error_stage": "", "rule_name": old.rule.name if old.rule else ""}
        if stage == Stage.PARSE:
            values["remote_id"] = ""
        ETLTask.objects.reopen(old.pk, of=ETLTask.STATUSES.final, **values)
        record(
            actor=actor,
            action="document.retried",
            target=old,
            before={"status": old.status, "error": old.error, "errorStage": old.error_stage},
            after={"fromStage": stage.value},
        )
        ring(old)
        return ETLTask.objects.defer("result").get(pk=old.pk)

    return atomic_retried(reopen)


def _stage_to_begin_at(task: ETLTask, wanted: Stage | None) -> Stage:
    if task.is_open:
        raise Conflict("already-running", _("This task has not ended yet."))
    if task.rule_id is None and task.rule_name:
        raise Conflict("rule-deleted", _("The rule of this task was deleted."))
    has_text = task.steps.filter(step=Stage.PARSE).usable().exists()
    if wanted is None:
        if task.status == DocumentStatus.COMPLETED:
            raise Conflict("nothing-to-retry", _("This task is completed. Name the stage to begin at."))
        return Stage.TRANSFORM if has_text else Stage.PARSE
    if wanted not in STAGES:
        raise ValidationError({"from_stage": ValidationError(_("A task begins again at parse or transform."))})
    if wanted == Stage.TRANSFORM and not has_text:
        raise Conflict("no-text-yet", _("The document was never read; begin at parse."))
    return wanted


def cancel_document(task: ETLTask, *, actor: Any) -> None:
    """End an open task: its worker stops at its next step, or a third of a lease later. Raises Conflict when it has
    ended already."""
    atomic_retried(lambda: cancel(task, actor=actor))


def _found(wish: DocumentWish, user: Any) -> tuple[Project, ETLRule | None, Table | None]:
    """What the wish names, if the user sees it."""
    project = Project.objects.visible_to(user).filter(pk=wish.project_id).first()
    if project is None:
        message = _("There is no such project, or it is not yours to see.")
        raise NotThere("project-not-found", message, projectId=wish.project_id)
    rule = table = None
    if wish.rule_id is not None:
        rule = ETLRule.objects.visible_to(user).filter(pk=wish.rule_id).first()
        if rule is None:
            message = _("There is no such rule, or it is not yours to see.")
            raise NotThere("rule-not-found", message, ruleId=wish.rule_id)
    if wish.table_id is not None:
        if not user.has_perm("etl.mount_table"):
            raise PermissionDenied(_("You may not mount results into a table."))
        table = Table.objects.visible_to(user).defer("data").filter(pk=wish.table_id).first()
        if table is None:
            message = _("There is no such table, or it is not yours to see.")
            raise NotThere("table-not-found", message, tableId=wish.table_id)
    return project, rule, table


def _received(upload: Upload) -> Received:
    try:
        return storage.receive(upload.filename, upload.pieces)
    except Unreadable as fault:
        raise not_allowed(upload.filename, fault) from fault


def _recognised(received: Received) -> str:
    """The kind of a file that may be read."""
    try:
        return recognise(received.path, received.filename).kind
    except Unreadable as fault:
        raise not_allowed(received.filename, fault) from fault


def too_many_files() -> ValidationError:
    """Also for none at all."""
    return _refused("file", _("Send 1 to %(most)s files at once.") % {"most": MOST_FILES})


def not_allowed(filename: str, fault: Unreadable) -> FileRefused:
    """What is wrong with a file, in words; why it is refused decides about the status (etl.apps)."""
    kind = {
        DocumentError.TOO_LARGE: FileTooLarge,
        DocumentError.UNKNOWN_TYPE: FileKindRefused,
        DocumentError.WRONG_EXTENSION: FileKindRefused,
    }.get(DocumentError(fault.slug), FileRefused)
    message = _("%(file)s: %(reason)s.") % {"file": filename, "reason": DocumentError(fault.slug).label}
    return kind(fault.slug, message, filename=filename, details=fault.text)


def _check_name(filename: str) -> None:
    if not filename.strip() or len(filename) > LONGEST_NAME or not filename.isprintable():
        raise _refused("file", _("%(name)r cannot be the name of a file.") % {"name": filename[:100]})


def _refused(field: str, message: str) -> ValidationError:
    return ValidationError({field: ValidationError(message, code="invalid")})
