"""Every list of product sync at two sizes: how long, how many queries, how many pages of the database.

The figures of `--rows` products (three changes each) are judged against those of 10,000. Nothing is cached
between requests, so a total is asked for each time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.test import Client
from django.test.utils import override_settings

from bench.ground import Ground

SMALL = 10_000
REQUESTS = 20
SLOWER_AT_MOST, BUFFERS_AT_MOST = 3.0, 2_000
READ_IN_PASSING = 5_000  # rows that a sequential scan may look at before it has found a full page

# Narrow rows whose values are spread so that some filters find nearly everything, some a few thousand rows,
# some a handful and some nothing, at either size.
PRODUCTS = """
    INSERT INTO products (id, brand_code, sku, name, price, on_sale, colors, tags, attributes, data_version,
                          src_updated_at, src_id, is_deleted, created_at, updated_at)
    SELECT g, CASE WHEN g %% 5000 = 7 THEN 'RARE' ELSE 'B' || g::bigint * 7919 %% 200 END, 'S' || lpad(g::text, 8, '0'),
           '云纹系带休闲鞋 Cloudline ' || g %% 3989 || CASE WHEN g %% 5000 = 5 THEN ' zirconium' ELSE '' END,
           (g::bigint * 7919 %% 1000000) / 100.0, g %% 3 = 0, '["Ink"]',
           jsonb_build_array('新品', 'm' || g %% 400, 't' || g %% 97)
               || CASE WHEN g %% 5000 = 9 THEN '["scarce"]' ELSE '[]' END::jsonb,
           jsonb_build_object('品类', '鞋', 'size', g %% 40, 'code', 'c' || g %% 5000),
           'v1:' || md5(g::text), now() - (%(rows)s - g) * interval '1 s', g, g %% 1000 = 0,
           now() - (%(rows)s - g) * interval '1 s', now() - (%(rows)s - g) * interval '1 s'
      FROM generate_series(1, %(rows)s) g
"""
CHANGES = """
    INSERT INTO product_change_log (id, product_id, brand_code, sku, change_type, old_version, new_version,
                                    changed_fields, run_id, created_at)
    SELECT pass * %(rows)s + id, id, brand_code, sku,
           CASE WHEN pass = 0 THEN 'CREATE' WHEN id %% 5000 = 3 THEN 'DELETE' ELSE 'UPDATE' END,
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
      FROM generate_series(1, %(rows)s / 100) g
"""
REJECTS = """
    INSERT INTO etl_rejectedrow (id, source, src_id, brand, sku, reason, field, detail, raw, run_id, created_at,
                                 resolved_at, resolution)
    SELECT g, 'products_staging', g, 'B' || g %% 200, 'S' || g,
           CASE WHEN g %% 500 = 1 THEN 'too-deep' ELSE 'price-missing' END, 'price', 'empty', '{"price": ""}',
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
                cursor.execute(insert, {"rows": rows})
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
    """What one page costs at one size."""

    name: str
    p50: float  # milliseconds
    p95: float
    queries: int
    buffers: int
    read_through: list[str] = field(default_factory=list)  # tables that were read from the first row on


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


def cost_of(client: Client, name: str, address: str, requests: int) -> Page:
    """Ask for the page often, and once with a look at every statement."""
    with connection.execute_wrapper(statements := Statements()):
        answer = client.get(address)
    assert answer.status_code == 200, f"{address} answered {answer.status_code}"
    plans = list(statements.plans())
    spent = sorted(_milliseconds(client, address) for _ in range(requests)) if requests else [0.0, 0.0]
    marks = quantiles(spent, n=20, method="inclusive")
    buffers = sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)
    through = [table for plan in plans for table in read_through(plan)]
    return Page(name, marks[9], marks[18], len(statements.noted), buffers, through)


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


def run(design: str, rows: int) -> Iterator[Page]:
    """One size, in a database of its own."""
    from django.contrib.auth.models import User  # the process that only reports has no Django

    fill(rows)
    user = User.objects.create_superuser("bench")
    # no manifest of static files here, and no answer out of a cache
    bare = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    sessions = "django.contrib.sessions.backends.db"
    no_cache = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    with override_settings(STORAGES=bare, CACHES=no_cache, SESSION_ENGINE=sessions, SECURE_SSL_REDIRECT=False):
        client = Client(SERVER_NAME="localhost")
        client.force_login(user)
        for name, address in pages(rows).items():
            yield cost_of(client, name, address, REQUESTS)


def report(rows: int, *, as_json: bool) -> None:
    """Measure both sizes and print them side by side."""
    ground = Ground()
    small, large = (ground.child("lists", "pages", size) for size in (SMALL, rows))
    judged = [_judged(before, after) for before, after in zip(small, large, strict=True)]
    if as_json:
        print(json.dumps({"bench": "lists", "machine": ground.machine() | {"rows": rows}, "results": judged}))
        return
    print(f"{'':60} {'at ' + format(SMALL, ','):>17} {'at ' + format(rows, ','):>17}")
    print(f"{'page':60} {'p50':>8} {'p95':>8} {'p50':>8} {'p95':>8} {'× p95':>6} {'buffers':>8} {'queries':>8}")
    for each in judged:
        figures = "".join(f" {each[name]:8.1f}" for name in ("p50Small", "p95Small", "p50", "p95"))
        print(f"{each['page'][:60]:60}{figures} {each['ratio']:6.2f} {each['buffers']:8,} {each['queries']:8}", end="")
        print("  " + ", ".join(each["misses"]))


def _judged(small: dict[str, Any], large: dict[str, Any]) -> dict[str, Any]:
    ratio = large["p95"] / small["p95"]
    misses = [f"reads all of {table}" for table in large["read_through"]]
    misses += [f"more than {SLOWER_AT_MOST} times slower"] if ratio > SLOWER_AT_MOST else []
    misses += [f"more than {BUFFERS_AT_MOST} buffers"] if large["buffers"] > BUFFERS_AT_MOST else []
    return {
        "page": small["name"],
        "p50Small": small["p50"],
        "p95Small": small["p95"],
        "p50": large["p50"],
        "p95": large["p95"],
        "ratio": round(ratio, 2),
        "buffers": large["buffers"],
        "queries": large["queries"],
        "misses": misses,
    }
