"""Every list of products and of distillations at two sizes (bench/pages.py); each product has three changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from django.db import connection

from bench import distillation_lists
from bench.ground import Ground
from bench.pages import SMALL, Page, Size, both, cost_of, marks, without_caches, without_indexes

ROUNDS, REQUESTS = 4, 5
RARE = 40  # rows of what is rare at either size, so that the same page is compared

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
    **distillation_lists.TABLES,
}


def fill(rows: int, tables: Iterable[str] | None = None) -> None:
    """These tables (all: both rooms) with `rows` rows; indexes are built after the rows, which is quicker."""
    chosen = list(TABLES if tables is None else tables)
    with connection.cursor() as cursor:
        for table in chosen:
            with without_indexes(cursor, table), without_triggers(cursor):
                cursor.execute(TABLES[table], {"rows": rows, "every": max(1, rows // RARE)})
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM " + table, [table])
        cursor.execute(f"VACUUM (ANALYZE) {', '.join(chosen)}")
    if tables is None:
        distillation_lists.check()


@contextmanager
def without_triggers(cursor: Any) -> Iterator[None]:
    """The rows bring their counters along, right already; a trigger per row would take minutes."""
    cursor.execute("SET session_replication_role = replica")
    yield
    cursor.execute("RESET session_replication_role")


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
        **distillation_lists.PAGES,
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


def run(design: str, rows: int) -> Iterator[Page]:
    """Both sizes by turns, so that a noisy minute of the machine falls on both."""
    with without_caches():
        small, large = both(rows, fill, pages)
        for name, address in large.pages.items():
            spent: dict[Size, list[float]] = {small: [], large: []}
            for _round in range(ROUNDS):
                for size in spent:
                    spent[size] += size.spent(size.pages[name], REQUESTS)
            small_p50, small_p95, _ = marks(spent[small])
            p50, p95, _ = marks(spent[large])
            queries, buffers, through = cost_of(large.client, address)
            yield Page(name, small_p50, small_p95, p50, p95, queries, buffers, through)


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
