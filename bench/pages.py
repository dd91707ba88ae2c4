"""Pages of the product at two sizes, by turns: how long, how many queries, how many pages of the database.

The figures of `--rows` are judged against those of 10,000. Nothing is cached between requests, so a total is asked for
each time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import override_settings

SMALL = 10_000
SLOWER_AT_MOST, BUFFERS_AT_MOST = 3.0, 2_000
READ_IN_PASSING = 5_000  # rows that a sequential scan may look at before it has found a full page

Fill = Callable[[int], None]
Addresses = dict[str, str]  # name → address


@dataclass
class Page:
    """What one page costs: milliseconds at both sizes, and at the large one what it asks of the database."""

    name: str
    small_p50: float
    small_p95: float
    p50: float
    p95: float
    queries: int
    buffers: int
    read_through: list[str]  # tables that were read from the first row on

    def as_json(self) -> dict[str, Any]:
        """With its ratio, and what it misses of the promise."""
        ratio = self.p95 / self.small_p95
        misses = [f"reads all of {table}" for table in self.read_through]
        misses += [f"more than {SLOWER_AT_MOST} times slower"] if ratio > SLOWER_AT_MOST else []
        misses += [f"more than {BUFFERS_AT_MOST} buffers"] if self.buffers > BUFFERS_AT_MOST else []
        return {
            "page": self.name,
            "p50MsSmall": round(self.small_p50, 1),
            "p95MsSmall": round(self.small_p95, 1),
            "p50Ms": round(self.p50, 1),
            "p95Ms": round(self.p95, 1),
            "ratio": round(ratio, 2),
            "buffers": self.buffers,
            "queries": self.queries,
            "misses": misses,
        }


class Statements:
    """Notes what a block asks the database."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, Any]] = []

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self.noted.append((sql, params))
        return execute(sql, params, many, context)

    def plans(self) -> Iterator[dict[str, Any]]:
        """Each SELECT once more, with what it read."""
        with connection.cursor() as cursor:
            for sql, params in self.noted:
                if sql.lstrip("( ").startswith("SELECT"):
                    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                    found = cursor.fetchone()[0]
                    yield (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]


def cost_of(client: Client, address: str) -> tuple[int, int, list[str]]:
    """How many statements the page costs, how many buffers they read, and which tables from the first row on."""
    with connection.execute_wrapper(statements := Statements()):
        answer = client.get(address)
    assert answer.status_code == 200, f"{address} answered {answer.status_code}"
    plans = list(statements.plans())
    buffers = sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)
    return len(statements.noted), buffers, [table for plan in plans for table in read_through(plan)]


def _milliseconds(client: Client, address: str) -> float:
    began = time.perf_counter()
    client.get(address).close()
    return (time.perf_counter() - began) * 1000


def read_through(plan: dict[str, Any]) -> Iterator[str]:
    """Tables in the plan that were read sequentially beyond a page's worth."""
    looked_at = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    if plan["Node Type"] == "Seq Scan" and looked_at > READ_IN_PASSING:
        yield plan["Relation Name"]
    for below in plan.get("Plans", ()):
        yield from read_through(below)


@contextmanager
def without_indexes(cursor: Any, table: str) -> Iterator[None]:
    """Take away the indexes that uphold no constraint, and build them again: rows come in quicker without."""
    cursor.execute(
        "SELECT i.relname, pg_get_indexdef(i.oid) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
        " WHERE x.indrelid = %s::regclass AND NOT x.indisunique",
        [table],
    )
    indexes = cursor.fetchall()
    for name, _definition in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _name, definition in indexes:
        cursor.execute(definition)


class Size:
    """A database with so many rows, and somebody signed in to it."""

    def __init__(self, database: str, rows: int, fill: Fill, pages: Callable[[int], Addresses]) -> None:
        from django.contrib.auth.models import User  # the process that only reports has no Django

        self.database = database
        self.enter()
        fill(rows)
        self.client = Client(SERVER_NAME="localhost")
        self.client.force_login(User.objects.create_superuser("bench"))
        self.pages = pages(rows)

    def enter(self) -> None:
        """Let this process's connection be one to this database."""
        connection.close()
        connection.settings_dict["NAME"] = self.database

    def spent(self, address: str, requests: int) -> list[float]:
        """Milliseconds of some requests for an address; the one that connects is not among them."""
        self.enter()
        self.client.get(address).close()
        return [_milliseconds(self.client, address) for _ in range(requests)]


def both(rows: int, fill: Fill, pages: Callable[[int], Addresses]) -> tuple[Size, Size]:
    """A small database, and beside it one of `rows`."""
    large = str(connection.settings_dict["NAME"])
    connection.close()
    connection.settings_dict["NAME"] = "postgres"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {large}_small WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {large}_small TEMPLATE {large}")
    return Size(f"{large}_small", SMALL, fill, pages), Size(large, rows, fill, pages)


def without_caches(**more: Any) -> Any:
    """Settings under which no answer comes out of a cache, and no static file is looked for."""
    bare = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    no_cache = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    return override_settings(STORAGES=bare, CACHES=no_cache, SECURE_SSL_REDIRECT=False, **more)


def marks(milliseconds: list[float]) -> tuple[float, float, float]:
    """p50, p95 and p99."""
    found = quantiles(milliseconds, n=100, method="inclusive")
    return found[49], found[94], found[98]
