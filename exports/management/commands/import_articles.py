"""manage.py import_articles: take a file of articles in."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from api.codec import encode
from config.shell import BAD_SETUP, CANCELLED, FAILED, OneLineErrors
from exports.article_files import FORMAT_OF, FORMATS, Imported, Line, OnChunk, import_articles
from exports.rows import Fault
from runs.shell import refusals_as_exit_codes


class Command(OneLineErrors, BaseCommand):
    help = (
        "Take articles in from a file, by their article_id: JSONL (an object per line) or CSV (the first line names "
        "the columns). A thousand go in at once; what is in stays in, and running it again changes nothing. "
        "Rows that cannot be taken go to a reject file with the reason. "
        "Exit codes: 0 all are in, 1 some were rejected, 2 bad arguments or file, 130 stopped by Ctrl-C."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the file, or - for standard input")
        parser.add_argument("--format", choices=FORMATS, help="what the file is, when its name does not tell")
        parser.add_argument(
            "--rejects",
            metavar="FILE",
            help="where rejected rows go (FILE.rejects.jsonl, articles.rejects.jsonl for -)",
        )
        parser.add_argument(
            "--replace", action="store_true", help="empty the fields a row does not name, instead of keeping them"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["file"]
        file_format = options["format"] or ("jsonl" if name == "-" else FORMAT_OF.get(Path(name).suffix.lower()))
        if file_format is None:
            raise unusable(_("Say what the file is: --format jsonl or --format csv."))
        rejects = RejectFile(Path(options["rejects"] or f"{'articles' if name == '-' else name}.rejects.jsonl"))
        begun = time.monotonic()
        imported = Imported()
        with ExitStack() as stack:
            stack.enter_context(refusals_as_exit_codes())
            stack.enter_context(rejects)
            file = stack.enter_context(opened(name))
            on_chunk = stack.enter_context(progress_bar(file, quiet=options["json"]))

            def remember(so_far: Imported) -> None:
                nonlocal imported
                imported = so_far
                on_chunk(so_far)

            try:
                import_articles(
                    file,
                    file_format,
                    actor="command",
                    replace_all=options["replace"],
                    on_reject=rejects.write,
                    on_chunk=remember,
                )
            except OSError as error:
                raise unusable(f"{name}: {error.strerror or error}") from error
            except KeyboardInterrupt as error:
                message = _("Stopped; the first %(rows)s rows are done.") % {"rows": imported.rows}
                raise CommandError(message, returncode=CANCELLED) from error
        report = as_report(imported, rejects, time.monotonic() - begun)
        self.stdout.write(encode(report).decode() if options["json"] else as_text(report))
        if imported.rejected:
            message = _("%(rejected)s rows were rejected: see %(file)s") % report
            raise CommandError(message, returncode=FAILED)


def unusable(message: str) -> CommandError:
    """A file that cannot be read or written is a bad argument."""
    return CommandError(" ".join(message.split()), returncode=BAD_SETUP)


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """The file, or standard input."""
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below, and only opening may be refused
    except OSError as error:
        raise unusable(f"{name}: {error.strerror}") from error
    with file:
        yield file


class RejectFile:
    """Rejected rows as JSONL; made with the first of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: BinaryIO | None = None

    def __enter__(self) -> "RejectFile":
        return self

    def __exit__(self, *ended: object) -> None:
        if self.file:
            self.file.close()

    def write(self, line: Line, faults: list[Fault]) -> None:
        """One line: where it stood, what is wrong with it, and what it said."""
        if self.file is None:
            try:
                self.file = self.path.open("wb")
            except OSError as error:
                raise unusable(f"{self.path}: {error.strerror}") from error
        errors = [{"field": fault.field, "code": fault.code, "detail": fault.detail} for fault in faults]
        self.file.write(encode({"line": line.number, "errors": errors, "row": _storable(line.row)}) + b"\n")


def _storable(value: Any) -> Any:
    """Any row as JSON can say it: what is no text is shown by question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(each) for key, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list) else value


@contextmanager
def progress_bar(file: BinaryIO, *, quiet: bool) -> Iterator[OnChunk]:
    """A bar on a terminal; nothing where output is read by a program."""
    if quiet or not sys.stderr.isatty():
        yield lambda imported: None
        return
    from rich.console import Console
    from rich.progress import Progress

    size = Path(file.name).stat().st_size if file.seekable() and file is not sys.stdin.buffer else None
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(_("Taking articles in"), total=size)
        yield lambda imported: progress.update(task, completed=file.tell() if size else imported.rows)


def as_report(imported: Imported, rejects: RejectFile, seconds: float) -> dict[str, Any]:
    """What was done, under names programs can rely on."""
    return {
        "rows": imported.rows,
        "created": imported.created,
        "updated": imported.updated,
        "unchanged": imported.unchanged,
        "doubled": imported.doubled,
        "rejected": imported.rejected,
        "file": str(rejects.path) if imported.rejected else None,
        "ignoredColumns": imported.unknown_columns,
        "seconds": round(seconds, 3),
        "rowsPerSecond": round(imported.rows / seconds) if seconds else 0,
    }


def as_text(report: dict[str, Any]) -> str:
    """The report for a person."""
    shown = {name: ", ".join(value) if isinstance(value, list) else value for name, value in report.items()}
    return "\n".join(f"{name:>16}  {'-' if value in (None, '') else value}" for name, value in shown.items())
