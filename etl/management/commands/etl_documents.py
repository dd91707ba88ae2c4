"""manage.py etl_documents: hand files in, and wait for what becomes of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from api.codec import encode_text
from config.shell import BAD_SETUP, CANCELLED, CONFLICT, FAILED, OneLineErrors
from etl.documents import hot, services
from etl.documents.models import ETLTask, Project
from etl.documents.refusals import FileRefused, QueueFull, Refused
from etl.documents.services import DocumentWish, Upload
from etl.management.arguments import positive
from runs.errors import Contention
from runs.workers import serving

LOOK_EVERY_SECONDS = 0.5
CHUNK_BYTES = 1_000_000


class Command(OneLineErrors, BaseCommand):
    help = (
        "Have documents read, shaped by a rule and, with --table, mounted: all of the files or none. "
        "A worker of the queue etl does it; --wait waits for it. "
        "Exit codes: 0 done (without --wait: handed in), 1 a document failed, 2 bad arguments or a file that may not "
        "be read, 3 too many documents are waiting, 130 interrupted while waiting (the tasks go on)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=f"up to {services.MOST_FILES} files")
        parser.add_argument("--project", type=positive, required=True, metavar="ID", help="the project they belong to")
        parser.add_argument(
            "--rule", type=positive, metavar="ID", help="shape them by this rule (keep the text as it is)"
        )
        parser.add_argument("--table", type=positive, metavar="ID", help="mount the results into this table")
        parser.add_argument("--at", metavar="POINTER", help="mount them at this JSON pointer (the root)")
        parser.add_argument("--user", metavar="NAME", help="in whose name (the owner of the project)")
        parser.add_argument("--wait", action="store_true", help="wait until all have ended")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["at"] is not None and options["table"] is None:
            raise CommandError(_("--at needs --table."), returncode=BAD_SETUP)
        tasks = handed_in(options)
        keys = [task.pk for task in tasks]
        if options["wait"]:
            try:
                self.wait(keys, quiet=options["json"])
            except KeyboardInterrupt:
                line = _("Interrupted. The tasks go on: %(ids)s")
                raise CommandError(line % {"ids": ", ".join(map(str, keys))}, returncode=CANCELLED) from None
        tasks = sorted(ETLTask.objects.filter(pk__in=keys), key=lambda task: task.pk)
        self.stdout.write(encode_text(as_report(tasks)) if options["json"] else "\n".join(map(as_line, tasks)))
        failed = [task for task in tasks if not task.is_open and task.status != ETLTask.STATUSES.completed]
        if failed or any(task.error_stage for task in tasks if not task.is_open):
            counts = {"failed": sum(bool(task.error) for task in tasks), "all": len(tasks)}
            raise CommandError(_("%(failed)s of %(all)s did not come to their end.") % counts, returncode=FAILED)

    def wait(self, keys: Sequence[int], *, quiet: bool) -> None:
        """Until all have ended."""
        if not anybody_serves():
            self.stderr.write(self.style.WARNING(_("No worker serves the queue etl yet; waiting for one.")))
        with progress_bars(quiet=quiet) as show:
            while True:
                tasks = list(ETLTask.objects.filter(pk__in=keys).defer("result").order_by("pk"))
                show(tasks)
                if not any(task.is_open for task in tasks):
                    return
                time.sleep(LOOK_EVERY_SECONDS)


def handed_in(options: dict[str, Any]) -> list[ETLTask]:
    """The tasks. Raises CommandError for everything that is wrong with the wish."""
    user = whose(options)
    wish = DocumentWish(options["project"], options["rule"], options["table"], options["at"] or "")
    uploads = [Upload(path.name, pieces_of(path)) for path in options["files"]]
    for path in options["files"]:
        if not path.is_file():
            raise CommandError(_("There is no file %(path)s.") % {"path": path}, returncode=BAD_SETUP)
    try:
        return services.request_documents(uploads, wish, user=user, actor="command")
    except OSError as error:
        facts = {"path": error.filename, "why": error.strerror}
        raise CommandError(_("%(path)s cannot be read: %(why)s") % facts, returncode=BAD_SETUP) from error
    except ValidationError as error:
        raise CommandError(" ".join(error.messages), returncode=BAD_SETUP) from error
    except FileRefused as refusal:
        details = refusal.extra.get("details")
        reason = f"{refusal.message} ({details})" if details else str(refusal.message)
        raise CommandError(reason, returncode=BAD_SETUP) from refusal
    except Refused as refusal:
        raise CommandError(str(refusal.message), returncode=BAD_SETUP) from refusal
    except PermissionDenied as error:
        raise CommandError(str(error), returncode=BAD_SETUP) from error
    except QueueFull as full:
        raise CommandError(f"{full.title}. {full.message}", returncode=CONFLICT) from full
    except Contention as error:
        raise CommandError(f"{error.title}. {error.message}", returncode=FAILED) from error


def whose(options: dict[str, Any]) -> Any:
    """In whose name."""
    if options["user"] is not None:
        user = get_user_model().objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            reason = _("There is no user %(name)s.") % {"name": options["user"]}
            raise CommandError(reason, returncode=BAD_SETUP)
        return user
    project = Project.objects.select_related("owner").filter(pk=options["project"]).first()
    if project is None:
        reason = _("There is no project %(id)s.") % {"id": options["project"]}
        raise CommandError(reason, returncode=BAD_SETUP)
    if project.owner is None:
        raise CommandError(_("The project has no owner any more: name a --user."), returncode=BAD_SETUP)
    return project.owner


def pieces_of(path: Path) -> Iterator[bytes]:
    """A file, read when it is asked for."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


def anybody_serves() -> bool:
    """Whether a worker is known that would do it; True where nobody can tell."""
    try:
        return bool(serving(ETLTask.QUEUE))
    except RedisError:
        return True


@contextmanager
def progress_bars(*, quiet: bool) -> Any:
    """A bar for each file on a terminal; nothing where output is read by a program."""
    if quiet or not sys.stderr.isatty():
        yield lambda tasks: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bars: dict[int, Any] = {}

        def show(tasks: Sequence[ETLTask]) -> None:
            said = hot.overlay(tasks)
            for task in tasks:
                if task.pk not in bars:
                    bars[task.pk] = progress.add_task(task.filename, total=100)
                now = said.get(task.pk)
                progress.update(bars[task.pk], completed=now.percent if now else task.progress)

        yield show


def as_line(task: ETLTask) -> str:
    """One task for a person."""
    detail = f": {task.error_text}" if task.error_text else ""
    reason = f"  {task.error_label}{detail}" if task.error else ""
    return f"{task.pk:>8}  {task.get_status_display()}  {task.filename}{reason}"


def as_report(tasks: Sequence[ETLTask]) -> dict[str, Any]:
    """For a program."""
    return {
        "tasks": [
            {
                "taskId": task.pk,
                "filename": task.filename,
                "status": task.status,
                "error": task.error or None,
                "errorText": task.error_text,
                "errorStage": task.error_stage or None,
                "result": task.result,
            }
            for task in tasks
        ]
    }
