"""manage.py backfill_usage: record the uses that imported articles stand for."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from config.shell import OneLineErrors
from distillations.backfill import backfill_usage
from runs.shell import refusals_as_exit_codes


class Command(OneLineErrors, BaseCommand):
    help = "Record the uses that imported articles stand for. May be stopped and repeated."

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals_as_exit_codes():  # what was recorded before stays recorded
            outcome = backfill_usage(actor="command")
        lines = (
            (_("uses recorded"), outcome.created),
            (_("articles with a use already"), outcome.already),
            (_("articles written here, whose uses were recorded then"), outcome.own),
            (_("articles older than the last reset of their distillation"), outcome.before_reset),
            (_("articles without a distillation"), outcome.without_distillation),
        )
        for what, number in lines:
            self.stdout.write(f"{number} {what}")
