"""Saving the analysis of a task: 10 and 50 clients, all on one task or each on any of many.

`bare` is the same statement with the same values by a psycopg client that binds them as Django's connections do, for
a pooler may stand between; `prepared` is what psycopg does where none stands. The naive way selects, and then inserts
or saves (document 004).
"""

import os
from collections.abc import Callable, Iterator
from random import Random
from uuid import UUID

from django.db import connection

from bench.clients import Clients
from bench.measure import Meter, Sample
from bench.upsert import bare, naive, ours
from roadmaps.models import IntentAnalysisMetadata, RoadmapTask

Save = Callable[[UUID, int], None]
DESIGNS: dict[str, Save] = {
    "bare": bare.save,
    "prepared": bare.save_prepared,
    "ours": ours.save,
    "naive": naive.save,
}
CLIENTS = (10, 50)
SAVES = 3_000  # of all clients together


def run(design: str, rows: int) -> Iterator[Sample]:
    """One round of a design: its passes, each into an empty table."""
    for clients in CLIENTS:
        for name, keys in (("one key", 1), ("many keys", rows)):
            yield _measured(design, f"{clients} clients: {name}", clients, keys)


def _measured(design: str, kind: str, clients: int, keys: int) -> Sample:
    save = _saving(DESIGNS[design], _staged(keys))
    with Clients(save, clients) as others:
        for _warm_up in range(2):
            others.done(times=5)
        with Meter(others=lambda: others.pids) as meter:
            done = others.done(times=SAVES // clients)
    assert IntentAnalysisMetadata.objects.count() <= keys
    return meter.sample(design, kind, done, notes={"msPerSave": 1000 * clients * meter.seconds / done})


def _staged(keys: int) -> list[UUID]:
    """So many tasks without an analysis."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE roadmap_tasks CASCADE")
        tasks = RoadmapTask.objects.bulk_create(RoadmapTask(user_request={"query": "Learn Redis"}) for _ in range(keys))
        cursor.execute("VACUUM (ANALYZE) roadmap_tasks, intent_analysis_metadata")
        cursor.execute("CHECKPOINT")
    return [task.pk for task in tasks]


def _saving(save: Save, keys: list[UUID]) -> Callable[[], None]:
    """One save of any of the tasks; each client draws in an order of its own."""
    draws: dict[int, Random] = {}

    def one() -> None:
        draw = draws.setdefault(os.getpid(), Random(os.getpid()))  # noqa: S311 - work, not a secret
        save(draw.choice(keys), draw.randrange(1_000_000))

    return one
