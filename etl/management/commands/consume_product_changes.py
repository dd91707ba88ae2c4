"""manage.py consume_product_changes: a consumer of the change feed that keeps its own place."""

import os
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from api.codec import encode_text
from config.shell import BAD_SETUP, FAILED, OneLineErrors, whole
from etl.products import consumers, feed
from etl.products.api.serializers import ProductChangeSerializer
from etl.products.cursors import BEGIN, END, InvalidCursor
from etl.products.models import ProductChange
from runs.shell import refusals_as_exit_codes

GONE = 4


class Command(OneLineErrors, BaseCommand):
    help = (
        "Follow the product change feed and print every change: a sample to build consumers on. "
        "Exit codes: 0 up to date, 1 failed, 2 bad arguments or set-up, 4 the cursor is gone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        place = parser.add_mutually_exclusive_group(required=True)
        place.add_argument(
            "--cursor-file", type=Path, metavar="PATH", help="keep the place in a file, written after printing"
        )
        place.add_argument(
            "--consumer", type=consumer_name, metavar="NAME", help="keep the place in the database, with the effects"
        )
        parser.add_argument("--start", choices=[BEGIN, END], default=BEGIN, help="where to begin without a place yet")
        parser.add_argument("--restart", action="store_true", help="forget the place and begin at --start")
        parser.add_argument("--limit", type=page_size, default=1000, metavar="ROWS", help="changes per page (1000)")
        parser.add_argument("--follow", action="store_true", help="wait for more instead of ending")
        parser.add_argument("--every", type=seconds, default=1.0, metavar="SECONDS", help="how often to look (1)")
        parser.add_argument("--json", action="store_true", help="print one JSON object per line, as the API has them")

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_line = as_json if options["json"] else as_text
        try:
            with refusals_as_exit_codes():
                self.receive_all(options)
        except feed.CursorGone as gone:
            way_out = _("Here: %(options)s.") % {"options": f"--restart --start {END} | {BEGIN}"}
            raise CommandError(f"{gone.message} {way_out}", returncode=GONE) from gone
        except InvalidCursor as error:
            raise CommandError(f"{error.title}. {error.message}", returncode=BAD_SETUP) from error
        except OSError as error:
            raise CommandError(str(error), returncode=BAD_SETUP) from error
        except feed.FeedUnusable as error:
            raise CommandError(str(error.message), returncode=FAILED) from error

    def receive_all(self, options: dict[str, Any]) -> None:
        """Page after page to the end of the feed, or for ever with --follow."""
        receive = self.from_file(options) if options["cursor_file"] else self.from_database(options)
        while True:
            page = receive()
            if page.more:
                continue
            if not options["follow"]:
                return
            time.sleep(options["every"])

    def from_database(self, options: dict[str, Any]) -> Callable[[], feed.Page]:
        """Place and effects (here: the count of changes received) are one transaction."""
        name, start = options["consumer"], options["start"]
        if options["restart"]:
            consumers.move_consumer(name, start=start, actor="command")
        return lambda: consumers.receive(name, self.show, start=start, size=options["limit"])

    def from_file(self, options: dict[str, Any]) -> Callable[[], feed.Page]:
        """A file cannot share a transaction: who dies between the two prints the page again."""
        path = options["cursor_file"]
        if options["restart"] or not path.exists():
            keep(path, feed.cursor_at(options["start"]))

        def receive() -> feed.Page:
            page = feed.read(path.read_text(errors="replace").strip() or "-", size=options["limit"])
            self.show(page.changes)
            keep(path, page.cursor)
            return page

        return receive

    def show(self, changes: list[ProductChange]) -> None:
        """Print the changes and hand them to whoever reads, before the place is moved."""
        for change in changes:
            self.stdout.write(self.as_line(change))
        self.stdout.flush()


def keep(path: Path, cursor: str) -> None:
    """Replace the file's text in one step that survives a power failure: it has the old cursor or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w") as file:
        file.write(f"{cursor}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def as_json(change: ProductChange) -> str:
    """The change as the API answers it."""
    return encode_text(ProductChangeSerializer(change).data)


def as_text(change: ProductChange) -> str:
    """The change for a person."""
    fields = ", ".join(sorted(change.changed_fields))
    return f"{change.pk} {change.change_type} {change.brand_code} {change.sku} {fields}".rstrip()


def consumer_name(text: str) -> str:
    """A name that fits its column."""
    if not text.strip() or len(text) > 64 or "\0" in text:
        raise ArgumentTypeError(_("%(text)r is not a name of 1 to 64 characters") % {"text": text})
    return text.strip()


def page_size(text: str) -> int:
    """How many changes to handle at once."""
    return whole(text, least=1, most=10_000)


def seconds(text: str) -> float:
    """A pause between two looks."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.01 <= value <= 3600:
        raise ArgumentTypeError(_("%(text)r is not a number of seconds from 0.01 to 3600") % {"text": text})
    return value
