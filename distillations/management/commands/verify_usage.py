"""manage.py verify_usage: whether every counter equals the rows it counts."""

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from config.shell import FAILED, OneLineErrors
from distillations import usage
from runs.shell import refusals_as_exit_codes


class Command(OneLineErrors, BaseCommand):
    help = "Compare every counter with the rows it counts. Exit codes: 0 all agree, 1 some have drifted."

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals_as_exit_codes():
            drifts = usage.verify_usage()
        for drift in drifts:
            self.stdout.write(f"{drift.counter} {drift.id}: {drift.old_count} → {drift.new_count}")
        if drifts:
            self.stdout.write(_("%(count)s counters differ from their rows.") % {"count": len(drifts)})
            sys.exit(FAILED)
        self.stdout.write(_("Every counter equals its rows."))
