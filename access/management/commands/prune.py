import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from access import pruning
from api.codec import encode_text
from config.shell import BAD_SETUP, FAILED, OneLineErrors

LEAST = timedelta(days=7)
UNITS = {"d": timedelta(days=1), "w": timedelta(weeks=1), "h": timedelta(hours=1)}


class Command(OneLineErrors, BaseCommand):
    help = (
        "Delete old rows of logs and other leftovers, by age. The only way past the append-only triggers; "
        "audited. Exit codes: 0 done, 1 not confirmed, 2 bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--older-than", type=age, required=True, metavar="AGE", help="such as 90d or 12w")
        parser.add_argument(
            "--what", metavar="A,B", help=f"only these of: {', '.join(pruning.kinds())} (default: all of them)"
        )
        parser.add_argument("--dry-run", action="store_true", help="count only; delete nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--force", action="store_true", help=f"also what is younger than {LEAST.days} days")

    def handle(self, *args: Any, **options: Any) -> None:
        names = chosen(options["what"])
        if options["older_than"] < LEAST and not options["force"]:
            reason = _("What is younger than %(days)s days is kept. Add --force to delete it all the same.")
            raise CommandError(reason % {"days": LEAST.days}, returncode=BAD_SETUP)
        before = timezone.now() - options["older_than"]
        if not (options["dry_run"] or options["yes"]):
            self.confirm(names, before)
        done = [
            pruning.count(name, before) if options["dry_run"] else pruning.prune(name, before, actor="command")
            for name in names
        ]
        if options["json"]:
            report = {
                "olderThan": before,
                "dryRun": options["dry_run"],
                "rows": {each.name: each.rows for each in done},
            }
            self.stdout.write(encode_text(report))
            return
        self.stdout.write("\n".join(as_lines(done)))

    def confirm(self, names: list[str], before: Any) -> None:
        """Ask on a terminal; without one nobody can be asked, so --yes must say it."""
        if not sys.stdin.isatty():
            raise CommandError(
                _("Nobody can be asked here: add --yes, or --dry-run to count only."), returncode=BAD_SETUP
            )
        self.stdout.write("\n".join(as_lines([pruning.count(name, before) for name in names])))
        if input(_("Delete these rows for ever? [yes/no] ")).strip().lower() not in ("yes", "y", "是"):
            raise CommandError(_("Nothing was deleted."), returncode=FAILED)


def chosen(what: str | None) -> list[str]:
    """The kinds to prune; CommandError for one nobody knows."""
    known = list(pruning.kinds())
    names = [name.strip() for name in what.split(",")] if what else known
    if unknown := sorted(set(names) - set(known)):
        reason = _("There is no %(name)s to prune; there are %(known)s.")
        facts = {"name": ", ".join(map(repr, unknown)), "known": ", ".join(known)}
        raise CommandError(reason % facts, returncode=BAD_SETUP)
    return list(dict.fromkeys(names))


def as_lines(done: list[pruning.Pruned]) -> Iterator[str]:
    """A line per kind for a person."""
    width = max(len(each.name) for each in done)
    for each in done:
        yield f"{each.name:<{width}}  {each.rows:>10}"


def age(text: str) -> timedelta:
    """A length of time such as 90d."""
    match = re.fullmatch(r"(\d{1,5})([hdw])", text, re.ASCII)
    if match is None:
        raise ArgumentTypeError(_("%(text)r is not an age such as 90d, 12w or 36h") % {"text": text})
    return int(match[1]) * UNITS[match[2]]
