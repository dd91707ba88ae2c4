"""`python -m bench` lists the benches; `python -m bench NAME` runs one on servers of its own."""

import argparse
import sys
from typing import NamedTuple

from bench import api, lists
from bench.ground import Ground
from bench.measure import LeftOut, Sample
from bench.report import Report
from bench.results import growth, results


class Bench(NamedTuple):
    """A module of this package: the designs it can compare, in the order they run.

    `compared` are those that the others are set against: the limit, the naive way, then any rival. `designs`
    in `usual` run when none are named; `grows` are those that --growth measures.
    """

    work: str
    designs: tuple[str, ...]
    compared: tuple[str, ...]
    grows: tuple[str, ...]
    rows: int = 50_000  # unless told otherwise


BENCHES = {
    "product_sync": Bench(
        "product rows of 1.5 to 2 KB: first load, nothing changed, 10 % changed",
        designs=("copy", "copy-text", "sql", "ours", "ours-sharded", "dlt", "naive"),
        compared=("copy", "naive", "dlt"),
        grows=("ours",),
    ),
    "product_sync_quiet": Bench(
        "WAL of a product sync in which nothing changed, by what it was written for",
        designs=("ours",),
        compared=(),
        grows=("ours",),
    ),
    "documents": Bench(
        "tasks of 50 pages from upload to result, and a page of a list of 10,000 tasks",
        designs=("silent", "ours", "naive"),
        compared=("silent", "naive"),
        grows=("ours",),
        rows=300,
    ),
    "recording": Bench(
        "exports: 8 writers with 50 articles each on one tag, and one export of everything",
        designs=("sql", "ours", "naive"),
        compared=("sql", "naive"),
        grows=("ours",),
        rows=10_000,
    ),
    "selection": Bench(
        "8 clients that take 3 of 200 distillations, and one client that takes 3 of --rows",
        designs=("sql", "ours", "naive"),
        compared=("sql", "naive"),
        grows=("ours",),
    ),
    "upsert": Bench(
        "10 and 50 clients that save the analysis of one task, or each of one of --rows tasks",
        designs=("bare", "prepared", "ours", "naive"),
        compared=("bare", "naive", "prepared"),
        grows=("ours",),
        rows=1_000,
    ),
    "roadmap": Bench(
        "what a step of a roadmap costs beside its model: --rows roadmaps whose contents are known beforehand",
        designs=("ours",),
        compared=(),
        grows=("ours",),
        rows=5,
    ),
}

BY_SIZE = {
    "lists": ("every list, filter and search at 10,000 products and at --rows of them", lists.report),
    "api": ("routes of the API at 10,000 rows of each table and at --rows, beside a bare view of DRF", api.report),
}


def main() -> None:
    """List, or run and report."""
    options = _options()
    if options.name is None:
        for name, bench in BENCHES.items():
            print(f"{name:20} {bench.work}")
        for name, (work, _report) in BY_SIZE.items():
            print(f"{name:20} {work}")
        return
    if options.name in BY_SIZE:
        BY_SIZE[options.name][1](options.rows, as_json=options.json)
        return
    bench = BENCHES[options.name]
    ground = Ground()
    samples, left_out = _measure(ground, options)
    found = results(samples, to=bench.compared)
    grown = growth(found) if options.growth else []
    report = Report(options.name, ground.machine(), options.rounds, bench.compared, found, grown, left_out)
    if options.json:
        print(report.as_json())
    else:
        print(report.as_markdown() if options.markdown else report.as_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*BENCHES, *BY_SIZE], help="without a name the benches are listed")
    parser.add_argument("--rows", type=_number, help="how much work a round is (50,000; 10,000 articles of exports)")
    parser.add_argument("--rounds", type=_number, default=3, help="each runs every design once; medians are shown")
    parser.add_argument("--designs", metavar="A,B", help="only these")
    parser.add_argument(
        "--growth", metavar="N,M", type=_sizes, help="at each of these sizes, and how the cost per item grows"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one object for programs")
    shape.add_argument("--markdown", action="store_true", help="the tables of docs/benchmarks.md")
    options = parser.parse_args()
    bench = BENCHES.get(options.name or "")
    known = bench.designs if bench else ()
    usual = bench.grows if bench and options.growth else known
    options.rows = options.rows or (bench.rows if bench else 50_000)
    options.designs = options.designs.split(",") if options.designs else list(usual)
    if unknown := set(options.designs) - set(known):
        parser.error(f"no such design: {', '.join(sorted(unknown))} (there are {', '.join(known)})")
    return options


def _number(text: str) -> int:
    number = int(text.replace("_", ""))
    if number < 1:
        raise argparse.ArgumentTypeError("begins at 1")
    return number


def _sizes(text: str) -> list[int]:
    sizes = sorted({_number(size) for size in text.split(",")})
    if len(sizes) < 2:
        raise argparse.ArgumentTypeError("names at least two sizes")
    return sizes


def _measure(ground: Ground, options: argparse.Namespace) -> tuple[list[Sample], dict[str, str]]:
    """Round by round, so that a noisy minute of the machine falls on every design; and who was left out why."""
    samples: list[Sample] = []
    left_out: dict[str, str] = {}
    for number in range(options.rounds):
        for rows in options.growth or [options.rows]:
            for design in (each for each in options.designs if each not in left_out):
                print(f"round {number + 1} of {options.rounds}: {design}, {rows:,} rows", file=sys.stderr)
                try:
                    samples += ground.child(options.name, design, rows)
                except LeftOut as why:
                    left_out[design] = str(why)
                    print(f"{design} is left out: {why}", file=sys.stderr)
    return samples, left_out


if __name__ == "__main__":
    main()
