"""The designs of bench upsert save the same, and bench roadmap measures whole roadmaps; no test looks at a time."""

import json

import pytest

from bench.upsert import DESIGNS
from benches import FIELDS, NOWHERE, bench
from roadmaps.models import IntentAnalysisMetadata, RoadmapTask


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("design", DESIGNS)
def test_each_design_makes_the_row_and_brings_it_up_to_date(design):
    task = RoadmapTask.objects.create(user_request={})
    seen = []
    for number in (1, 2):
        DESIGNS[design](task.pk, number)
        seen.append(IntentAnalysisMetadata.objects.get())
    assert seen[0].pk == seen[1].pk
    assert seen[1].full_analysis_data["number"] == 2


@pytest.mark.django_db(transaction=True)
def test_every_design_writes_the_same():
    kept = []
    for save in DESIGNS.values():
        task = RoadmapTask.objects.create(user_request={})
        save(task.pk, 7)
        row = IntentAnalysisMetadata.objects.filter(task=task).values().get()
        kept.append(
            {name: value for name, value in row.items() if name not in ("id", "task_id", "created_at", "updated_at")}
        )
    assert all(each == kept[0] for each in kept)


@pytest.mark.long
def test_bench_roadmap_says_what_a_step_costs():
    done = bench("roadmap", "--rows", "1", "--rounds", "1", "--json", **NOWHERE)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert len(results) == 3
    assert all(set(each) >= FIELDS and each["notes"]["queriesPerStep"] > 1 for each in results)
