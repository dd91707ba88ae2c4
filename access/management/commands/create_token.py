from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from access.services import create_token
from config.shell import BAD_SETUP, OneLineErrors, wrong_arguments


class Command(OneLineErrors, BaseCommand):
    help = "Make a bearer token for a user and print it, alone, on stdout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the username")
        parser.add_argument("--read-only", action="store_true", help="the token may only read")
        parser.add_argument("--days", type=int, metavar="N", help="days until it expires; without, it never does")
        parser.add_argument("--name", default="", help="what it is for")

    def handle(self, *, user: str, read_only: bool, days: int | None, name: str, **options: Any) -> None:
        owner = get_user_model().objects.filter(username=user).first()
        if owner is None:
            raise CommandError(_("There is no user %(name)s.") % {"name": user}, returncode=BAD_SETUP)
        try:
            _token, plaintext = create_token(owner, name=name, read_only=read_only, days=days, actor="command")
        except ValidationError as error:
            raise wrong_arguments(error, {"user": "user"}) from error
        self.stdout.write(plaintext)
