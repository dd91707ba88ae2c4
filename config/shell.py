"""What all commands share: their exit codes, and how a wrong argument is refused: in one line."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

FAILED, BAD_SETUP, CONFLICT, CANCELLED = 1, 2, 3, 130


class OneLineParser(CommandParser):
    """A parser that does not print its whole usage before it says what is wrong."""

    def error(self, message: str) -> NoReturn:
        refuse(self, message)


def refuse(parser: ArgumentParser, message: str) -> NoReturn:
    """Leave with the exit code for bad arguments; a caller inside Python gets the exception."""
    line = " ".join(message.split())
    if not getattr(parser, "called_from_command_line", False):
        raise CommandError(line, returncode=BAD_SETUP)
    hint = _("see %(command)s --help") % {"command": f"manage.py {parser.prog.split(' ', 1)[-1]}"}
    parser.exit(BAD_SETUP, f"Error: {line} ({hint})\n")


class OneLineErrors:
    """A command whose own parser refuses in one line; its subparsers name OneLineParser themselves."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: object) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)  # type: ignore[misc]
        parser.error = lambda message: refuse(parser, message)
        return parser


def wrong_arguments(error: ValidationError, names: Mapping[str, str] = MappingProxyType({})) -> CommandError:
    """What a service says of a wish, in one line, with the exit code for bad arguments.

    `names` tells how a field is written on the command line where it is not its own name behind two dashes.
    """
    if not hasattr(error, "error_dict"):
        return CommandError(" ".join(error.messages), returncode=BAD_SETUP)
    said = (
        f"{names.get(field, '--' + field.replace('_', '-'))}: {' '.join(messages)}"
        for field, messages in error.message_dict.items()
    )
    return CommandError(" ".join(said), returncode=BAD_SETUP)


def whole(text: str, *, least: int, most: int = 999_999_999) -> int:
    """An argument that is a whole number between bounds."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
        message = _("%(text)r is not a whole number from %(least)s to %(most)s")
        raise ArgumentTypeError(message % {"text": text, "least": least, "most": most})
    return int(text)
