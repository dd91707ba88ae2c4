"""Make the sample workspace: one user per role, then what every app wants to show.

Safe to call again: users that exist keep their password, and each app's sample looks at its own data and
adds only what is missing.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils.module_loading import import_string

from config.shell import OneLineErrors

ROLE_OF = {"admin": "administrator", "operator": "operator", "viewer": "viewer"}


class Command(OneLineErrors, BaseCommand):
    help = "Load the sample workspace: users admin, operator and viewer, and every app's sample data."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="load it even though DEBUG is off")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG and not options["yes"]:
            raise CommandError("DEBUG is off: this looks like production. Add --yes to load the sample here.")
        for line in self._load():
            self.stdout.write(line)

    def _load(self) -> Iterator[str]:
        made = make_users(settings.VAR_DIR / "credentials.txt")
        yield from (f"user {name} (password in {settings.VAR_DIR / 'credentials.txt'})" for name in made)
        operator = get_user_model().objects.get(username="operator")
        loaded = False
        for config in apps.get_app_configs():
            if path := getattr(config, "sample", None):
                for line in import_string(path)(operator):
                    loaded = True
                    yield line
        if not made and not loaded:
            yield "The sample workspace is complete; nothing to load."


@transaction.atomic
def make_users(credentials: Path) -> list[str]:
    """Create the missing ones of the three users; returns their names."""
    return [name for name in ROLE_OF if _make_user(name, credentials) is not None]


def _make_user(name: str, credentials: Path) -> AbstractUser | None:
    """None when the user is there already: a password somebody set is never replaced."""
    users = get_user_model().objects
    if users.filter(username=name).exists():
        return None
    password = secrets.token_urlsafe(12)
    # inside the transaction: a password that cannot be written down must not be set
    _write_down(credentials, f"{name} {password}\n")
    user = users.create_user(name, password=password, is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=ROLE_OF[name])[0])
    return user


def _write_down(credentials: Path, line: str) -> None:
    credentials.parent.mkdir(parents=True, exist_ok=True)
    # the mode is given at creation: chmod afterwards would leave a moment in which others can read
    descriptor = os.open(credentials, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(line)
