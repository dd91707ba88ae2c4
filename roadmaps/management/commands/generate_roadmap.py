"""manage.py generate_roadmap: ask for a learning roadmap."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from api.codec import encode_text
from config.shell import OneLineErrors
from roadmaps.choices import Level
from roadmaps.management.working import as_lines, as_report, refuse_failure, worked
from roadmaps.services import request_roadmap
from roadmaps.wishes import Wish
from runs.shell import refusals_as_exit_codes

NAMES = {"query": "query", "hours_per_week": "--hours"}


class Command(OneLineErrors, BaseCommand):
    help = (
        "Ask for a roadmap to what somebody wants to learn. A worker makes it; with --wait the command does, and needs "
        "none. "
        "Exit codes: 0 done, queued or waiting for a review, 1 failed or partly failed, 2 bad arguments, or a topic "
        "that is not known without a language model, 130 cancelled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("query", help='what is to be learnt, as in "Learn Redis"')
        parser.add_argument("--level", choices=Level.values, default=Wish.level, help="what is known (beginner)")
        parser.add_argument("--hours", type=int, default=Wish.hours_per_week, metavar="N", help="hours a week (6)")
        parser.add_argument("--language", choices=["zh", "en"], default="", help="of the roadmap (that of the query)")
        parser.add_argument("--review", action="store_true", help="let a person approve the tree before its contents")
        parser.add_argument("--user", metavar="NAME", help="whose it is; without one only administrators see it")
        parser.add_argument("--wait", action="store_true", help="make it here, and tell what it became")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals_as_exit_codes(NAMES):
            wish = Wish(
                options["query"], options["level"], hours_per_week=options["hours"], language=options["language"]
            )
            owner = user_named(options["user"])
            task = request_roadmap(wish, human_review=options["review"], user=owner, actor="command")
            task = worked(task) if options["wait"] else task
        self.stdout.write(encode_text(as_report(task)) if options["json"] else "\n".join(as_lines(task)))
        refuse_failure(task)


def user_named(name: str | None) -> Any:
    """The user of that name. Raises ValidationError."""
    if name is None:
        return None
    user = get_user_model().objects.filter(username=name, is_active=True).first() if "\0" not in name else None
    if user is None:
        message = _("There is no active user of this name.")
        raise ValidationError({"user": ValidationError(message, code="does-not-exist")})
    return user
