"""What the routes are asked about, and in which addresses: `rows` of each table, with everything that hangs on them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from django.db import connection, transaction

from bench import lists
from bench.pages import without_indexes
from bench.scenarios import Keywords

PREFIX = "/api/v1/"
PAGE, CANDIDATES = 10, 30  # rows of a page where nobody asks for another number
DAY = "timestamptz '2026-01-01 00:00+00'"

# One article per task. A twentieth of all uses are those of the first distillation, the others are spread over three
# quarters of those with a topic, so that some were never used.
TASKS = f"""
    INSERT INTO generation_tasks (id, status, progress, attempt, max_attempts, error, error_text, mode, requested_count,
        generated_count, keyword, distillation_id, created_at, started_at, finished_at, updated_at)
    SELECT g, CASE WHEN g %% 50 = 7 THEN 'failed' ELSE 'completed' END, 100, 0, 5,
           CASE WHEN g %% 50 = 7 THEN 'all-failed' ELSE '' END, '', 'auto', 1, CASE WHEN g %% 50 = 7 THEN 0 ELSE 1 END,
           'keyword ' || d, d, {DAY} + g * interval '1 s', {DAY}, {DAY}, {DAY}
      FROM (SELECT g, CASE WHEN g %% 20 = 0 THEN 1 ELSE 1 + 2 * (g::bigint * 7919 %% (%(rows)s * 3 / 8)) END AS d
              FROM generate_series(1, %(rows)s) g) asked
"""
SLOTS = """
    INSERT INTO distillations_generationslot (id, task_id, position, distillation_id, keyword, topic_id, question,
        is_auto, status, article_id)
    SELECT t.id, t.id, 1, distillation_id, keyword, (distillation_id + 1) / 2, 'question 1?', true,
           CASE WHEN status = 'completed' THEN 'done' ELSE 'failed' END,
           CASE WHEN status = 'completed' THEN t.id END
      FROM generation_tasks t
"""
ARTICLES = f"""
    INSERT INTO articles (id, task_id, distillation_id, topic_id, keyword, question, title, content, provider,
                          generator_kind, generator_name, created_at)
    SELECT id, id, distillation_id, (distillation_id + 1) / 2, keyword, 'question 1?', 'Title ' || id,
           repeat('A sentence of an article. ', 40), 'rules', 'rules', 'bench', {DAY} + id * interval '1 s'
      FROM generation_tasks WHERE status = 'completed'
"""
USES = """
    INSERT INTO distillation_usage (id, distillation_id, task_id, article_id, topic_id, used_at)
    SELECT id, distillation_id, task_id, id, topic_id, created_at FROM articles
"""
COUNTERS = """
    UPDATE distillations d SET usage_count = uses
      FROM (SELECT distillation_id, count(*) AS uses FROM distillation_usage GROUP BY 1) counted
     WHERE counted.distillation_id = d.id
"""
TOPIC_COUNTERS = """
    UPDATE topics t SET usage_count = uses
      FROM (SELECT topic_id, count(*) AS uses FROM distillation_usage GROUP BY 1) counted
     WHERE counted.topic_id = t.id
"""
# each word in an eighth of the keywords, or in a quarter
NAMED = f"""
    UPDATE distillations SET created_at = {DAY} + id * interval '1 s',
           keyword = (ARRAY['轻便通勤鞋', '国际快递', 'trail shoes', 'office chair', '儿童座椅', 'rain jacket',
                            '咖啡机', 'running shoes'])[1 + id %% 8] || ' ' || id
"""
NEWS = f"""
    INSERT INTO news_articles (article_id, title, source, url, published_at, summary, score, importance, region,
                               sentiment, content)
    SELECT 'a-' || lpad(g::text, 8, '0'), 'Enrolment rules 招生新规 ' || g, 'Daily ' || g %% 17,
           'https://news.example.com/' || g, {DAY} + g * interval '1 minute', repeat('What happened. 摘要 ', 8),
           40 + g %% 60, g %% 100, CASE WHEN g %% 2 = 0 THEN 'internal' ELSE 'external' END,
           CASE WHEN g %% 4 < 2 THEN 'positive' ELSE 'negative' END, repeat('The whole text. ', 20)
      FROM generate_series(1, %(rows)s) g
"""
REVIEWS = """
    INSERT INTO manual_reviews (article_id, status)
    SELECT article_id, CASE WHEN right(article_id, 1) < '6' THEN 'pending' ELSE 'discarded' END FROM news_articles
"""
WRITTEN = {
    "generation_tasks": TASKS,
    "articles": ARTICLES,
    "distillations_generationslot": SLOTS,
    "distillation_usage": USES,
}


def fill(rows: int) -> None:
    """Every table that the routes read; counters are written with the rows, since triggers would take an hour."""
    lists.fill(rows, ("products", "product_change_log"))
    Keywords(rows).stage()
    facts = {"rows": rows}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, insert in WRITTEN.items():
            with without_indexes(cursor, table):
                cursor.execute(insert, facts if "%(" in insert else None)
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM " + table, [table])
        with without_indexes(cursor, "topics"):
            cursor.execute(TOPIC_COUNTERS)
        with without_indexes(cursor, "distillations"):
            cursor.execute(COUNTERS)
            cursor.execute(NAMED, [])
    with connection.cursor() as cursor:
        cursor.execute(NEWS, facts)
        cursor.execute(REVIEWS)
        cursor.execute(f"VACUUM (ANALYZE) distillations, topics, {', '.join(WRITTEN)}, news_articles, manual_reviews")


def addresses(rows: int) -> dict[str, str]:
    """Name → address below PREFIX; a place that differs with the size stands as … in the name."""
    half, deep = rows // 2, rows // 100
    asked: dict[str, list[dict[str, Any]]] = {
        "distillation/stats": [
            {}, {"page": 50}, {"sortBy": "created_at", "sortOrder": "desc"}, {"filterUsage": "used"},
            {"filterUsage": "unused"}, {"search": "trail shoes 4242"}, {"search": "shoes"}, {"pageSize": 100},
        ],
        "distillation/recommended": [{"limit": 3}],
        "distillation/1/usage-history": [{}],
        "generation/tasks": [
            {}, {"page": 50}, {"status": "completed"}, {"status": "failed"}, {"search": "4242"}, {"distillationId": 1},
            {"pageSize": 100},
        ],
        "articles": [{}, {"distillationId": 1}],
        "etl/products": [{}, {"page": 50}, {"brandCode": "B7"}, {"q": "zirconium"}, {"pageSize": 100}],
        "etl/product-changes": [{}, {"cursor": ""}, {"productId": 4242}],
        "manual_filter/candidates": [{}, {"offset": deep}, {"region": "internal"}],
    }  # fmt: skip
    found = {}
    for path, queries in asked.items():
        for query in queries:
            named = {name: "…" if name == "offset" else value for name, value in query.items()}
            found[path + ("?" if query else "") + "&".join(f"{k}={v}" for k, v in named.items())] = (
                f"{path}?{urlencode(query)}" if query else path
            )
    found[f"generation/tasks/{'{id}'}"] = f"generation/tasks/{half}"
    return found


def page_size(name: str) -> int:
    """How many rows the answer of a route has, so that the bare view gives as many."""
    found = re.search(r"(?:pageSize|limit)=(\d+)", name)
    return int(found[1]) if found else CANDIDATES if name.startswith("manual_filter") else PAGE


TABLE_OF = {
    "distillation/stats": "distillations",
    "distillation/recommended": "distillations",
    "distillation/1/usage-history": "distillation_usage",
    "generation/tasks": "generation_tasks",
    "generation/tasks/{id}": "generation_tasks",
    "articles": "articles",
    "etl/products": "products",
    "etl/product-changes": "product_change_log",
    "manual_filter/candidates": "news_articles",
}
