"""manage.py restart_change_feed: after the database was restored from a dump."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import ngettext

from config.shell import OneLineErrors
from etl.products import services
from runs.shell import refusals_as_exit_codes


class Command(OneLineErrors, BaseCommand):
    help = "Make the change log of a restored dump readable as a feed again; its consumers have to start anew."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="kept in the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals_as_exit_codes():
            adopted = services.restart_change_feed(reason=options["reason"], actor="command")
        said = ngettext("%(count)s change was adopted.", "%(count)s changes were adopted.", adopted)
        self.stdout.write(said % {"count": adopted})
