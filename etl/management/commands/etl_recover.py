"""manage.py etl_recover: after a crash, look after documents at once instead of at the reaper's next rounds."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from api.codec import encode_text
from config.shell import FAILED, OneLineErrors
from etl.documents.models import ETLTask
from runs.reaper import ring_forgotten, settle_expired


class Command(OneLineErrors, BaseCommand):
    help = (
        "Queue again what dead workers hold of documents, fail what died too often, and ring for everything that "
        "waits. Safe at any time: what a living worker has is left alone. The reaper does the same by itself, a "
        "little later. Exit codes: 0 done, 1 the message broker is down, 2 bad arguments."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        done = recover()
        if options["json"]:
            self.stdout.write(encode_text(done))
        else:
            self.stdout.write(_("queued again, their workers were dead: %(requeued)s") % done)
            self.stdout.write(_("failed, their workers died too often: %(failed)s") % done)
            self.stdout.write(_("rung for: %(rung)s of %(due)s") % done)
        if done["due"] and not done["rung"]:
            raise CommandError(_("The message broker is down; the reaper rings when it is back."), returncode=FAILED)


def recover() -> dict[str, int]:
    """One thorough round over documents; what it did."""
    failed = requeued = 0
    while any(settled := settle_expired(ETLTask)):
        failed, requeued = failed + settled[0], requeued + settled[1]
    due = ETLTask.objects.forgotten(older_than=0).count()
    rung = ring_forgotten(ETLTask, limit=max(due, settings.ETL_MAX_PENDING), older_than=0)
    return {"failed": failed, "requeued": requeued, "rung": rung, "due": due}
