"""The statements of docs/operations.md take over rows of the older tables, once, without duplicates or gaps."""

import re
from pathlib import Path

import pytest
from django.db import connection

from exports.models import Article, BriefBatch, BriefItem, ManualExportBatch, ManualExportItem, ManualReview
from pool import places, review

pytestmark = pytest.mark.django_db(transaction=True)
DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"

OLD = """
CREATE SCHEMA old;
CREATE TABLE old.news_summaries (
    article_id text PRIMARY KEY, title text, source text, url text, publish_time bigint,
    publish_time_iso timestamptz,
    content_markdown text, llm_summary text, llm_source text, llm_keywords text[], status text, score numeric(6,3),
    is_beijing_related bool, sentiment_label text, external_importance_score numeric(6,3), created_at timestamptz);
CREATE TABLE old.manual_reviews (
    id uuid DEFAULT gen_random_uuid(), article_id text UNIQUE, status text, summary text, rank float8, notes text,
    score numeric(6,3), manual_llm_source text, decided_by text, decided_at timestamptz, created_at timestamptz,
    updated_at timestamptz);
CREATE TABLE old.brief_batches (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), report_date date, sequence_no int, generated_at timestamptz,
    generated_by text, export_payload jsonb, created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now());
CREATE TABLE old.brief_items (
    id uuid DEFAULT gen_random_uuid(), brief_batch_id uuid, article_id text, section text, order_index int,
    final_summary text, approved_by text, approved_at timestamptz, metadata jsonb,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TABLE old.manual_export_batches (LIKE old.brief_batches INCLUDING ALL);
CREATE TABLE old.manual_export_items (LIKE old.brief_items INCLUDING ALL);
ALTER TABLE old.manual_export_items RENAME brief_batch_id TO manual_export_batch_id;

INSERT INTO old.news_summaries
SELECT 'a-' || n, CASE WHEN n > 1 THEN 'Title ' || n END, 'Crawl', NULL, NULL, '2026-05-01T00:00:00Z', 'Text',
       'Summary',
       CASE n WHEN 2 THEN 'Herald' END, CASE n WHEN 2 THEN ARRAY['k'] END,
       CASE WHEN n <= 6 THEN 'ready_for_export' ELSE 'external_filtered' END, 70 + n, (ARRAY[true, false])[n],
       (ARRAY['positive', 'negative', 'odd'])[n], 5, '2026-05-01T01:00:00Z'
  FROM generate_series(1, 9) n;
INSERT INTO old.manual_reviews (article_id, status, summary, rank, decided_by, created_at) VALUES
    ('a-1', 'approved', 'Edited', 2, 'desk', now()), ('a-2', 'discarded', '', 5, NULL, now()),
    ('a-3', 'exported', NULL, 1, NULL, now()), ('a-7', 'pending', NULL, NULL, NULL, now());
INSERT INTO old.brief_batches (report_date, sequence_no, generated_by, export_payload) VALUES
    ('2026-05-01', 1, '2026-05-01', '{"n": 1}'), ('2026-05-01', 2, '2026-05-01', '{"n": 2}'),
    ('2026-05-01', 5, '2026-05-01-B', NULL), ('2026-05-02', 1, NULL, '{}');
INSERT INTO old.brief_items (brief_batch_id, article_id, section, order_index, final_summary, metadata)
SELECT b.id, i.article_id, 's', i.place, 'S ' || i.article_id || b.sequence_no, '{"title": "T"}'
  FROM old.brief_batches b, (VALUES ('a-2', 0), ('a-1', 1), ('a-2', 4), ('gone', 5), (NULL, 6)) AS i(article_id, place)
 WHERE b.report_date = '2026-05-01';
INSERT INTO old.brief_items (brief_batch_id, article_id, order_index)
SELECT id, 'a-8', 0 FROM old.brief_batches WHERE sequence_no = 2;
INSERT INTO old.manual_export_batches (report_date, sequence_no, generated_by) VALUES ('2026-05-01', 1, '2026-05-01');
INSERT INTO old.manual_export_items (manual_export_batch_id, article_id, order_index)
SELECT id, 'a-3', 0 FROM old.manual_export_batches;
"""


@pytest.fixture
def statements():
    section = DOCUMENT.read_text(encoding="utf-8").partition("## Taking over articles and briefs")[2]
    (block,) = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    with connection.cursor() as cursor:
        cursor.execute(OLD.replace("%", "%%"))
    yield block
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA old CASCADE")


def run(block):
    with connection.cursor() as cursor:
        cursor.execute(block.replace("%", "%%"))


def everything():
    return [
        list(model.objects.order_by("pk").values())
        for model in (Article, ManualReview, BriefBatch, BriefItem, ManualExportBatch, ManualExportItem)
    ]


def test_rows_of_the_older_tables_come_over_once(statements):
    run(statements)
    assert sorted(Article.objects.values_list("article_id", flat=True)) == [f"a-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8)]
    first, second = Article.objects.get(article_id="a-1"), Article.objects.get(article_id="a-2")
    assert (first.title, first.source, first.region, first.sentiment) == ("a-1", "Crawl", "internal", "positive")
    assert (second.source, second.keywords, second.region) == ("Herald", ["k"], "external")
    assert places("a-1", "a-2", "a-3", "a-4", "a-7", "a-8") == [
        ("selected", 2), ("discarded", None), ("exported", 1), ("pending", None), ("discarded", None),
        ("discarded", None),
    ]  # fmt: skip
    assert (review("a-1").summary, review("a-1").decided_by, review("a-2").summary) == ("Edited", "desk", None)
    assert review("a-1").list_score == 71

    briefs = BriefBatch.objects.order_by("report_date", "sequence_no")
    assert list(briefs.values_list("report_tag", "report_date__day", "sequence_no", "source")) == [
        ("2026-05-01", 1, 1, "worker"), ("2026-05-01-B", 1, 2, "worker"), ("2026-05-02-1", 2, 1, "worker"),
    ]  # fmt: skip
    merged = briefs[0]
    assert merged.export_payload == {"n": 2}
    assert list(merged.items.order_by("order_index").values_list("article_id", "order_index", "final_summary")) == [
        ("a-2", 1, "S a-21"), ("a-1", 2, "S a-11"), ("a-8", 3, ""),
    ]  # fmt: skip
    assert ManualExportBatch.objects.get().items.get().article_id == "a-3"


def test_running_them_again_changes_nothing(statements):
    run(statements)
    before = everything()
    run(statements)
    assert everything() == before
