"""The Celery application with one of its safeguards taken out: what the fault tests must be seen to catch.

`SABOTAGE=no-token`: whoever worked on a run may go on writing, its lease notwithstanding.
`SABOTAGE=poison`: an article about anything with "poison" in it kills the process that writes it.
"""

import os
import signal

from celery.signals import worker_init

from config.celery import app

__all__ = ["app"]


def _without_token():
    from distillations.generation import Generation
    from runs.querysets import RunQuerySet

    RunQuerySet.held = lambda self, pk, token: self.filter(pk=pk)
    Generation._ours = lambda self: {}


def _poisonous():
    from distillations import writing

    harmless = writing.write_article

    def write_article(slot, task):
        if slot.keyword == "poison in 1":
            os.kill(os.getpid(), signal.SIGKILL)
        return harmless(slot, task)

    writing.write_article = write_article


SABOTAGES = {"no-token": _without_token, "poison": _poisonous}


@worker_init.connect
def _sabotage(**kwargs):
    SABOTAGES[os.environ["SABOTAGE"]]()
