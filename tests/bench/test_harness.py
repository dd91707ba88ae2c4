"""The bench harness runs and reports what it promises; no test looks at a time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FIELDS = {
    "design", "pass", "perSecond", "cpuUsPerItem", "peakRssMb", "walBytesPerItem", "ratioToLimit", "ratioToNaive",
}  # fmt: skip


def bench(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def test_without_a_name_it_lists_the_benches():
    done = bench()
    assert done.returncode == 0
    assert "product_sync" in done.stdout


def test_an_unknown_design_is_named():
    done = bench("product_sync", "--designs", "ours,faster")
    assert done.returncode == 2
    assert "no such design: faster" in done.stderr


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures through Linux's /proc")
def test_product_sync_reports_every_design_and_pass_from_servers_of_its_own():
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = bench("product_sync", "--rows", "200", "--rounds", "1", "--json", **nowhere)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report) == {"bench", "machine", "results"}
    assert report["bench"] == "product_sync"
    assert report["machine"]["settings"]["fsync"] == report["machine"]["settings"]["synchronous_commit"] == "on"
    assert all(set(result) == FIELDS for result in report["results"])
    passes = {(result["design"], result["pass"]) for result in report["results"]}
    designs, kinds = ("copy", "copy-text", "ours", "naive"), ("initial", "unchanged", "changed10")
    assert passes == {(design, kind) for design in designs for kind in kinds}
    assert all(result["perSecond"] > 0 and result["ratioToLimit"] > 0 for result in report["results"])
