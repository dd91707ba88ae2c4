"""manage.py retry_roadmap: try a roadmap again."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from api.codec import encode_text
from config.shell import OneLineErrors
from roadmaps.choices import StepName, Strategy
from roadmaps.management.working import as_lines, as_report, refuse_failure, worked
from roadmaps.models import RoadmapTask
from roadmaps.services import Retried, RetryWish, retry_roadmap
from runs.shell import refusals_as_exit_codes

NAMES = {"id": "id"}


class Command(OneLineErrors, BaseCommand):
    help = (
        "Try an ended roadmap task again: the contents that failed, or the step that did. What was made before and "
        "still fits is used again. "
        "Exit codes: 0 done, queued or waiting for a review, 1 failed again, 2 bad arguments, 3 it has not ended yet "
        "or there is nothing to try again, 130 cancelled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", help="of the task, or of its roadmap")
        parser.add_argument("--strategy", choices=Strategy.values, help="how to go on (content, or else checkpoint)")
        parser.add_argument("--from-step", choices=StepName.values, metavar="STEP", help=steps_in_words())
        parser.add_argument("--wait", action="store_true", help="make it here, and tell what it became")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        strategy, step = options["strategy"], options["from_step"]
        wish = RetryWish(Strategy(strategy) if strategy else None, StepName(step) if step else None)
        with refusals_as_exit_codes(NAMES):
            retried = retry_roadmap(task_of(options["id"]), wish, actor="command")
            task = worked(retried.task) if options["wait"] else retried.task
        if options["json"]:
            self.stdout.write(encode_text(as_report(task) | what_it_does(retried)))
        else:
            self.stdout.write("\n".join([f"{_('begins at'):>12}  {retried.resumed_from}", *as_lines(task)]))
        refuse_failure(task)


def steps_in_words() -> str:
    """For the help."""
    return f"make everything anew from this step on: {', '.join(StepName.values)}"


def what_it_does(retried: Retried) -> dict[str, Any]:
    """The same as the API says."""
    return {
        "recoveryType": retried.recovery_type,
        "resumedFrom": retried.resumed_from,
        "reusedSteps": retried.reused_steps,
        "itemsToRetry": retried.items_to_retry,
    }


def task_of(given: str) -> RoadmapTask:
    """The task with this id, or the newest of the roadmap with it. Raises ValidationError."""
    tasks = RoadmapTask.objects.newest_first()
    try:
        found = tasks.filter(pk=UUID(given)).first()
    except ValueError:
        found = tasks.filter(roadmap_id=given).first() if "\0" not in given else None
    if found is None:
        message = _("There is no such task and no such roadmap.")
        raise ValidationError({"id": ValidationError(message, code="does-not-exist")})
    return found
