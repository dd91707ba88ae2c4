"""At a size where the planner chooses, every list walks an index and reads few pages of the database."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench.scenarios import Keywords
from distilled import execute

pytestmark = pytest.mark.django_db(transaction=True)
HERE = "/api/v1/distillation"
BUFFERS_AT_MOST = 2_000

# Of the rows: every second has no topic, every third was used, the oldest ones most; a tenth are by a model that is
# no longer used, which are the oldest. What is rare is at the end where a walk in order would find it last.
SPREAD = """
    UPDATE distillations
       SET usage_count = CASE WHEN id % 3 = 0 THEN 1 + (1000 - id * 1000 / {rows}) ELSE 0 END,
           provider = CASE WHEN id <= {rows} / 10 THEN 'gemini' ELSE 'manual' END,
           keyword = CASE WHEN id % 1000 = 0 THEN '国际快递 ' ELSE 'keyword ' END || id,
           created_at = '2026-01-01'::timestamptz + id * interval '1 second'
"""

# query → the index that has its rows in order, or None where several will do
LISTS = {
    "stats": "idx_distillations_usage_count",
    "stats?sortOrder=desc": "idx_distillations_usage_count",
    "stats?sortBy=created_at": "distillation_by_age",
    "stats?sortBy=created_at&sortOrder=desc": "distillation_by_age",
    "stats?filterUsage=used": "idx_distillations_usage_count",
    "stats?filterUsage=used&sortBy=created_at&sortOrder=desc": "distillation_used_by_age",
    "stats?filterUsage=unused": "idx_distillations_usage_count",
    "stats?filterUsage=unused&sortBy=created_at&sortOrder=desc": "idx_distillations_usage_count",
    "stats?hasTopics=true": "distillation_recommended",
    "stats?hasTopics=false": "distillation_without_topics",
    "stats?hasTopics=false&sortBy=created_at&sortOrder=desc": None,
    "stats?provider=gemini": "distillation_by_provider",
    "stats?provider=gemini&sortBy=created_at&sortOrder=desc": "distillation_by_provider_age",
    "stats?usageCountMax=1&sortOrder=desc": "idx_distillations_usage_count",
    "stats?usageCountMax=500&sortBy=created_at&sortOrder=desc": None,
    "stats?search=国际快递": None,
    "stats?search=keyword": None,
    "stats?search=国际": None,
    "stats?search=nothing": "distillation_keyword_parts",
    "stats?page=1000": "idx_distillations_usage_count",
    "recommended?limit=100": "distillation_recommended",
    "history": "distillation_by_age",
    "keywords": "distillation_by_age",
}


def filled(rows):
    Keywords(rows).stage()
    # without triggers, which would put the counters right
    execute("SET session_replication_role = replica", SPREAD.format(rows=rows), "RESET session_replication_role")
    execute("VACUUM ANALYZE distillations", "VACUUM ANALYZE topics")


def plans_of(client, path):
    """What the statements of a request read: the nodes of their plans and the pages of the database."""
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    assert answer.status_code == 200, answer.json()
    found, buffers = [], 0
    for query in captured:
        if not query["sql"].startswith("SELECT"):
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query['sql']}")
            (plan,) = cursor.fetchone()
        root = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
        found += nodes(root)
        buffers += root["Shared Hit Blocks"] + root["Shared Read Blocks"]
    return found, buffers


def nodes(plan):
    yield f"{plan['Node Type']} {plan.get('Index Name') or plan.get('Relation Name', '')}".strip()
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def every_list_is_cheap(client):
    client.get(f"{HERE}/recommended")  # what a token's first use costs
    dear = {}
    for query, index in LISTS.items():
        found, buffers = plans_of(client, f"{HERE}/{query}")
        print(f"{query:60} {buffers:6} buffers")
        if buffers > BUFFERS_AT_MOST or (index and not any(each.endswith(f" {index}") for each in found)):
            dear[query] = (buffers, found)
    assert not dear


def test_with_many_distillations_every_list_walks_an_index(client_of, viewer):
    filled(20_000)
    every_list_is_cheap(client_of(viewer))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_with_a_million_distillations_every_list_walks_an_index(client_of, viewer):
    filled(1_000_000)
    every_list_is_cheap(client_of(viewer))
