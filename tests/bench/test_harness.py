"""The bench harness runs and reports what it promises; no test looks at a time."""

import json
from pathlib import Path

import pytest

from bench.measure import Sample
from bench.product_sync import dlt
from bench.results import growth, results
from benches import FIELDS, NOWHERE, bench

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="measures through Linux's /proc"
)  # fmt: skip


def sample(design, kind="initial", items=100, seconds=1.0, cpu=0.001, rss=2**20):
    return Sample(design, kind, items, seconds, client_cpu=cpu, server_cpu=cpu, peak_rss=rss, wal=items)


def test_without_a_name_it_lists_the_benches():
    done = bench()
    assert done.returncode == 0
    assert "product_sync" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--designs", "ours,faster"), "no such design: faster"),
        (("--rows", "0"), "begins at 1"),
        (("--rows", "many"), "invalid"),
        (("--growth", "1000"), "at least two sizes"),
    ],
)
def test_a_wish_it_cannot_fulfil_is_named(arguments, complaint):
    done = bench("product_sync", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


@needs_proc
@pytest.mark.long
def test_product_sync_reports_every_design_and_pass_from_servers_of_its_own():
    designs, kinds = ("copy", "copy-text", "sql", "ours", "naive"), ("initial", "unchanged", "changed10")
    # the other two need an installation and a worker each: tests of their own
    done = bench(
        "product_sync", "--rows", "200", "--rounds", "1", "--json", "--designs", ",".join(designs), **NOWHERE
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report) >= {"bench", "machine", "results"}
    assert report["bench"] == "product_sync"
    assert report["postgresql"] in report["machine"]
    assert report["settings"]["fsync"] == report["settings"]["synchronous_commit"] == "on"
    assert all(set(result) >= FIELDS for result in report["results"])
    passes = {(result["design"], result["pass"]) for result in report["results"]}
    assert passes == {(design, kind) for design in designs for kind in kinds}
    assert all(result["perSecond"] > 0 and result["ratioToLimit"] > 0 for result in report["results"])


@needs_proc
@pytest.mark.long
def test_a_pass_without_changes_writes_next_to_nothing_beyond_run_and_watermark():
    done = bench("product_sync_quiet", "--rows", "6000", "--rounds", "1", "--json", **NOWHERE)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    notes = result["notes"]
    assert notes["runBytesPerBatch"] > 0
    assert notes["watermarkBytesPerBatch"] > 0
    assert "productsBytesPerBatch" not in notes
    assert "logBytesPerBatch" not in notes


@needs_proc
@pytest.mark.long
@pytest.mark.benchmark
def test_growth_compares_the_largest_size_with_the_smallest():
    done = bench("product_sync", "--growth", "200,400", "--rounds", "1", "--json", **NOWHERE)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {result["rows"] for result in report["results"]} == {200, 400}
    assert [(each["design"], each["pass"], each["from"], each["to"]) for each in report["growth"]] == [
        ("ours", "initial", 200, 400), ("ours", "unchanged", 200, 400), ("ours", "changed10", 200, 400),
    ]  # fmt: skip


def test_a_ratio_is_of_the_medians_of_the_same_pass():
    rounds = [sample("limit", seconds=1), sample("limit", seconds=2), sample("limit", seconds=9)]
    rounds += [sample("ours", seconds=8), sample("ours", seconds=4), sample("ours", seconds=1), sample("ours", "other")]
    _limit, ours, alone = results(rounds, to=("limit",))
    assert ours.ratios == {"limit": 0.5}
    assert alone.ratios == {}


def test_a_ratio_is_of_the_same_size_or_of_the_largest_there_is():
    rounds = [sample("limit", items=10, seconds=1), sample("limit", items=100, seconds=2)]
    rounds += [sample("ours", items=10, seconds=2), sample("ours", items=100, seconds=8), sample("ours", items=5)]
    _small, _large, *ours = results(rounds, to=("limit",))
    assert [(each.rows, each.ratios["limit"]) for each in ours] == [(10, 0.5), (100, 0.25), (5, 0.1)]


@pytest.mark.long
def test_a_tool_that_cannot_be_installed_is_left_out_with_the_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(dlt, "ROOT", tmp_path)
    monkeypatch.setattr(dlt, "REQUIREMENTS", ("a-package-nobody-has @ file:///nowhere.whl",))
    dlt.installed.cache_clear()
    with pytest.raises(dlt.LeftOut, match=r"dlt cannot be installed: .*nowhere"):
        dlt.installed()


def test_growth_of_cost_and_memory_is_seen():
    small, large = sample("ours", items=100), sample("ours", items=1000, cpu=0.02, rss=3 * 2**20)
    (grown,) = growth(results([large, small], to=()))
    assert (grown.smallest, grown.largest) == (100, 1000)
    assert (round(grown.cpu, 6), round(grown.memory, 6)) == (2.0, 3.0)
