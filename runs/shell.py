"""What commands share: their exit codes, and how a wrong argument is refused: in one line."""

from argparse import ArgumentParser
from typing import NoReturn

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
