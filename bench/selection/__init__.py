"""Selection: 8 clients taking 3 of 200 distillations, with and without using them, and one client of very many.

The limit is a plain psycopg client with the same locks, constraints, triggers and effects, and only picks. The naive
way reads the least used through the ORM, reserves nothing and writes the count it read plus one.
"""

from collections.abc import Callable, Iterator
from types import ModuleType

from django.db import connection

from bench.clients import Clients
from bench.measure import Meter, Sample
from bench.scenarios import Keywords
from bench.selection import naive, ours, sql

CLIENTS, TAKEN = 8, 3
FEW = Keywords(200)
PICKS_EACH, USES_EACH, PICKS_ALONE = 100, 25, 300

DESIGNS: dict[str, ModuleType] = {"sql": sql, "ours": ours, "naive": naive}


def run(design: str, rows: int) -> Iterator[Sample]:
    """One round of a design: its passes, each on distillations nobody has used."""
    does = DESIGNS[design]
    yield _measured(design, "8 of 200: pick", FEW, does.pick, clients=CLIENTS, times=PICKS_EACH)
    if hasattr(does, "pick_and_use"):
        yield _measured(design, "8 of 200: pick and use", FEW, does.pick_and_use, clients=CLIENTS, times=USES_EACH)
    yield _measured(design, "1 of many: pick", Keywords(rows), does.pick, clients=1, times=PICKS_ALONE)


def _measured(
    design: str, kind: str, keywords: Keywords, work: Callable[[], None], *, clients: int, times: int
) -> Sample:
    keywords.stage()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) distillations, topics")
        cursor.execute("CHECKPOINT")
        if design == "naive":  # nothing of ours keeps it from its mistakes
            for table in ("distillations", "distillations_generationslot", "distillation_usage"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    with Clients(work, clients) as others:
        for _warm_up in range(2):
            others.done(times=3)
        with Meter(others=lambda: others.pids) as meter:
            done = others.done(times=times)
    return meter.sample(design, kind, done, notes=keywords.notes())
