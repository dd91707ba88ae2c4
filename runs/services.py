"""What people and machines want of a run: have it looked at, cancelled, taken over."""

from typing import Any

import structlog
from django.db import transaction
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError as BrokerDown

from access.services import record
from config.celery import app as celery
from runs import failpoints
from runs.choices import RunError
from runs.errors import Conflict
from runs.models import Run
from watch import counters

logger = structlog.get_logger(__name__)


def ring(run: Run, *, noted: bool = False) -> None:
    """After commit, tell a worker to look at this run. A broker that is down costs nothing but time:
    the reaper rings again.

    `noted`: the row was written with its `dispatched_at`, so only a message that could not be sent costs another write.
    Should the process die in between, the reaper takes the message for sent, and rings when nobody answers it.
    """
    transaction.on_commit(lambda: send(run, noted=noted), robust=True)


def send(run: Run, *, noted: bool = False) -> bool:
    """Send the doorbell message now; False when the broker is down."""
    failpoints.reached("publish.before")
    try:
        celery.send_task(run.TASK, [run.pk], queue=run.QUEUE)
    except (BrokerDown, OSError) as error:
        logger.warning("ring.failed", run_kind=run._meta.label_lower, run_id=run.pk, reason=str(error))
        if noted:
            type(run).objects.ring_failed(run.pk)
        return False
    failpoints.reached("publish.after")
    if not noted:
        type(run).objects.ring_done(run.pk)
    return True


def cancel(run: Run, *, actor: Any) -> None:
    """End an open run; its worker stops at its next fence. Raises Conflict when it has ended already."""
    with transaction.atomic():
        if not type(run).objects.cancel(run.pk):
            raise Conflict("run-finished", _("This run has already ended."))
        record(actor=actor, action=f"{run._meta.model_name}.cancelled", target=run, before={"status": run.status})


def take_over_expired(runs: Any, *, successor: Run | None = None) -> int:
    """Fail what dead workers of `runs` still hold, in favour of `successor`; how many."""
    taken: int = runs.expired().update(
        **runs._final_values(runs.model.STATUSES.failed),
        error=RunError.SUPERSEDED,
        superseded_by=successor,
    )
    count_expiries(runs.model, taken)
    return taken


def count_expiries(model: type[Run], amount: int) -> None:
    """Note for the metrics that so many leases ran out."""
    if amount:
        counters.add("pressroom_run_lease_expiries_total", amount, kind=model._meta.label_lower)
