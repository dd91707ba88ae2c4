"""manage.py etl_products: synchronise products from the staging table."""

import sys
from argparse import BooleanOptionalAction
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from api.codec import encode_text
from config.shell import BAD_SETUP, CANCELLED, FAILED, OneLineErrors
from etl.management.arguments import (
    duration,
    moment,
    not_negative,
    percent,
    positive,
    product_keys,
    shard_count,
)
from etl.products import services, sync
from etl.products.models import ProductSyncRun
from etl.products.rehearsal import rehearse
from etl.products.reports import as_report
from etl.products.source import SourceUnusable
from etl.products.staging import configured_source
from etl.products.wishes import keys_asked, mode_asked
from runs.errors import Conflict, RunFailed
from runs.services import cancel
from runs.shell import refusals_as_exit_codes


class Command(OneLineErrors, BaseCommand):
    help = (
        "Synchronise products from the staging table, page by page, from the watermark on. "
        "--full also deletes what the source no longer has; --since, --until and --keys read only these rows again "
        "and leave the watermark alone; --rehash reads no source. "
        "Ctrl-C cancels the run; what is committed stays, and the next run goes on from there. "
        "Exit codes: 0 done, 1 failed, 2 bad arguments or set-up, 3 already running, 130 cancelled."
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
        parser.add_argument(
            "--max-batches",
            type=positive,
            metavar="N",
            help="stop after N batches of the source; not with --full or --rehash, which are about everything",
        )
        parser.add_argument(
            "--max-rejects",
            type=not_negative,
            metavar="N",
            help="fail after more than N rejects; with --full nothing is deleted then",
        )
        parser.add_argument(
            "--shards",
            type=shard_count,
            default=1,
            metavar="N|auto",
            help="divide the keys among N Celery workers, this process included (auto: as many as cores)",
        )
        self.add_modes(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def add_modes(self, parser: CommandParser) -> None:
        """What is read, and what for, when it is not what is new."""
        modes = parser.add_argument_group("instead of what is new (one of them)")
        modes.add_argument(
            "--full",
            action="store_true",
            help="read everything from the first row, then delete the products that no source row is about",
        )
        modes.add_argument(
            "--max-delete-percent",
            type=percent,
            default=10,
            metavar="N",
            help="with --full: fail and delete nothing if more than N %% of the listed products would go (10)",
        )
        modes.add_argument(
            "--since",
            type=moment,
            metavar="TIME",
            help="read only rows changed at TIME (ISO 8601, local without an offset) or later",
        )
        modes.add_argument("--until", type=moment, metavar="TIME", help="read only rows changed at TIME or earlier")
        modes.add_argument(
            "--keys",
            type=product_keys,
            action="extend",
            metavar="BRAND/SKU[,…]",
            help="read only rows of these products; @FILE names a file with one BRAND/SKU per line; may be repeated",
        )
        modes.add_argument(
            "--rehash",
            action="store_true",
            help="after a change of the normaliser: compute the versions of stored products anew, without log rows",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with refusals_as_exit_codes():
                run = self.worked_on(wish_of(options), quiet=options["json"])
        except SourceUnusable as error:
            raise CommandError(error.message, returncode=BAD_SETUP) from error
        self.stdout.write(encode_text(as_report(run)) if options["json"] else as_text(run))
        if run.status != ProductSyncRun.STATUSES.completed:
            was_cancelled = run.status == ProductSyncRun.STATUSES.cancelled
            raise CommandError(why_not_completed(run), returncode=CANCELLED if was_cancelled else FAILED)

    def worked_on(self, wish: services.SyncOptions, *, quiet: bool) -> ProductSyncRun:
        """The run as it ended; a dry run's leaves no row."""
        for warning in slow_points():
            self.stderr.write(self.style.WARNING(warning))
        with progress_bar(quiet=quiet) as on_batch:
            return rehearsed(wish, on_batch) if wish.dry_run else synchronised(wish, on_batch)


def wish_of(options: dict[str, Any]) -> services.SyncOptions:
    """The arguments in the service's words. Raises ValidationError for products that cannot be."""
    picked = {name: options[name] for name in ("since", "until", "keys")}
    return services.SyncOptions(
        batch_size=options["limit"],
        resume=options["resume"],
        dry_run=options["dry_run"],
        lookback=options["lookback"],
        max_batches=options["max_batches"],
        max_rejects=options["max_rejects"],
        mode=mode_asked(full=options["full"], rehash=options["rehash"], **picked),
        max_delete_percent=options["max_delete_percent"],
        shards=options["shards"],
        **picked | {"keys": keys_asked(options["keys"] or [])},
    )


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
    wish.check()
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
    if isinstance(value, dict) and "count" in value:
        first = ", ".join(value["first"])
        return f"{value['count']}  {first}" + (" …" if value["count"] > len(value["first"]) else "")
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
