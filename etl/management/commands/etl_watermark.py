"""manage.py etl_watermark: how far the source has been read, and how to read part of it again."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from api.codec import encode_text
from config.shell import OneLineErrors, OneLineParser
from etl.management.arguments import moment
from etl.products import services
from etl.products.models import Watermark
from runs.shell import refusals_as_exit_codes


class Command(OneLineErrors, BaseCommand):
    help = "Show the watermark of product sync, or rewind it. Exit codes: 0 done, 2 bad arguments, 3 a run is open."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="show|rewind", parser_class=OneLineParser)
        show = verbs.add_parser("show", help="print every watermark")
        show.add_argument("--json", action="store_true", help="print one JSON list")
        rewind = verbs.add_parser("rewind", help="let the next run read again from a time on")
        rewind.add_argument("--to", type=moment, required=True, metavar="TIME", help="ISO 8601 date or time")
        rewind.add_argument("--reason", required=True, help="kept in the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "show":
            self.show(as_json=options["json"])
        else:
            self.rewind(options["to"], options["reason"])

    def show(self, *, as_json: bool) -> None:
        rows = [
            {
                "source": row.table_name,
                "at": row.last_processed_at.isoformat(),
                "id": row.last_processed_id,
                "movedAt": row.updated_at.isoformat(),
            }
            for row in Watermark.objects.order_by("table_name")
        ]
        if as_json:
            self.stdout.write(encode_text(rows))
        elif not rows:
            self.stdout.write(_("No source has been read yet."))
        for row in [] if as_json else rows:
            self.stdout.write(_("%(source)s  %(at)s  row %(id)s  (moved %(movedAt)s)") % row)

    def rewind(self, to: datetime, reason: str) -> None:
        with refusals_as_exit_codes():
            watermark = services.rewind_watermark(to, reason=reason, actor="command")
        again = _("%(source)s is read again from %(to)s on.")
        self.stdout.write(again % {"source": watermark.table_name, "to": to.isoformat()})
