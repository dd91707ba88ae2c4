"""Eight clients take 3 of 200 distillations at once for as long as it takes: the shared scenario of bench selection."""

import pytest
from django.db import connection

from bench.clients import Clients
from bench.scenarios import Keywords
from bench.selection import CLIENTS, TAKEN, naive, ours
from distillations.models import Distillation, DistillationUsage, GenerationSlot
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


def worked_without_triggers(work, seconds=3):
    """Nothing of ours keeps it from its mistakes."""
    execute(*(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in GUARDED))
    try:
        return worked(work, seconds)
    finally:
        connection.close()
        execute(*(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in GUARDED))


def taken_too_early():
    """How often one was taken although another had been taken less often before; picks in the order of their slots."""
    times = dict.fromkeys(Distillation.objects.values_list("pk", flat=True), 0)
    tasks = {}
    for task, distillation in GenerationSlot.objects.order_by("pk").values_list("task", "distillation"):
        tasks.setdefault(task, []).append(distillation)
    early = 0
    for chosen in tasks.values():
        assert len(set(chosen)) == TAKEN
        least_left = min(count for pk, count in times.items() if pk not in chosen)
        early += sum(times[pk] > least_left for pk in chosen)
        for pk in chosen:
            times[pk] += 1
    return early


def stored():
    """Usage count and rows of each distillation."""
    rows = dict.fromkeys(Distillation.objects.values_list("pk", flat=True), 0)
    for pk in DistillationUsage.objects.values_list("distillation", flat=True):
        rows[pk] += 1
    return [(count, rows[pk]) for pk, count in Distillation.objects.values_list("pk", "usage_count")]


def test_picks_and_uses_side_by_side_are_even_and_counted_and_the_naive_way_is_neither():
    FEW.stage()
    done = worked(ours.pick_and_use)
    counts = stored()
    used = [count for count, _rows in counts]
    print(f"{done} tasks of 3 in {SECONDS} s by {CLIENTS} clients: used {min(used)} to {max(used)} times")
    assert done
    assert all(count == rows for count, rows in counts)
    assert sum(used) == 3 * done
    assert max(used) - min(used) <= 1
    assert taken_too_early() == 0
    assert_all_hold()

    FEW.stage()
    done = worked_without_triggers(naive.pick_and_use)
    wrong = [1 for count, rows in stored() if count != rows]
    print(f"the naive way: {done} tasks, {len(wrong)} wrong counts, {taken_too_early()} taken too early, {FEW.notes()}")
    assert wrong
    assert taken_too_early()
    assert FEW.notes()["spread"] > 1


@pytest.mark.long
def test_picks_alone_leave_every_distillation_reserved_as_often_give_or_take_one():
    FEW.stage()
    done = worked(ours.pick)
    loads = list(Distillation.objects.values_list("load", flat=True))
    print(f"{done / SECONDS:.0f} picks of 3 a second by {CLIENTS} clients")
    assert sum(loads) == 3 * done
    assert max(loads) - min(loads) <= 1
    assert taken_too_early() == 0
    assert drift() == []
