"""manage.py etl_products: synchronise products from the staging table."""

import re
import sys
from argparse import ArgumentTypeError, BooleanOptionalAction
from collections.abc import Callable
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from api.codec import encode_text
from etl.products import services, sync
from etl.products.models import ProductSyncRun
from etl.products.rehearsal import rehearse
from etl.products.reports import as_report
from etl.products.source import SourceUnusable
from etl.products.staging import configured_source
from runs.errors import Conflict, Contention, RunFailed
from runs.services import cancel

FAILED, BAD_SETUP, ALREADY_RUNNING = 1, 2, 3


class Command(BaseCommand):
    help = (
        "Synchronise products from the staging table, page by page, from the watermark on. "
        "Exit codes: 0 done, 1 failed, 2 bad arguments or set-up, 3 already running."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=positive, default=1000, metavar="ROWS", help="rows per batch (1000)")
        parser.add_argument(
            "--resume",
            action=BooleanOptionalAction,
            default=True,
            help="start at the watermark (default) or, with --no-resume, at the first row",
        )
        parser.add_argument("--dry-run", action="store_true", help="compare only; write nothing at all")
        parser.add_argument(
            "--lookback",
            type=duration,
            default=timedelta(minutes=5),
            metavar="TIME",
            help="source time read again before the watermark, such as 300, 90s, 5m or 2h (5m)",
        )
        parser.add_argument("--max-batches", type=positive, metavar="N", help="stop after N batches")
        parser.add_argument("--max-rejects", type=not_negative, metavar="N", help="fail after more than N rejects")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        wish = services.SyncOptions(
            batch_size=options["limit"],
            resume=options["resume"],
            dry_run=options["dry_run"],
            lookback=options["lookback"],
            max_batches=options["max_batches"],
            max_rejects=options["max_rejects"],
        )
        try:
            for warning in slow_points():
                self.stderr.write(self.style.WARNING(warning))
            with progress_bar(quiet=options["json"]) as on_batch:
                run = rehearsed(wish, on_batch) if wish.dry_run else synchronised(wish, on_batch)
        except SourceUnusable as error:
            raise CommandError(error.message, returncode=BAD_SETUP) from error
        except Conflict as conflict:
            raise CommandError(str(conflict), returncode=ALREADY_RUNNING) from conflict
        except Contention as error:  # the run waits in the queue for the next start
            raise CommandError(f"{error.title}. {error.message}", returncode=FAILED) from error
        self.stdout.write(encode_text(as_report(run)) if options["json"] else as_text(run))
        if run.status != ProductSyncRun.STATUSES.completed:
            raise CommandError(why_not_completed(run), returncode=FAILED)


def synchronised(wish: services.SyncOptions, on_batch: sync.OnBatch) -> ProductSyncRun:
    """Work on a run in this process; the run as it ended. Ctrl-C cancels it."""
    run = services.start_sync_here(wish, actor="command")
    try:
        sync.run_product_sync(run.pk, on_batch=on_batch)
    except KeyboardInterrupt:
        with suppress(Conflict):  # it ended in the same moment
            cancel(run, actor="command")
    run.refresh_from_db()
    if run.is_open and run.error:
        raise CommandError(why_waiting(run), returncode=FAILED)
    if run.is_open:
        raise services.already_running(run.source)
    return run


def rehearsed(wish: services.SyncOptions, on_batch: sync.OnBatch) -> ProductSyncRun:
    """A dry run that leaves no row: the run in memory, with its counts."""
    run = wish.unsaved_run()
    with configured_source() as source:
        source.check()
        try:
            rehearse(run, source, on_batch)
        except RunFailed as failure:
            run.status, run.error, run.error_text = run.STATUSES.failed, failure.slug, failure.text
        else:
            run.status = run.STATUSES.completed
    return run


def slow_points() -> list[str]:
    """What makes the source slower to read than it need be."""
    with configured_source() as source:
        return source.warnings()


@contextmanager
def progress_bar(*, quiet: bool) -> Any:
    """A bar on a terminal; nothing where output is read by a program."""
    if quiet or not sys.stderr.isatty():
        yield sync.ignore
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(_("Reading the source"), total=None)

        def on_batch(run: ProductSyncRun) -> None:
            progress.update(task, total=run.rows_expected, completed=run.read)

        yield on_batch


def as_text(run: ProductSyncRun) -> str:
    """The report for a person."""
    report = as_report(run)
    lines = [f"{name:>16}  {as_words(value)}" for name, value in report.items() if name not in ("differences", "error")]
    if run.waiting:
        lines.append(f"{'waiting':>16}  {run.waiting}")
    lines += [difference_line(each) for each in report.get("differences", [])]
    return "\n".join(lines)


def as_words(value: Any) -> str:
    """A report's value for a person."""
    if isinstance(value, dict):
        return f"{value['at']} row {value['id']}"
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def difference_line(difference: dict[str, Any]) -> str:
    """One product of a dry run and what would change."""
    changes = ", ".join(
        f"{name}: {encode_text(old)} → {encode_text(new)}" for name, (old, new) in difference["fields"].items()
    )
    return f"  {difference['type']} {difference['brand']} {difference['sku']} {changes}".rstrip()


def why_not_completed(run: ProductSyncRun) -> str:
    """One line on how the run ended."""
    detail = f": {run.error_text}" if run.error_text else ""
    reason = f" ({run.error_label}{detail})" if run.error else ""
    return _("Product sync %(status)s%(reason)s.") % {"status": run.status, "reason": reason}


def why_waiting(run: ProductSyncRun) -> str:
    """One line on a run that could not go on now."""
    message = _("%(reason)s. Run %(id)s waits in the queue: a worker or the next start goes on with it.")
    return message % {"reason": run.error_text.rstrip("."), "id": run.pk}


def positive(text: str) -> int:
    """A whole number from 1 on that fits the database."""
    return whole(text, least=1)


def not_negative(text: str) -> int:
    """A whole number from 0 on that fits the database."""
    return whole(text, least=0)


def whole(text: str, *, least: int) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < least:
        raise ArgumentTypeError(f"{text!r} is not a whole number from {least} to 999999999")
    return int(text)


UNITS: dict[str, Callable[[int], timedelta]] = {
    "": lambda n: timedelta(seconds=n),
    "s": lambda n: timedelta(seconds=n),
    "m": lambda n: timedelta(minutes=n),
    "h": lambda n: timedelta(hours=n),
    "d": lambda n: timedelta(days=n),
}


def duration(text: str) -> timedelta:
    """A length of time: seconds, or a number with s, m, h or d."""
    match = re.fullmatch(r"(\d{1,6})([smhd]?)", text, re.ASCII)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not a length of time such as 300, 90s, 5m, 2h or 1d")
    return UNITS[match[2]](int(match[1]))
