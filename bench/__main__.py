"""`python -m bench` lists the benches; `python -m bench NAME` runs one on servers of its own."""

import argparse
import json
import sys
from typing import Any, NamedTuple

from bench import lists
from bench.ground import Ground
from bench.measure import Result, Sample, results


class Bench(NamedTuple):
    """A module of this package: the designs it compares, in the order they run."""

    work: str
    designs: tuple[str, ...]
    limit: str
    naive: str


BENCHES = {
    "product_sync": Bench(
        "product rows of 1.5 to 2 KB: first load, nothing changed, 10 % changed",
        designs=("copy", "copy-text", "ours", "naive"),
        limit="copy",
        naive="naive",
    ),
}


def main() -> None:
    """List, or run and report."""
    options = _options()
    if options.name is None:
        for name, bench in BENCHES.items():
            print(f"{name:16} {bench.work}")
        print(f"{'lists':16} every list, filter and search at 10,000 products and at --rows of them")
        return
    if options.name == "lists":
        lists.report(options.rows, as_json=options.json)
        return
    bench = BENCHES[options.name]
    ground = Ground()
    samples = _measure(ground, bench, options)
    machine = ground.machine() | {"rows": options.rows, "rounds": options.rounds}
    found = results(samples, limit=bench.limit, naive=bench.naive)
    if options.json:
        print(json.dumps({"bench": options.name, "machine": machine, "results": [each.as_json() for each in found]}))
    else:
        _print_table(options.name, machine, found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*BENCHES, "lists"], help="without a name the benches are listed")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3, help="each runs every design once; medians are shown")
    parser.add_argument("--designs", metavar="A,B", help="only these")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    known = BENCHES[options.name].designs if options.name in BENCHES else ()
    options.designs = options.designs.split(",") if options.designs else list(known)
    if unknown := set(options.designs) - set(known):
        parser.error(f"no such design: {', '.join(sorted(unknown))} (there are {', '.join(known)})")
    if options.rows < 1 or options.rounds < 1:
        parser.error("--rows and --rounds begin at 1")
    return options


def _measure(ground: Ground, bench: Bench, options: argparse.Namespace) -> list[Sample]:
    """Round by round, so that a noisy minute of the machine falls on every design."""
    samples: list[Sample] = []
    for number in range(options.rounds):
        for design in options.designs:
            print(f"round {number + 1} of {options.rounds}: {design}", file=sys.stderr)
            samples += [Sample(**each) for each in ground.child(options.name, design, options.rows)]
    return samples


def _print_table(name: str, machine: dict[str, Any], found: list[Result]) -> None:
    settings = ", ".join(f"{setting} {value}" for setting, value in machine["settings"].items())
    print(f"{name}: {machine['rows']:,} rows, medians of {machine['rounds']} rounds")
    print(f"{machine['cpu']}, {machine['cores']} cores, {machine['memoryGb']} GB, {machine['system']}")
    print(f"Python {machine['python']}, PostgreSQL {machine['postgresql']}: {settings}\n")
    print(
        f"{'design':12} {'pass':10} {'per second':>10} {'(from … to)':>17} {'CPU µs per item':>16} "
        f"{'peak MB':>8} {'WAL B':>7} {'× limit':>8} {'× naive':>8}"
    )
    print(f"{'':51} {'client + server':>16} {'client':>8} {'per item':>7}")
    for each in found:
        spread = f"({each.slowest:,.0f} … {each.fastest:,.0f})"
        cpu = f"{each.client_cpu_us:,.0f} + {each.server_cpu_us:,.0f}"
        to_limit = "" if each.to_limit is None else f"{each.to_limit:.3f}"
        to_naive = "" if each.to_naive is None else f"{each.to_naive:.2f}"
        print(
            f"{each.design:12} {each.kind:10} {each.per_second:10,.0f} {spread:>17} {cpu:>16} "
            f"{each.peak_rss_mb:8,.0f} {each.wal_bytes:7,.0f} {to_limit:>8} {to_naive:>8}"
        )


if __name__ == "__main__":
    main()
