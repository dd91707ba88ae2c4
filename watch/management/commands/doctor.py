import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from api.codec import encode_text
from config.shell import FAILED, OneLineErrors
from watch.findings import Finding, examine_everything
from watch.mending import mend


class Command(OneLineErrors, BaseCommand):
    help = (
        "Look at the whole installation and say what to do about what is wrong. "
        "Exit codes: 0 everything is fine, 1 there are problems."
    )
    requires_system_checks: list[str] = []  # they are among what is looked at

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--mend", action="store_true", help="create missing indexes and constraints, then look again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = examine_everything()
        if options["mend"]:
            for statement, failure in mend(found, actor="doctor"):
                self.stderr.write(f"{self.mark(not failure)} {statement}{f'  ({failure})' if failure else ''}")
            found = examine_everything()
        problems = [each for each in found if not each.ok]
        if options["json"]:
            self.stdout.write(encode_text(as_report(found)))
        else:
            self.stdout.write("\n".join([*self.lines(found), "", summary(len(problems))]))
        if problems:
            sys.exit(FAILED)

    def lines(self, found: list[Finding]) -> Iterator[str]:
        """Ticks, checks and texts in columns; what mends a problem stands below it."""
        width = max(len(each.check) for each in found)
        for each in sorted(found, key=lambda finding: finding.ok):  # what is wrong first; else in order
            yield f"{self.mark(each.ok)} {each.check:<{width}}  {each.text}"
            if each.mend:
                yield f"  {'':<{width}}  → {each.mend}"
            yield from (f"  {'':<{width}}      {statement}" for statement in each.sql)

    def mark(self, ok: bool) -> str:
        return self.style.SUCCESS("✓") if ok else self.style.ERROR("✗")


def as_report(found: list[Finding]) -> dict[str, Any]:
    """The round for a program."""
    return {
        "ok": all(each.ok for each in found),
        "checkedAt": timezone.now(),
        "checks": [
            {"check": each.check, "ok": each.ok, "text": each.text, "mend": each.mend or None, "sql": list(each.sql)}
            for each in found
        ],
    }


def summary(problems: int) -> str:
    """The last line."""
    if not problems:
        return _("Everything is fine.")
    return ngettext("%(count)s problem.", "%(count)s problems.", problems) % {"count": problems}
