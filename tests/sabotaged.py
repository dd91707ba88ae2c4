"""The Celery application with one of its safeguards taken out: what the fault tests must be seen to catch.

`SABOTAGE=no-token`: whoever worked on a run may go on writing, its lease notwithstanding.
"""

import os

from celery.signals import worker_init

from config.celery import app

__all__ = ["app"]


def _without_token():
    from runs.querysets import RunQuerySet

    RunQuerySet.held = lambda self, pk, token: self.filter(pk=pk)


SABOTAGES = {"no-token": _without_token}


@worker_init.connect
def _sabotage(**kwargs):
    SABOTAGES[os.environ["SABOTAGE"]]()
