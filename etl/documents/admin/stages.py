"""Where a document stands on its way, as its page draws it: each stage with its state and how long it took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from etl.documents.choices import DocumentError, DocumentStatus, Stage
from etl.documents.models import DocumentStep, ETLTask
from runs.choices import StepOutcome

WAITING, NOW, DONE, REUSED, FAILED, STOPPED = "waiting", "now", "done", "reused", "failed", "stopped"
BEGINS_AT = {DocumentStatus.PENDING: 0, DocumentStatus.PARSING: 1, DocumentStatus.SHAPING: 2}


@dataclass(frozen=True)
class Station:
    """One stage. `counted` says what the worker counts there while it is at it."""

    label: Any
    state: str
    state_label: Any
    took: str = ""
    counted: str = ""


def stations(task: ETLTask, steps: Sequence[DocumentStep], *, status: str = "", is_mounted: bool) -> list[Station]:
    """The way of a task as it stands, or as it would be in another of the open statuses.

    `steps` are the records of its present retry.
    """
    return list(_stations(task, {step.step: step for step in steps}, status or task.status, is_mounted))


def _stations(task: ETLTask, steps: dict[str, DocumentStep], status: str, is_mounted: bool) -> Iterator[Station]:
    at = BEGINS_AT.get(DocumentStatus(status))
    yield _station(_("Pending"), NOW if at == 0 else _ended_before_it_began(task, status), took=_waited(task))
    for place, stage in enumerate((Stage.PARSE, Stage.TRANSFORM), start=1):
        step = steps.get(stage)
        counted = _("page") if stage == Stage.PARSE else _("part")
        if at is not None:
            state = NOW if at == place else DONE if at > place else WAITING
            if state == DONE and step is not None and step.outcome == StepOutcome.REUSED:
                state = REUSED
            yield _station(stage.label, state, took=_took(step) if state == DONE else "", counted=counted)
        else:
            yield _station(stage.label, _state_at_end(task, stage, step), took=_took(step))
    if task.mount_table_id is not None:
        failed = task.error_stage == Stage.MOUNT and status == DocumentStatus.COMPLETED
        yield _station(Stage.MOUNT.label, FAILED if failed else DONE if is_mounted else WAITING)
    yield _station(_("Done"), DONE if status == DocumentStatus.COMPLETED else WAITING)


def _ended_before_it_began(task: ETLTask, status: str) -> str:
    return STOPPED if status == DocumentStatus.CANCELLED and task.started_at is None else DONE


def _state_at_end(task: ETLTask, stage: Stage, step: DocumentStep | None) -> str:
    """What became of a stage of a task that has ended."""
    if step is not None and step.outcome == StepOutcome.FAILED:
        return FAILED
    if step is not None:
        return REUSED if step.outcome == StepOutcome.REUSED else DONE
    if task.status == DocumentStatus.COMPLETED:
        return DONE
    if task.error_stage == stage:
        return FAILED
    return WAITING


def _station(label: Any, state: str, *, took: str = "", counted: str = "") -> Station:
    labels = {
        WAITING: _("to come"),
        NOW: _("now"),
        DONE: _("done"),
        REUSED: _("used again"),
        FAILED: _("failed"),
        STOPPED: _("cancelled"),
    }
    return Station(label, state, labels[state], took, counted)


def _waited(task: ETLTask) -> str:
    """From the upload to the first worker; a retry begins long after the upload."""
    if task.started_at is None or task.retries:
        return ""
    return in_seconds(round((task.started_at - task.created_at).total_seconds() * 1000))


def _took(step: DocumentStep | None) -> str:
    return "" if step is None or step.outcome == StepOutcome.REUSED else in_seconds(step.milliseconds)


def in_seconds(milliseconds: int) -> str:
    """A duration as short as a stage is."""
    seconds = max(0, milliseconds) / 1000
    if seconds < 10:
        return _("%(seconds)s s") % {"seconds": f"{seconds:.1f}"}
    if seconds < 120:
        return _("%(seconds)s s") % {"seconds": round(seconds)}
    return _("%(minutes)s min %(seconds)s s") % {"minutes": int(seconds // 60), "seconds": round(seconds % 60)}


def what_to_do(task: ETLTask) -> str:
    """The next move of a person, for a task with an error; empty without one."""
    if not task.error:
        return ""
    if task.error_stage == Stage.MOUNT:
        return _("The result is there. Mount it by hand, at another place or under another key.")
    by_error = {
        DocumentError.NEEDS_OCR: _(
            "Have its pages recognised and upload it again, or have documents read by a MinerU server."
        ),
        DocumentError.NO_TEXT: _("Have its pages recognised and upload it again."),
        DocumentError.ENCRYPTED: _("Save it without a password and upload it again."),
        DocumentError.HAS_MACROS: _("Save it without macros and upload it again."),
        DocumentError.DAMAGED: _("Open it in its own program, save it anew and upload it again."),
        DocumentError.FILE_LOST: _("Upload the file again."),
        DocumentError.TIMED_OUT: _("Divide the document, or retry when less is going on."),
        DocumentError.TEXT_TOO_LONG: _("Divide the document and upload its parts."),
        DocumentError.TOO_MANY_PAGES: _("Divide the document and upload its parts."),
        DocumentError.TOO_MANY_ROWS: _("Divide the document and upload its parts."),
        DocumentError.SCHEMA_MISMATCH: _("Change the rule or its schema, then shape the text again."),
        DocumentError.PARSER_AWAY: _("See that the parsing server runs, then read it again."),
        DocumentError.PARSER_REFUSED: _("Look at what the parsing server says, then read it again."),
        DocumentError.PARSER_FAILED: _("Look at what the parsing server says, then read it again."),
        DocumentError.UNSUPPORTED_SERVER: _("See that the parsing server runs, then read it again."),
    }
    if task.error in by_error:
        return by_error[DocumentError(task.error)]
    if task.error_stage == Stage.TRANSFORM:
        return _("The text was read and is kept. Shape it again when the reason is gone.")
    return _("Retry when the reason is gone; what is done already is used again.")
