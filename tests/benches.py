"""`python -m bench` as a test runs it, and what its report promises."""

import os
import subprocess
import sys

from processes import ROOT

FIELDS = {
    "design", "pass", "perSecond", "cpuUsPerItem", "peakRssMb", "walBytesPerItem", "ratioToLimit", "ratioToNaive",
}  # fmt: skip
NOWHERE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}


def bench(*arguments, **environment):
    """Run it to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
