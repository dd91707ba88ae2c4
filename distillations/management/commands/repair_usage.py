"""manage.py repair_usage: set counters that drifted from the rows they count."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from config.shell import OneLineErrors
from distillations import usage
from runs.shell import refusals_as_exit_codes


class Command(OneLineErrors, BaseCommand):
    help = "Set every counter that differs from the rows it counts; --dry-run only says which."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="compare only; write nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        with refusals_as_exit_codes():
            repair = usage.repair_usage(actor="command", dry_run=dry_run)
        for drift in repair.drifts:
            self.stdout.write(f"{drift.counter} {drift.id}: {drift.old_count} → {drift.new_count}")
        said = _("%(count)s counters differ from their rows.") if dry_run else _("%(count)s counters were repaired.")
        self.stdout.write(said % {"count": len(repair.drifts)})
