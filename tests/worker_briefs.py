"""The worker's briefs as tests see them: articles, runs, and all that a run leaves behind."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from exports import services, worker
from exports.models import Article, BriefBatch, BriefItem, ExportRun, ManualExportItem, ManualReview
from exports.recording import Entry, record_manual_export

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = NOON.date()
TABLES = "brief_items, brief_batches, exports_exportrun, exports_issuecounter"


def article(article_id, *, status="pending", **values):
    """One article with its review; of its own kind unless told otherwise."""
    values = {
        "title": f"Story {article_id}",
        "summary": f"What happened in {article_id}.",
        "score": Decimal(80),
        "region": "internal",
        "sentiment": "positive",
        "published_at": NOON,
    } | values
    made = Article.objects.create(article_id=article_id, **values)
    ManualReview.objects.create(article=made, status=status)
    return made


def articles(count, *, first=0):
    """Many different articles in one statement: ids a-00000 …, every 5th of them a copy of the one before."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO news_articles (article_id, title, summary, source, score, importance, region, sentiment,
                                       published_at, section, url, content)
            SELECT 'a-' || lpad(n::text, 5, '0'),
                   'Report ' || md5((n / 5 * 5 + least(n %% 5, 3))::text),
                   'It was said that ' || repeat(md5((n / 5 * 5 + least(n %% 5, 3))::text || 'x'), 3),
                   'wire', 60 + n %% 40, n %% 7,
                   (ARRAY['internal', 'external', 'unknown'])[1 + n / 5 %% 3],
                   (ARRAY['positive', 'negative', 'unknown'])[1 + n / 5 %% 2],
                   %(noon)s::timestamptz + n * interval '1 second', '', '', ''
              FROM generate_series(%(first)s, %(last)s) AS n
            """,
            {"noon": NOON, "first": first, "last": first + count - 1},
        )
        cursor.execute(
            "INSERT INTO manual_reviews (article_id) SELECT article_id FROM news_articles ON CONFLICT DO NOTHING"
        )


def options(tag="2026-03-01", **wish):
    """A wish for a brief."""
    return services.ExportOptions(report_tag=tag, **wish)


def exported(tag="2026-03-01", **wish):
    """A run made here, worked on to its end."""
    run = services.start_export_here(options(tag, **wish), actor="test")
    worker.run_export(run.pk)
    run.refresh_from_db()
    return run


def by_hand(tag, *article_ids):
    """Record these as exported by hand."""
    entries = [Entry(each, "", "said", {}) for each in article_ids]
    with transaction.atomic():
        record_manual_export(tag, DAY, entries, template="zongbao", payload={}, content="by hand")


def in_brief(tag="2026-03-01"):
    """The articles of the worker's brief of a tag, in their places."""
    items = BriefItem.objects.filter(batch__report_tag=tag, source="worker").order_by("order_index")
    assert [item.order_index for item in items] == list(range(1, len(items) + 1))
    return [item.article_id for item in items]


def skipped(run):
    """Reason → how many."""
    return {reason: each["count"] for reason, each in run.funnel["skipped"].items()}


def assert_adds_up(run):
    """Every candidate is printed, or in one part of what was skipped."""
    assert run.funnel["candidates"] == run.printed + sum(skipped(run).values()), run.funnel
    assert run.funnel["exported"] == run.printed
    assert sum(each["articles"] for each in run.funnel["buckets"]) == run.funnel["bucketed"]


def outcome():
    """All that exports leave behind, without what depends on when they ran."""
    batches = BriefBatch.objects.order_by("id")
    return {
        "batches": list(batches.values_list("report_tag", "sequence_no", "template", "content", "sha256", "source")),
        "items": list(
            BriefItem.objects.order_by("batch__report_tag", "order_index").values_list(
                "batch__report_tag", "article_id", "section", "order_index", "final_summary", "metadata"
            )
        ),
        "by hand": ManualExportItem.objects.count(),
        "statuses": list(ManualReview.objects.order_by("id").values_list("status", "version")),
    }


def empty():
    """As if the worker had never made a brief; the articles stay."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(f"TRUNCATE {TABLES} CASCADE")
        cursor.execute("RESET session_replication_role")


__all__ = [
    "DAY", "NOON", "ExportRun", "article", "articles", "assert_adds_up", "by_hand", "empty", "exported", "in_brief",
    "options", "outcome", "skipped", "timedelta",
]  # fmt: skip
