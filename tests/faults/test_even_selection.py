"""Eight clients take 3 of 200 distillations at once for as long as it takes: the shared scenario of bench selection."""

import pytest
from django.db import connection

from bench.clients import Clients
from bench.scenarios import Keywords
from bench.selection import CLIENTS, naive, ours
from distillations.models import Distillation
from distilled import drift, execute
from faulting import how_often
from invariants import assert_all_hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(300)]

SECONDS = how_often(short=3, ci=10, full=30)
FEW = Keywords(200)
GUARDED = ("distillations", "distillations_generationslot", "distillation_usage")


def worked(work, seconds=SECONDS):
    with Clients(work, CLIENTS) as clients:
        return clients.done(seconds=seconds)


def test_picks_and_uses_side_by_side_leave_every_distillation_used_as_often_give_or_take_one():
    FEW.stage()
    done = worked(ours.pick_and_use)
    counts = list(Distillation.objects.values_list("usage_count", flat=True))
    print(f"{done} tasks of 3 in {SECONDS} s by {CLIENTS} clients: used {min(counts)} to {max(counts)} times")
    assert done
    assert sum(counts) == 3 * done
    assert max(counts) - min(counts) <= 1
    assert_all_hold()


def test_picks_alone_leave_every_distillation_reserved_as_often_give_or_take_one():
    FEW.stage()
    done = worked(ours.pick)
    loads = list(Distillation.objects.values_list("load", flat=True))
    print(f"{done / SECONDS:.0f} picks of 3 a second by {CLIENTS} clients")
    assert sum(loads) == 3 * done
    assert max(loads) - min(loads) <= 1
    assert drift() == []


def test_the_naive_way_is_uneven_and_its_counts_are_wrong():
    FEW.stage()
    execute(*(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in GUARDED))
    try:
        worked(naive.pick_and_use, seconds=3)
        notes = FEW.notes()
        print(f"the naive way: {notes}")
        assert notes["driftedCounters"] > 0
        assert notes["spread"] > 1
    finally:
        connection.close()
        execute(*(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in GUARDED))
