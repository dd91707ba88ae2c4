"""The doctor looks at roadmaps: whether what is called complete is, and what waits for a person too long."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from roadmaps.models import RoadmapTask
from watch.findings import Finding, Up, fine, problem

CHECK = "roadmaps"
LONGEST_REVIEW = timedelta(days=7)
NAMED = 5


def examine(up: Up) -> Iterator[Finding]:
    """Completed tasks that lack contents, and forgotten reviews."""
    if not up.database or not RoadmapTask.objects.exists():
        return
    lacking = list(RoadmapTask.objects.completed_without_contents().values_list("pk", flat=True)[:NAMED])
    for pk in lacking:
        text = _("The roadmap of task %(id)s is called complete and lacks contents.") % {"id": pk}
        yield problem(CHECK, text, f"manage.py retry_roadmap {pk}")
    waiting = RoadmapTask.objects.waiting_since_before(timezone.now() - LONGEST_REVIEW).count()
    if waiting:
        text = _("%(count)s roadmaps have waited for a review for more than a week.") % {"count": waiting}
        yield problem(CHECK, text, _("Approve or reject them in the admin, or cancel them."))
    if not lacking and not waiting:
        yield fine(CHECK, _("completed roadmaps have all of their contents"))
