"""manage.py move_manual_exports: move exports made by hand out of the worker's tables."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from api.codec import encode_text
from config.shell import CONFLICT, OneLineErrors
from exports.choices import Source
from exports.moving import Moved, move_manual_exports
from runs.shell import refusals_as_exit_codes


class Command(OneLineErrors, BaseCommand):
    help = (
        "Move exports made by hand from the worker's tables to the tables of their own: those of before there were "
        "such tables, which count as the worker's until they are named here, and those of a time with "
        "EXPORTS_MANUAL_STORE=brief. Articles the tag has there already are listed and kept once. "
        "Safe to run twice. Exit codes: 0 done, 1 failed, 2 bad arguments, 3 some tags were refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--tag", nargs="+", default=[], metavar="TAG", help="the batches of these tags")
        which.add_argument(
            "--suffix", default="", metavar="END", help="the batches of all tags that end so: --suffix=-manual"
        )
        parser.add_argument(
            "--source",
            choices=Source.values,
            default="",
            help="of a tag with two batches, which one (the one made by hand)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be moved")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals_as_exit_codes():  # what was moved before stays moved; the next start goes on
            moved = move_manual_exports(
                tags=options["tag"],
                suffix=options["suffix"],
                source=options["source"],
                dry_run=options["dry_run"],
                actor="command",
            )
        if options["json"]:
            batches = [each.as_json() for each in moved]
            self.stdout.write(encode_text({"dry_run": options["dry_run"], "batches": batches}))
        else:
            lines = [line for each in moved for line in as_lines(each, options["dry_run"])]
            self.stdout.write("\n".join(lines or [_("No brief has such a tag.")]))
        if refused := [each.tag for each in moved if each.refused]:
            message = _("Not moved: %(tags)s.") % {"tags": ", ".join(refused)}
            raise CommandError(message, returncode=CONFLICT)


def as_lines(moved: Moved, is_rehearsal: bool) -> list[str]:
    """What became of one batch, and every duplicate."""
    if moved.refused:
        return [f"{moved.tag}: {moved.refused}"]
    if is_rehearsal:
        text = ngettext("%(count)s article would move", "%(count)s articles would move", moved.moved)
    else:
        text = ngettext("%(count)s article moved", "%(count)s articles moved", moved.moved)
    duplicates = [_("  already there: %(article)s") % {"article": article_id} for article_id in moved.duplicates]
    return [f"{moved.tag}: {text % {'count': moved.moved}}", *duplicates]
