"""Which articles the worker may export, which it leaves out, and why.

All of it is asked of the database, in one statement: of a million articles only the handful that is left comes back,
beside how many were left out. Every candidate is in exactly one part: under the first reason that holds, or taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection
from django.db.models import Case, Exists, OuterRef, Q, TextField, Value, When

from exports.choices import Region, ReviewStatus, Sentiment, Skipped, SkipScope, Source
from exports.models import Article, BriefBatch, BriefItem, BriefTemplate, ExportRun, ManualExportItem, ManualReview

FIRST_SHOWN = 20
NOT_LEFT_OUT = ""


@dataclass(frozen=True)
class Part:
    """Candidates of which the same is to be said: how many, and the best of them."""

    count: int
    first: list[str]


# every candidate is judged once; what follows reads the judgements only
JUDGE = """
    WITH judged AS MATERIALIZED ({judged})
    SELECT reason, count,
           ARRAY(SELECT article_id FROM judged j WHERE j.reason = parts.reason
                  ORDER BY score DESC, published_at DESC NULLS LAST, article_id
                  LIMIT CASE parts.reason WHEN %s THEN %s ELSE %s END)
      FROM (SELECT reason, count(*) FROM judged GROUP BY reason) parts
"""


def judge(run: ExportRun, template: BriefTemplate, *, most: int) -> dict[str, Part]:
    """All candidates by the first reason to leave them out; under NOT_LEFT_OUT the best `most` of the others."""
    reasons = {**discarded(), **exported(run), **unprintable(template)}
    reason = Case(
        *(When(condition, then=Value(str(name))) for name, condition in reasons.items()),
        default=Value(NOT_LEFT_OUT),
        output_field=TextField(),
    )
    candidates = Article.objects.scored(run.min_score or Decimal(0)).order_by()
    judged = candidates.values("article_id", "score", "published_at", reason=reason)
    sql, parameters = judged.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(JUDGE.format(judged=sql), [*parameters, NOT_LEFT_OUT, most, FIRST_SHOWN])
        return {name: Part(count, first) for name, count, first in cursor.fetchall()}


def in_this_order(article_ids: Sequence[str]) -> list[Article]:
    """These articles, each with its review."""
    found = Article.objects.filter(article_id__in=article_ids).select_related("review").defer("content")
    by_id = {article.article_id: article for article in found}
    return [by_id[each] for each in article_ids if each in by_id]


def are_free(article_ids: Sequence[str], run: ExportRun, *, recorded_in: BriefBatch) -> bool:
    """Whether still nothing speaks against exporting these, beside what the run itself has just recorded.

    Locks their reviews to the end of the transaction, so that nobody discards or exports one by hand in between.
    Waits for no lock: who is being decided about right now is not free.
    """
    reviews = ManualReview.objects.filter(article_id__in=article_ids)
    held = reviews.order_by("article_id").select_for_update(no_key=True, skip_locked=True)
    if len(held.values_list("pk")) < reviews.count():
        return False
    free = Article.objects.filter(article_id__in=article_ids)
    for condition in (discarded() | exported(run, beside=recorded_in)).values():
        free = free.exclude(condition)
    return free.count() == len(article_ids)


def discarded() -> dict[Skipped, Q]:
    """What an editor does not want."""
    reviews = ManualReview.objects.filter(article_id=OuterRef("article_id"))
    return {Skipped.DISCARDED: Q(Exists(reviews.filter(status=ReviewStatus.DISCARDED)))}


def exported(run: ExportRun, *, beside: BriefBatch | None = None) -> dict[Skipped, Q]:
    """What was exported earlier, as far as the run cares, as conditions on articles."""
    in_briefs = BriefItem.objects.filter(article_id=OuterRef("article_id"))
    by_worker = in_briefs.filter(source=Source.WORKER)
    reasons = {}
    if beside is None:
        here = by_worker.filter(batch__report_tag=run.report_tag, batch__source=Source.WORKER)
        reasons[Skipped.EXPORTED_HERE] = Q(Exists(here))
    else:
        by_worker = by_worker.exclude(batch=beside)
    if run.skip_exported:
        reasons[Skipped.EXPORTED_BY_WORKER] = Q(Exists(by_worker))
    if run.skip_exported and run.skip_scope == SkipScope.ALL:
        by_hand = ManualExportItem.objects.filter(article_id=OuterRef("article_id"))
        reasons[Skipped.EXPORTED_BY_HAND] = Q(Exists(by_hand)) | Q(Exists(in_briefs.filter(source=Source.MANUAL)))
    return reasons


def unprintable(template: BriefTemplate) -> dict[Skipped, Q]:
    """What the template would not print, so that it takes up no place below the limit."""
    sections = list(template.sections.all())
    printed = Q(section__in=[each.section for each in sections])
    for each in sections:
        printed |= bucket(each.region, each.sentiment)
    edited = ManualReview.objects.filter(article_id=OuterRef("article_id"), summary__regex=r"\S")
    return {
        Skipped.BUCKET_NOT_IN_TEMPLATE: ~printed,
        Skipped.NO_SUMMARY: Q(summary__regex=r"^\s*$") & ~Q(Exists(edited)),
    }


def bucket(region: str, sentiment: str) -> Q:
    """The articles of a bucket: what is not known to be internal is external, what is not negative is positive."""
    internal, negative = Q(region=Region.INTERNAL), Q(sentiment=Sentiment.NEGATIVE)
    return (internal if region == Region.INTERNAL else ~internal) & (
        negative if sentiment == Sentiment.NEGATIVE else ~negative
    )
