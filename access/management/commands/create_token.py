from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from access.services import create_token


class Command(BaseCommand):
    help = "Make a bearer token for a user and print it, alone, on stdout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the username")
        parser.add_argument("--read-only", action="store_true", help="the token may only read")
        parser.add_argument("--days", help="days until it expires; without, it never does")
        parser.add_argument("--name", default="", help="what it is for")

    def handle(self, *, user: str, read_only: bool, days: str | None, name: str, **options: Any) -> None:
        owner = get_user_model().objects.filter(username=user).first()
        if owner is None:
            raise CommandError(f"There is no user {user!r}.", returncode=2)
        try:
            _token, plaintext = create_token(owner, name=name, read_only=read_only, days=_whole(days), actor="command")
        except ValidationError as error:
            raise CommandError(" ".join(error.messages), returncode=2) from error
        self.stdout.write(plaintext)


def _whole(days: str | int | None) -> int | None:
    # read here, not by argparse, whose own message comes with three lines of usage
    if days is None:
        return None
    try:
        return int(days)
    except ValueError as error:
        raise CommandError(f"--days takes a whole number, not {days!r}.", returncode=2) from error
