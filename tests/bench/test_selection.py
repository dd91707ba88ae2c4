"""The designs of bench selection do what they claim; no test looks at a time."""

import json
from pathlib import Path

import pytest

from bench.clients import Clients
from bench.scenarios import Keywords
from benches import FIELDS, NOWHERE, bench
from distillations.models import Distillation
from distilled import drift

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="measures through Linux's /proc"
)  # fmt: skip


@needs_proc
@pytest.mark.long
@pytest.mark.benchmark
@pytest.mark.timeout(300)
def test_it_reports_spread_and_wrong_counts_of_every_design():
    done = bench("selection", "--rows", "2000", "--rounds", "1", "--json", **NOWHERE)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert all(set(result) >= FIELDS for result in report["results"])
    notes = {(each["design"], each["pass"]): each["notes"] for each in report["results"]}
    assert {design for design, _kind in notes} == {"sql", "ours", "naive"}
    ours = [each for (design, _kind), each in notes.items() if design == "ours"]
    assert len(ours) == 3
    assert all(each["spread"] <= 1 and each["driftedCounters"] == 0 for each in ours)
    assert notes["naive", "8 of 200: pick and use"]["driftedCounters"] > 0


@pytest.mark.django_db(transaction=True)
def test_the_scenario_stages_what_it_claims():
    Keywords(5, topics=2).stage()
    assert set(Distillation.objects.values_list("topic_count", "usage_count")) == {(2, 0)}
    Keywords(2_000).stage()
    assert Distillation.objects.filter(topic_count=0).count() == 1_000
    assert Keywords(2_000).notes() == {"spread": 0, "driftedCounters": 0}
    assert drift() == []


def _nothing():
    pass


def _broken():
    raise ValueError("broken on purpose")


@pytest.mark.django_db(transaction=True)
def test_clients_say_how_often_they_worked_and_why_one_failed():
    with Clients(_nothing, 2) as clients:
        assert clients.done(times=3) == 6
    with (
        Clients(_broken, 2) as clients,
        pytest.raises(AssertionError, match=r"2 of 2 clients failed.*broken on purpose"),
    ):
        clients.done(times=1)
