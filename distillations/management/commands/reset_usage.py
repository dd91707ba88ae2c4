"""manage.py reset_usage: forget the uses of one distillation, or of all."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from config.shell import BAD_SETUP, OneLineErrors
from distillations import usage
from distillations.models import Distillation
from runs.shell import refusals_as_exit_codes


class Command(OneLineErrors, BaseCommand):
    help = "Forget the uses of one distillation, or with --all --yes of every one. Articles stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", nargs="?", help="of the distillation")
        parser.add_argument("--all", action="store_true", dest="every", help="of every distillation")
        parser.add_argument("--yes", action="store_true", help="really all of them")

    def handle(self, *args: Any, id: str | None, every: bool, yes: bool, **options: Any) -> None:
        if every == (id is not None):
            raise CommandError(_("Name one distillation by its id, or say --all."), returncode=BAD_SETUP)
        if every and not yes:
            raise CommandError(_("This forgets the use of every distillation: say --all --yes."), returncode=BAD_SETUP)
        with refusals_as_exit_codes():
            forgotten = (
                usage.reset_all_usage(actor="command")
                if every
                else usage.reset_usage(self._named(str(id)), actor="command")
            )
        self.stdout.write(_("%(count)s uses were forgotten.") % {"count": forgotten})

    def _named(self, key: str) -> Distillation:
        found = Distillation.objects.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
        if found is None:
            raise CommandError(_("There is no distillation %(id)s.") % {"id": key}, returncode=BAD_SETUP)
        return found
