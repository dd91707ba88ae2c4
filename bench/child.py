"""`python -m bench.child BENCH DESIGN ROWS`: one round of one design; prints its samples as JSON.

A process of its own, so that memory, caches and prepared statements are the design's own.
"""

import json
import sys
from dataclasses import asdict
from importlib import import_module

import django

if __name__ == "__main__":
    django.setup()
    bench, design, rows = sys.argv[1:]
    samples = import_module(f"bench.{bench}").run(design, int(rows))
    print(json.dumps([asdict(sample) for sample in samples]))
