"""The doctor looks at whoever does the work: workers, beat, and runs nobody looks after."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _
from django_celery_beat.models import PeriodicTask

from runs.metrics import oldest_queued_seconds
from runs.reaper import run_models
from runs.schedules import declared_schedules
from runs.workers import QUEUES, REAPED, living
from watch.findings import Finding, Up, fine, problem

REAPER = "runs.reap"
# beat writes down its ticks only every three minutes
BEAT_MAY_BE_SILENT = timedelta(minutes=5)
# what the reaper would have settled by now, several times over
ROUNDS_MISSED = 8


def examine(up: Up) -> Iterator[Finding]:
    """Workers for every queue, a beat that ticks, no run left lying."""
    served = {queue for worker in living() for queue in worker.queues} if up.redis else set()
    if up.redis:
        yield from _workers(served)
    if up.database:
        yield from _schedules()
        if up.redis:
            yield from _beat(served)
        yield from _runs()


def _workers(served: set[str]) -> Iterator[Finding]:
    for queue in QUEUES:
        if queue not in served:
            text = _("No worker serves the queue %(queue)s.") % {"queue": queue}
            yield problem("workers", text, process_command(queue))
    if served >= set(QUEUES):
        yield fine("workers", _("every queue has a worker: %(queues)s") % {"queues": ", ".join(QUEUES)})


def _schedules() -> Iterator[Finding]:
    there = dict(PeriodicTask.objects.values_list("name", "enabled"))
    for schedule in declared_schedules():
        facts = {"name": schedule.name}
        if schedule.name not in there:
            text = _("The schedule “%(name)s” is missing.")
            yield problem("beat", text % facts, "manage.py migrate")
        elif schedule.task == REAPER and not there[schedule.name]:
            text = _("The schedule “%(name)s” is switched off: runs of dead workers are never taken over.")
            yield problem("beat", text % facts, _("Switch it on in the admin, under Periodic tasks."))


def _beat(served: set[str]) -> Iterator[Finding]:
    if cache.get(REAPED):
        yield fine("beat", _("beat ticks"))
        return
    reaper = PeriodicTask.objects.filter(task=REAPER, enabled=True).first()
    if reaper is None:
        return  # said above
    last = reaper.last_run_at or reaper.date_changed
    if "control" in served or timezone.now() - last > BEAT_MAY_BE_SILENT:
        ticked = (
            timezone.localtime(reaper.last_run_at).strftime("%Y-%m-%d %H:%M:%S") if reaper.last_run_at else _("never")
        )
        text = _("beat does not tick; its last sign of life: %(time)s.") % {"time": ticked}
        yield problem("beat", text, process_command("beat"))


def _runs() -> Iterator[Finding]:
    left_lying = False
    for model in run_models():
        facts = {"kind": model._meta.verbose_name_plural}
        patience = ROUNDS_MISSED * settings.REAPER_SECONDS
        if stalled := model.objects.expired().count():
            left_lying = True
            text = _("%(kind)s: the workers of %(count)s gave no sign of life and nobody took over.")
            yield problem("runs", text % (facts | {"count": stalled}), process_command("control"))
        if (waiting := oldest_queued_seconds(model)) > patience:
            left_lying = True
            text = _("%(kind)s: the oldest has waited for a worker for %(minutes)s minutes.")
            yield problem("runs", text % (facts | {"minutes": int(waiting // 60)}), process_command(model.QUEUE))
    if not left_lying:
        yield fine("runs", _("no run is left lying"))


def process_command(name: str) -> str:
    """How a process of the Procfile is started by hand."""
    for line in (settings.BASE_DIR / "Procfile").read_text().splitlines():
        process, _colon, command = line.partition(": exec ")
        if process == name:
            return f".venv/bin/{command}"
    return "make run"
