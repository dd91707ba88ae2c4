"""`python -m bench.child BENCH DESIGN ROWS`: one round of one design; prints its samples as JSON.

A process of its own, so that memory, caches and prepared statements are the design's own. A design that
cannot run here prints the reason instead.
"""

import json
import sys
from dataclasses import asdict
from importlib import import_module

import django

from bench.measure import LeftOut

if __name__ == "__main__":
    django.setup()
    bench, design, rows = sys.argv[1:]
    try:
        samples = [asdict(sample) for sample in import_module(f"bench.{bench}").run(design, int(rows))]
    except LeftOut as why:
        print(json.dumps({"leftOut": str(why)}))
    else:
        print(json.dumps({"samples": samples}))
