"""manage.py export_brief: the worker's brief, made here and now."""

import os
import sys
from argparse import ArgumentTypeError, BooleanOptionalAction
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from api.codec import encode_text
from config.shell import CANCELLED, FAILED, OneLineErrors, whole
from exports import services, worker
from exports.choices import Skipped, SkipScope
from exports.funnel import MOST_ARTICLES, OnStep, ignore
from exports.models import ExportRun
from exports.reports import as_report
from exports.services import ExportOptions
from runs.errors import Conflict
from runs.services import cancel
from runs.shell import refusals_as_exit_codes

NAMES = {"report_tag": "--tag", "report_date": "--date"}


class Command(OneLineErrors, BaseCommand):
    help = (
        "Make the worker's brief: the best articles that no earlier brief has, in the sections of a template, "
        "near-identical stories side by side. The text goes to standard output or to --output. "
        "It needs no running worker. "
        "Exit codes: 0 done (also when there was nothing to export), 1 failed, 2 bad arguments, "
        "3 the tag belongs to another date or the run is being worked on, 130 cancelled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tag", default="", help="what the brief is called (the date)")
        parser.add_argument(
            "--date", type=day, metavar="YYYY-MM-DD", help="its date (the one the tag begins with, else today)"
        )
        parser.add_argument("--limit", type=limit, metavar="N", help=f"articles at most ({MOST_ARTICLES})")
        parser.add_argument(
            "--min-score",
            type=score,
            default=ExportOptions.min_score,
            metavar="SCORE",
            help="only from this score on (60)",
        )
        parser.add_argument("--template", default=ExportOptions.template, help="a brief template (brief)")
        parser.add_argument(
            "--skip-exported",
            action=BooleanOptionalAction,
            default=True,
            help="leave out what an earlier brief has (default), or only what this brief has already",
        )
        parser.add_argument(
            "--skip-scope",
            choices=SkipScope.values,
            default=SkipScope.ALL,
            help="which earlier briefs count: all, also those made by hand (default), or those of the worker",
        )
        parser.add_argument("--dry-run", action="store_true", help="print only; write no row at all")
        parser.add_argument("--output", type=Path, metavar="PATH", help="write the text here instead of printing it")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of the text")

    def handle(self, *args: Any, **options: Any) -> None:
        wish = wish_of(options)
        with refusals_as_exit_codes(NAMES), progress_bar(quiet=options["json"]) as on_step:
            run = worker.rehearse(wish, on_step=on_step) if wish.dry_run else exported(wish, on_step)
        self.tell(run, as_json=options["json"], output=options["output"])
        if run.status != ExportRun.STATUSES.completed:
            was_cancelled = run.status == ExportRun.STATUSES.cancelled
            raise CommandError(why_not_completed(run), returncode=CANCELLED if was_cancelled else FAILED)

    def tell(self, run: ExportRun, *, as_json: bool, output: Path | None) -> None:
        """The text where it is wanted, and on standard error what became of the candidates."""
        if output is not None and run.content:
            write(output, run.content)
        if as_json:
            self.stdout.write(encode_text(as_report(run)))
            return
        if output is None and run.content:
            self.stdout.write(run.content, ending="")
        for line in funnel_lines(run):
            self.stderr.write(line)


def wish_of(options: dict[str, Any]) -> ExportOptions:
    """The arguments in the service's words."""
    return ExportOptions(
        report_tag=options["tag"],
        report_date=options["date"],
        limit=options["limit"],
        min_score=options["min_score"],
        template=options["template"],
        skip_exported=options["skip_exported"],
        skip_scope=SkipScope(options["skip_scope"]),
        dry_run=options["dry_run"],
    )


def exported(wish: ExportOptions, on_step: OnStep) -> ExportRun:
    """Work on a run in this process; the run as it ended. Ctrl-C cancels it."""
    run = services.start_export_here(wish, actor="command")
    try:
        worker.run_export(run.pk, on_step=on_step)
    except KeyboardInterrupt:
        with suppress(Conflict):  # it ended in the same moment
            cancel(run, actor="command")
    run.refresh_from_db()
    if run.is_open:
        message = _("Run %(id)s is being worked on by someone else.") % {"id": run.pk}
        raise Conflict("run-active", message, runId=run.pk)
    return run


def write(path: Path, text: str) -> None:
    """All of the text or nothing, also when the machine dies in the middle."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        message = _("The text could not be written to %(path)s: %(why)s. It is kept with the run.")
        raise CommandError(message % {"path": path, "why": error.strerror}, returncode=FAILED) from error


def funnel_lines(run: ExportRun) -> Iterator[str]:
    """What became of the candidates, for a person."""
    funnel = run.funnel
    if not funnel:
        return
    yield f"{funnel['candidates']:>8}  {_('candidates')}"
    for reason, skipped in funnel["skipped"].items():
        yield f"{-skipped['count']:>8}  {Skipped(reason).label}"
    yield f"{funnel['bucketed']:>8}  {_('in the sections of the template')}"
    yield f"{funnel['clusters']:>8}  {_('different stories')}"
    yield f"{run.printed:>8}  {_('printed')}"
    yield conclusion(run)


def conclusion(run: ExportRun) -> str:
    """One sentence on how it ended."""
    facts = {"tag": run.report_tag, "count": run.printed}
    if not run.printed:
        return _("There was nothing to export for “%(tag)s”.") % facts
    if run.dry_run:
        message = ngettext(
            "“%(tag)s” would have %(count)s article; nothing was written.",
            "“%(tag)s” would have %(count)s articles; nothing was written.",
            run.printed,
        )
        return message % facts
    message = ngettext(
        "“%(tag)s” was exported with %(count)s article.", "“%(tag)s” was exported with %(count)s articles.", run.printed
    )
    return message % facts


def why_not_completed(run: ExportRun) -> str:
    """One line on how the run ended."""
    detail = f": {run.error_text}" if run.error_text else ""
    reason = f" ({run.error_label}{detail})" if run.error else ""
    return _("The export %(status)s%(reason)s.") % {"status": run.status, "reason": reason}


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[OnStep]:
    """A bar on a terminal; nothing where output is read by a program."""
    if quiet or not sys.stderr.isatty():
        yield ignore
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(_("Making the brief"), total=100)
        yield lambda percent: progress.update(task, completed=percent)


def limit(text: str) -> int:
    """A number of articles."""
    return whole(text, least=1, most=MOST_ARTICLES)


def score(text: str) -> Decimal:
    """A score; whether there may be such a one is the service's to say."""
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ArgumentTypeError(_("%(text)r is not a number") % {"text": text}) from error


def day(text: str) -> date:
    """A date as YYYY-MM-DD."""
    try:
        found = parse_date(text)
    except ValueError:
        found = None
    if found is None or len(text) != 10:
        raise ArgumentTypeError(_("%(text)r is not a date such as 2026-03-01") % {"text": text})
    return found
