"""Processes that export at once.

tests/exports/test_concurrent_exports.py runs the same. All begin together, and each says at the end what it
did and how long each of its exports took.
"""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from bench.measure import cpu_seconds, peak_rss
from bench.scenarios import ArticlePool

ROOT = Path(__file__).resolve().parent.parent.parent
RUN = "import django; django.setup(); from bench.recording import writers; writers.main()"


@dataclass(frozen=True)
class Wish:
    """What one writer is to do: which way of exporting, as which of the writers, on which tags, how long.

    The first tag is the one most exports go to; `new_tags` times in a row two others of the same date, named
    alike by all writers, so that they are made by several at once.
    """

    way: str
    writer: int
    writers: int
    own: int
    tag: str
    day: str
    size: int = 50
    seconds: float = 0  # 0: until the writer's own articles are used up
    new_tag_every: int = 0
    seed: int = 1


@dataclass
class Done:
    """What one writer has done."""

    way: str = ""
    exports: int = 0
    items: int = 0
    recorded: int = 0
    seconds: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # sha256 of each
    least_new: float = 1.0  # share of an export
    began: float = 0.0  # by the clock that all processes share
    ended: float = 0.0
    client_cpu: float = 0.0
    server_cpu: float = 0.0
    peak_rss: int = 0
    ran_out: bool = False


def at_once(wishes: list[Wish], environment: Mapping[str, str], *, timeout: float = 300) -> list[Done]:
    """A process per wish, all let go together; what each has done when the last has ended."""
    said = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([asdict(wish) for wish in wishes])], cwd=ROOT, text=True,
        env={**environment, "DJANGO_SETTINGS_MODULE": "config.settings"}, timeout=timeout, check=False,
        capture_output=True,
    )  # fmt: skip
    if said.returncode:
        raise AssertionError(f"a writer failed: {said.stderr[-3000:]}")
    return [Done(**each) for each in json.loads(said.stdout)]


def main() -> None:
    """Fork the writers, before there is a connection they could share."""
    wishes = [Wish(**each) for each in json.loads(sys.argv[1])]
    forking = multiprocessing.get_context("fork")
    start_line = forking.Barrier(len(wishes))
    with forking.Pool(len(wishes), initializer=_stand_at, initargs=(start_line,)) as pool:
        done = pool.map(write, wishes, chunksize=1)
    print(json.dumps([asdict(each) for each in done]))


_start_line: Any = None


def _stand_at(start_line: Any) -> None:
    global _start_line
    _start_line = start_line


def write(wish: Wish) -> Done:
    """Export as wished, from when all are ready."""
    from bench.recording import WAYS  # it imports this module

    way, done = WAYS[wish.way], Done(way=wish.way)
    day = date.fromisoformat(wish.day)
    backend = way.backend()
    _start_line.wait(timeout=60)
    done.began, done.client_cpu, done.server_cpu = time.monotonic(), -time.process_time(), -cpu_seconds(backend)
    end = time.monotonic() + wish.seconds if wish.seconds else float("inf")
    portions = ArticlePool(wish.writers, wish.own).portions(wish.writer, wish.size, wish.seed)
    for turn, article_ids in enumerate(portions):
        if time.monotonic() >= end:
            break
        tag = wish.tag
        if wish.new_tag_every and turn % wish.new_tag_every == 0:
            tag = f"{wish.tag}-new-{turn // wish.new_tag_every}-{wish.writer % 2}"
        began = time.perf_counter()
        recorded, sha256 = way.export(tag, day, article_ids)
        done.seconds.append(time.perf_counter() - began)
        done.exports += 1
        done.items += len(article_ids)
        done.recorded += recorded
        done.texts.append(sha256)
        done.least_new = min(done.least_new, recorded / len(article_ids))
    else:
        done.ran_out = True
    done.ended = time.monotonic()
    done.client_cpu += time.process_time()
    done.server_cpu += cpu_seconds(backend)
    done.peak_rss = peak_rss(os.getpid())
    return done
