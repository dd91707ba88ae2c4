"""The doctor looks at exports: whether what was recorded and copied is still what it should be."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection
from django.utils.translation import gettext_lazy

from exports.models import BriefBatch, BriefItem, ManualExportBatch, ManualExportItem
from watch.findings import Finding, Up, fine, problem

NEWEST_BATCHES, NEWEST_ROWS = 200, 1_000
TABLES = ((ManualExportBatch, ManualExportItem), (BriefBatch, BriefItem))

# places of a batch count from one without a gap, so the last is as many as there are
GAPS = """
    SELECT b.report_tag
      FROM (SELECT id, report_tag FROM {batches} ORDER BY id DESC LIMIT %(newest)s) b
      JOIN {items} i ON i.{batch_column} = b.id
     GROUP BY b.id, b.report_tag
    HAVING count(*) <> max(i.order_index) OR min(i.order_index) <> 1
"""
OTHER_TEXT = """
    SELECT report_tag
      FROM (SELECT report_tag, content, sha256 FROM {batches} ORDER BY id DESC LIMIT %(newest)s) b
     WHERE CASE content WHEN '' THEN '' ELSE encode(sha256(convert_to(content, 'UTF8')), 'hex') END <> sha256
"""
OTHER_COPY = """
    SELECT r.article_id
      FROM (SELECT * FROM manual_reviews ORDER BY id DESC LIMIT %(newest)s) r
      JOIN news_articles a USING (article_id)
     WHERE (r.list_score, r.published_at, r.region, r.sentiment)
           IS DISTINCT FROM (coalesce(r.score, a.score), a.published_at, a.region, a.sentiment)
"""
NO_REVIEW = """
    SELECT a.article_id
      FROM (SELECT article_id FROM news_articles ORDER BY id DESC LIMIT %(newest)s) a
     WHERE NOT EXISTS (SELECT FROM manual_reviews r WHERE r.article_id = a.article_id)
"""
# the trigger copies when the score is written, whatever it is
COPY_AGAIN = """
    UPDATE manual_reviews r SET score = r.score
      FROM news_articles a
     WHERE a.article_id = r.article_id
       AND (r.list_score, r.published_at, r.region, r.sentiment)
           IS DISTINCT FROM (coalesce(r.score, a.score), a.published_at, a.region, a.sentiment)
"""
REVIEW_ALL = """
    INSERT INTO manual_reviews (article_id)
    SELECT article_id FROM news_articles a
     WHERE NOT EXISTS (SELECT FROM manual_reviews r WHERE r.article_id = a.article_id)
    ON CONFLICT DO NOTHING
"""


class Check(NamedTuple):
    """Something to look at, and what to say."""

    name: str
    query: str
    newest: int
    good: Any
    bad: Any
    mend: Any = "manage.py doctor --mend"
    sql: tuple[str, ...] = ()


PER_TABLE = (
    Check(
        "places",
        GAPS,
        NEWEST_BATCHES,
        gettext_lazy("articles of briefs stand in places without gaps"),
        gettext_lazy("%(count)s of the newest briefs have gaps in the places of their articles, such as “%(first)s”."),
        gettext_lazy("Rows were deleted past the product: restore them from a backup."),
    ),
    Check(
        "texts",
        OTHER_TEXT,
        NEWEST_BATCHES,
        gettext_lazy("texts of briefs have their SHA-256"),
        gettext_lazy("%(count)s of the newest briefs have a text that is not the one recorded, such as “%(first)s”."),
        gettext_lazy("Compare with the text that the newest run of the brief has kept."),
    ),
)
ONCE = (
    Check(
        "reviews",
        OTHER_COPY,
        NEWEST_ROWS,
        gettext_lazy("reviews are listed by what their articles say"),
        gettext_lazy(
            "%(count)s of the newest reviews are listed by a score, date or bucket that is not their article's."
        ),
        sql=(COPY_AGAIN,),
    ),
    Check(
        "reviews",
        NO_REVIEW,
        NEWEST_ROWS,
        gettext_lazy("every article can be reviewed"),
        gettext_lazy("%(count)s of the newest articles have no review, so the review desk does not show them."),
        sql=(REVIEW_ALL,),
    ),
)


def examine(up: Up) -> Iterator[Finding]:
    """Places, texts, copies for the lists, and articles that nobody would see."""
    if not up.database:
        return
    for check in PER_TABLE:
        found = [tag for batches, items in TABLES for tag in _asked(check, batches, items)]
        yield _finding(check, found)
    for check in ONCE:
        yield _finding(check, _asked(check))


def _finding(check: Check, found: list[str]) -> Finding:
    if not found:
        return fine(check.name, str(check.good))
    return problem(check.name, check.bad % {"count": len(found), "first": found[0][:80]}, str(check.mend), *check.sql)


def _asked(check: Check, batches: Any = None, items: Any = None) -> list[str]:
    names = {}
    if batches is not None:
        names = {
            "batches": batches._meta.db_table,
            "items": items._meta.db_table,
            "batch_column": items._meta.get_field("batch").column,
        }
    with connection.cursor() as cursor:
        cursor.execute(check.query.format(**names), {"newest": check.newest})
        return [row[0] for row in cursor.fetchall()]
