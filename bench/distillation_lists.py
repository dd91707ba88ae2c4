"""Distillations for bench.lists: rows whose values are spread like those of products, and the pages that list them."""

from __future__ import annotations

from typing import Any

# Most were used 0, 1 or 2 times, a few 5 times; a few have no topics, a few another provider
DISTILLATIONS = """
    INSERT INTO distillations (id, keyword, provider, usage_count, topic_count, created_at)
    SELECT g, '跨境物流报价 freight ' || g %% 3989 || CASE WHEN g %% %(every)s = 5 THEN ' zirconium' ELSE '' END,
           CASE WHEN g %% %(every)s = 7 THEN 'manual' ELSE 'rules' END,
           CASE WHEN g %% %(every)s = 3 THEN 5 ELSE g %% 3 END, CASE WHEN g %% %(every)s = 9 THEN 0 ELSE 2 END,
           now() - (%(rows)s - g) * interval '1 s'
      FROM generate_series(1, %(rows)s) g
"""
TOPICS = """
    INSERT INTO topics (id, distillation_id, question, usage_count, created_at)
    SELECT pass * %(rows)s + id, id, keyword || '?', CASE WHEN pass = 0 THEN usage_count ELSE 0 END, created_at
      FROM distillations, generate_series(0, 1) pass WHERE topic_count > 0 ORDER BY 1
"""
TASKS = """
    INSERT INTO generation_tasks (id, status, progress, attempt, max_attempts, error, error_text, mode, requested_count,
                                  generated_count, keyword, created_at, started_at, finished_at)
    SELECT g, 'completed', 100, 0, 5, '', '', 'auto', 1, 1, 'freight', now(), now(), now()
      FROM generate_series(1, 1 + %(rows)s / 10) g
"""
ARTICLES = """
    INSERT INTO articles (id, task_id, distillation_id, keyword, title, content, provider, created_at)
    SELECT row_number() OVER (), 1 + d.id %% (1 + %(rows)s / 10), d.id, d.keyword, 'Title', 'Text', 'rules',
           now() - (%(rows)s - d.id) * interval '1 s'
      FROM distillations d, generate_series(1, d.usage_count)
"""
USES = """
    INSERT INTO distillation_usage (id, distillation_id, task_id, article_id, topic_id, used_at)
    SELECT a.id, a.distillation_id, a.task_id, a.id, t.id, a.created_at
      FROM articles a LEFT JOIN topics t ON t.id = a.distillation_id
"""
RUNS = """
    INSERT INTO distillations_distillationrun (id, status, progress, attempt, max_attempts, error, error_text, keyword,
                                               topic_count, created_at, started_at, finished_at)
    SELECT g, CASE WHEN g %% 50 = 7 THEN 'failed' ELSE 'completed' END, 100, 0, 5,
           CASE WHEN g %% 50 = 7 THEN 'worker-lost' ELSE '' END, '', 'freight', 12, now(), now(), now()
      FROM generate_series(1, 10 + %(rows)s / 10) g
"""


def check() -> None:
    """What the hourly check does; a list of many rows shows what it found."""
    from distillations.usage import verify_usage  # the process that only reports has no Django

    verify_usage()


TABLES = {
    "distillations": DISTILLATIONS,
    "topics": TOPICS,
    "generation_tasks": TASKS,
    "articles": ARTICLES,
    "distillation_usage": USES,
    "distillations_distillationrun": RUNS,
}

PAGES: dict[str, list[dict[str, Any]]] = {
    "/admin/distillations/distillation/": [
        {}, {"p": 20}, {"used": "never"}, {"used": "few"}, {"used": "many"}, {"topics": "some"}, {"topics": "none"},
        {"provider__exact": "manual"}, {"provider__exact": "rules"}, {"provider__exact": "openai"},
        {"recommended": "yes"}, {"drifted": "yes"}, {"q": "zirconium"}, {"q": "freight"}, {"q": "流报价"},
        {"q": "跨境"}, {"q": "报价"}, {"q": "qqqqq"}, {"q": "zirconium", "used": "few"},
        {"provider__exact": "manual", "topics": "some"},
    ],
    "/admin/distillations/distillation/3/usage/": [{}, {"page": 2}],
    "/admin/distillations/distillation/distribution/": [{}],
    "/admin/distillations/distillation/3/change/": [{}],
    "/admin/distillations/distillationrun/": [{}, {"status__exact": "failed"}],
}  # fmt: skip
