"""manage.py restart_change_feed: after the database was restored from a dump."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from etl.products import services


class Command(BaseCommand):
    help = "Make the change log of a restored dump readable as a feed again; its consumers have to start anew."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="kept in the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            adopted = services.restart_change_feed(reason=options["reason"], actor="command")
        except ValidationError as error:
            raise CommandError(" ".join(error.messages), returncode=2) from error
        self.stdout.write(f"{adopted} changes were adopted.")
