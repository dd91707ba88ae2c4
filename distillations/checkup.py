"""The doctor looks at the counters: as the last check found them, and whether checks are made at all."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django_celery_beat.models import PeriodicTask

from distillations.models import Distillation, UsageCheck
from watch.findings import Finding, Up, fine, problem

CHECK = "usage"
TASK = "distillations.tasks.verify_usage"
LATEST = timedelta(hours=3)  # beat checks every hour


def examine(up: Up) -> Iterator[Finding]:
    """Drift of counters."""
    if not up.database or not Distillation.objects.exists():
        return
    check = UsageCheck.objects.order_by("-id").first()
    schedule = PeriodicTask.objects.filter(task=TASK, enabled=True).first()
    if schedule is not None:  # who switched it off knows
        last = check.checked_at if check else schedule.date_changed
        if timezone.now() - last > LATEST:
            yield problem(CHECK, _("Usage counters were not checked for three hours."), "manage.py verify_usage")
    if check is not None and check.drifted:
        text = _("%(count)s usage counters differ from the rows they count.") % {"count": check.drifted}
        yield problem(CHECK, text, "manage.py repair_usage")
    elif check is not None:
        yield fine(CHECK, _("usage counters equal their rows"))
