"""The file of a brief, below EXPORTS_DIR: written from stored text after the commit, whole or not at all."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from access.services import Actor, record
from exports.models import BriefBatch, ExportRun, ManualExportBatch
from exports.printing import sha256_of
from runs.whole_files import write_whole

MOST_BYTES_OF_NAME = 255  # what file systems hold, per part
MOST_CHARACTERS = 1000

logger = structlog.get_logger(__name__)


def checked_path(output_path: str) -> Path:
    """Where the file of this name goes. Raises ValidationError for what may not or cannot be written.

    Links are followed first, so none leads out of EXPORTS_DIR.
    """
    root = Path(settings.EXPORTS_DIR).resolve()
    parts = PurePosixPath(output_path).parts
    if (
        not parts
        or len(output_path) > MOST_CHARACTERS
        or not output_path.isprintable()
        or output_path.startswith("/")
        or output_path.endswith("/")
        or "\\" in output_path
        or ".." in parts
        or any(len(part.encode()) > MOST_BYTES_OF_NAME for part in parts)
    ):
        raise _refused(output_path)
    try:
        path = root.joinpath(*parts).resolve()
        if not path.is_relative_to(root) or path == root or path.is_dir():
            raise _refused(output_path)
        above = next(each for each in path.parents if each.exists())
        if above.is_relative_to(root) and not above.is_dir():
            raise _refused(output_path)
    except (OSError, RuntimeError) as error:  # too long in all; a link that leads to itself
        raise _refused(output_path) from error
    return path


def _refused(output_path: str) -> ValidationError:
    message = _("%(path)r cannot be the name of a file of a brief: it must lie below the folder for exports.")
    error = ValidationError(message, code="bad-path", params={"path": output_path[:100]})
    return ValidationError({"output_path": error})


def write(output_path: str, content: str) -> Path:
    """Put the text there, replacing what was there: under another name first, then at once.

    Raises ValidationError for a name that may not be, OSError when the disk refuses.
    """
    path = checked_path(output_path)
    write_whole(path, [content.encode()])
    return path


def write_again(exported: ExportRun | ManualExportBatch | BriefBatch) -> Path:
    """Write the file of a run or batch once more, from its stored text.

    Raises ValidationError when it has no file or its text is not what was stored, OSError when the disk refuses.
    """
    output_path = path_of(exported)
    if not output_path or not exported.content:
        raise ValidationError(_("This brief has no file."), code="no-file")
    if sha256_of(exported.content) != exported.sha256:
        raise ValidationError(_("The stored text does not have its SHA-256."), code="text-damaged")
    return write(output_path, exported.content)


def rewrite(batch: ManualExportBatch | BriefBatch, *, actor: Actor) -> Path:
    """Write a batch's file again because somebody wishes it; on record. Raises as write_again() does."""
    path = write_again(batch)
    record(
        actor=actor, action="brief.file-written", target=batch, after={"file": path_of(batch), "sha256": batch.sha256}
    )
    return path


def path_of(exported: ExportRun | ManualExportBatch | BriefBatch) -> str:
    """The name the file of a run, or of a batch's newest export, was asked for under."""
    if isinstance(exported, ExportRun):
        return exported.output_path
    return str(exported.export_payload.get("output_path") or "")


def write_after_commit(run: ExportRun) -> str:
    """Write the run's file; what went wrong, "" if nothing. The export stands, and write_again mends its file."""
    try:
        write_again(run)
    except OSError as error:
        why = error.strerror or str(error)
    except ValidationError as error:
        why = " ".join(error.messages)
    else:
        return ""
    logger.error("export.file_not_written", run=run.pk, path=run.output_path, error=why)
    return why
