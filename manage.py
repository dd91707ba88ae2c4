#!/usr/bin/env python3
"""Pressroom's command line; `manage.py help` lists the commands."""

import os
import sys

UNDEFINED_TABLE = "42P01"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # a person reads a command's own words; LOG_LEVEL=INFO brings the log lines back
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # a setting is wrong, not the program: one line, no traceback
        refuse(str(error))
    except OperationalError as error:
        refuse(f"the database cannot be used: {error}")
    except ProgrammingError as error:
        if getattr(error.__cause__, "sqlstate", None) != UNDEFINED_TABLE:
            raise
        refuse("the database lacks tables; run `manage.py migrate` first")


def refuse(reason: str) -> None:
    """Say in one line what is wrong with the set-up, and leave with exit code 2."""
    print(f"Error: {' '.join(reason.split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)  # as a shell reports Ctrl-C
