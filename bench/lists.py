"""Every list of product sync at two sizes: how long, how many queries, how many pages of the database.

The figures of `--rows` products (three changes each) are judged against those of 10,000. Nothing is cached
between requests, so a total is asked for each time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.test import Client
from django.test.utils import override_settings

from bench.ground import Ground

SMALL = 10_000
ROUNDS, REQUESTS = 4, 5
SLOWER_AT_MOST, BUFFERS_AT_MOST = 3.0, 2_000
RARE = 40  # rows of what is rare at either size, so that the same page is compared
READ_IN_PASSING = 5_000  # rows that a sequential scan may look at before it has found a full page

# Narrow rows whose values are spread so that some filters find nearly everything, some a few thousand rows,
# some a handful and some nothing, at either size.
PRODUCTS = """
    INSERT INTO products (id, brand_code, sku, name, price, on_sale, colors, tags, attributes, data_version,
                          src_updated_at, src_id, is_deleted, created_at, updated_at)
    SELECT g, CASE WHEN g %% %(every)s = 7 THEN 'RARE' ELSE 'B' || g::bigint * 7919 %% 200 END,
           'S' || lpad(g::text, 8, '0'),
           '云纹系带休闲鞋 Cloudline ' || g %% 3989 || CASE WHEN g %% %(every)s = 5 THEN ' zirconium' ELSE '' END,
           (g::bigint * 7919 %% 1000000) / 100.0, g %% 3 = 0, '["Ink"]',
           jsonb_build_array('新品', 'm' || g %% 400, 't' || g %% 97)
               || CASE WHEN g %% %(every)s = 9 THEN '["scarce"]' ELSE '[]' END::jsonb,
           jsonb_build_object('品类', '鞋', 'size', g %% 40, 'code', 'c' || g %% %(every)s),
           'v1:' || md5(g::text), now() - (%(rows)s - g) * interval '1 s', g, g %% 100 = 0,
           now() - (%(rows)s - g) * interval '1 s', now() - (%(rows)s - g) * interval '1 s'
      FROM generate_series(1, %(rows)s) g
"""
CHANGES = """
    INSERT INTO product_change_log (id, product_id, brand_code, sku, change_type, old_version, new_version,
                                    changed_fields, run_id, created_at)
    SELECT pass * %(rows)s + id, id, brand_code, sku,
           CASE WHEN pass = 0 THEN 'CREATE' WHEN id %% %(every)s = 3 THEN 'DELETE' ELSE 'UPDATE' END,
           NULLIF(data_version, CASE WHEN pass = 0 THEN data_version END), data_version,
           CASE WHEN pass = 0 THEN '{}' ELSE '{"name": ["a", "b"]}' END::jsonb,
           1 + (pass * %(rows)s + id) / 10000,
           now() - (3 * %(rows)s - pass * %(rows)s - id) * interval '1 s'
      FROM products, generate_series(0, 2) pass ORDER BY 1
"""
RUNS = """
    INSERT INTO etl_productsyncrun (id, status, progress, attempt, max_attempts, error, error_text, source, batch_size,
        resume, dry_run, lookback, phase, read, created, updated, unchanged, superseded, rejected, deleted, waiting,
        batches, seconds, differences, created_at, started_at, finished_at)
    SELECT g, CASE WHEN g %% 50 = 7 THEN 'failed' ELSE 'completed' END, 100, 0, 5,
           CASE WHEN g %% 50 = 7 THEN 'worker-lost' ELSE '' END, '', 'products_staging', 1000, true, false,
           interval '5 min', 'done', 10, 0, 0, 10, 0, 0, 0, 0, 1, 1, '[]', now(), now(), now()
      FROM generate_series(1, 10 + %(rows)s / 10) g
"""
REJECTS = """
    INSERT INTO etl_rejectedrow (id, source, src_id, brand, sku, reason, field, detail, raw, run_id, created_at,
                                 resolved_at, resolution)
    SELECT g, 'products_staging', g, 'B' || g %% 20, 'S' || g,
           CASE WHEN g %% %(every)s = 1 THEN 'too-deep' ELSE 'price-missing' END, 'price', 'empty', '{"price": ""}',
           1 + g %% 10, now(), CASE WHEN g %% 2 = 0 THEN now() END, CASE WHEN g %% 2 = 0 THEN 'mended' ELSE '' END
      FROM generate_series(1, %(rows)s / 5) g
"""
TABLES = {
    "products": PRODUCTS,
    "etl_productsyncrun": RUNS,
    "product_change_log": CHANGES,
    "etl_rejectedrow": REJECTS,
}


def fill(rows: int) -> None:
    """The tables of product sync with `rows` products; indexes are built after the rows, which is quicker."""
    with connection.cursor() as cursor:
        for table, insert in TABLES.items():
            with without_indexes(cursor, table):
                cursor.execute(insert, {"rows": rows, "every": max(1, rows // RARE)})
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM " + table, [table])
        cursor.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}")


@contextmanager
def without_indexes(cursor: Any, table: str) -> Iterator[None]:
    """Take away the indexes that uphold no constraint, and build them again."""
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


def pages(rows: int) -> dict[str, str]:
    """Every list with its filters and searches: name → address."""
    asked: dict[str, list[dict[str, Any]]] = {
        "/admin/etl/product/": [
            {}, {"older": rows // 2}, {"newer": rows // 2}, {"on_sale__exact": 1}, {"is_deleted__exact": 1},
            {"is_deleted__exact": 0}, {"q": "RARE"}, {"q": "B7"}, {"q": "S00004"}, {"q": "S00004242"},
            {"q": "zirconium"}, {"q": "cloudline"}, {"q": "line 42"}, {"q": "系带休"}, {"q": "qqqqq"}, {"q": "zz"},
            {"q": "B7 line 42"}, {"on_sale__exact": 1, "q": "zirconium"},
        ],
        "/admin/etl/productchange/": [
            {}, {"older": rows}, {"newer": rows}, {"change_type__exact": "CREATE"}, {"change_type__exact": "DELETE"},
            {"change_type__exact": "RESTORE"}, {"q": "B7"}, {"q": "RARE"}, {"q": "S00004242"}, {"q": "nothing"},
            {"product__id__exact": 4242}, {"run__id__exact": 2}, {"created_at__gte": "2099-01-01 00:00:00+00:00"},
            {"created_at__gte": "2000-01-01 00:00:00+00:00"},
        ],
        "/admin/etl/rejectedrow/": [
            {}, {"state": "all"}, {"state": "resolved"}, {"reason__exact": "too-deep"},
            {"reason__exact": "bad-flag"}, {"field__exact": "price"}, {"q": "S1001"}, {"q": "B7"}, {"q": "1001"},
            {"run__id__exact": 2, "state": "all"},
        ],
        "/admin/etl/productsyncrun/": [{}, {"status__exact": "failed"}, {"taken_over": "only"}],
        "/admin/etl/watermark/": [{}],
        "/api/v1/etl/products": [
            {}, {"page": 50}, {"pageSize": 100}, {"brandCode": "B7"}, {"brandCode": "RARE"}, {"sku": "S00004242"},
            {"onSale": "true"}, {"isDeleted": "true"}, {"priceMin": 5000, "priceMax": "5000.01"},
            {"priceMin": 5000, "priceMax": 5040}, {"priceMin": 10}, {"tags": "scarce"}, {"tags": "m7"},
            {"tags": "新品"}, {"tags": "m7,t7"}, {"attributes": '{"code": "c42"}'}, {"attributes": '{"品类": "鞋"}'},
            {"attributes": '{"size": 7}'}, {"attributes": '{"no": 1}'}, {"changedSince": "2099-01-01T00:00:00Z"},
            {"changedSince": "2000-01-01T00:00:00Z"}, {"q": "zirconium"}, {"q": "cloudline"}, {"q": "B7"},
        ],
        "/api/v1/etl/product-changes": [
            {}, {"brandCode": "B7"}, {"brandCode": "RARE"}, {"sku": "S00004242"}, {"changeType": "DELETE"},
            {"productId": 4242}, {"runId": 2},
        ],
        "/api/v1/etl/rejected-rows": [
            {}, {"resolved": "false"}, {"reason": "too-deep"}, {"brand": "B7"}, {"sku": "S1001"},
        ],
        "/api/v1/etl/product-runs": [{}, {"status": "failed"}],
    }  # fmt: skip
    found = {}
    for path, queries in asked.items():
        for query in queries:
            # the name leaves places out: the same page at both sizes has one name
            named = {name: "…" if name in ("older", "newer") else value for name, value in query.items()}
            found[path + ("?" if query else "") + "&".join(f"{k}={v}" for k, v in named.items())] = (
                f"{path}?{urlencode(query)}" if query else path
            )
    return found


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


class Size:
    """A database with so many products, and somebody signed in to it."""

    def __init__(self, database: str, rows: int) -> None:
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

    def spent(self, name: str) -> list[float]:
        """Milliseconds of some requests for a page; the one that connects is not among them."""
        self.enter()
        self.client.get(self.pages[name]).close()
        return [_milliseconds(self.client, self.pages[name]) for _ in range(REQUESTS)]


def run(design: str, rows: int) -> Iterator[Page]:
    """Both sizes by turns, so that a noisy minute of the machine falls on both."""
    # no manifest of static files here, and no answer out of a cache
    bare = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    no_cache = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    with override_settings(STORAGES=bare, CACHES=no_cache, SECURE_SSL_REDIRECT=False):
        small, large = _both(rows)
        for name, address in large.pages.items():
            spent: dict[Size, list[float]] = {small: [], large: []}
            for _round in range(ROUNDS):
                for size in spent:
                    spent[size] += size.spent(name)
            small_marks, marks = (quantiles(spent[size], n=20, method="inclusive") for size in spent)
            queries, buffers, through = cost_of(large.client, address)
            yield Page(name, small_marks[9], small_marks[18], marks[9], marks[18], queries, buffers, through)


def _both(rows: int) -> tuple[Size, Size]:
    large = str(connection.settings_dict["NAME"])
    connection.close()
    connection.settings_dict["NAME"] = "postgres"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {large}_small WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {large}_small TEMPLATE {large}")
    return Size(f"{large}_small", SMALL), Size(large, rows)


def report(rows: int, *, as_json: bool) -> None:
    """Measure both sizes and print them side by side."""
    ground = Ground()
    results = [Page(**each).as_json() for each in ground.taken("lists", "pages", rows)]
    if as_json:
        told = {"bench": "lists", "machine": str(ground.machine()), "rows": rows, "rowsSmall": SMALL}
        print(json.dumps(told | {"results": results}))
        return
    print(f"{'':58} {f'at {SMALL:,}':>17} {f'at {rows:,}':>17}")
    print(f"{'page':58} {'p50':>8} {'p95':>8} {'p50':>8} {'p95':>8} {'× p95':>6} {'buffers':>8} {'queries':>8}")
    for each in results:
        figures = "".join(f" {each[name]:8.1f}" for name in ("p50MsSmall", "p95MsSmall", "p50Ms", "p95Ms"))
        page, misses = each["page"][:58], ", ".join(each["misses"])
        print(f"{page:58}{figures} {each['ratio']:6.2f} {each['buffers']:8,} {each['queries']:8}  {misses}")
