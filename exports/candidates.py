"""Which articles the worker may export, which it leaves out, and why.

All of it is asked of the database: a million articles of which nearly all were exported cost a few counted rows and
the handful that is left. Every candidate is in exactly one part: under the first reason that holds for it, or taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cached_property

from django.db.models import Case, Count, Exists, OuterRef, Q, TextField, Value, When

from exports.choices import Region, ReviewStatus, Sentiment, Skipped, SkipScope, Source
from exports.models import Article, BriefBatch, BriefItem, BriefTemplate, ExportRun, ManualExportItem, ManualReview
from exports.querysets import ArticleQuerySet

FIRST_SHOWN = 20
NOT_LEFT_OUT = ""


class Candidates:
    """The articles that are good enough for a run, and why some of them are left out."""

    def __init__(self, run: ExportRun, template: BriefTemplate) -> None:
        self.run = run
        self._reasons = {**discarded(), **exported(run), **unprintable(template)}

    @property
    def all(self) -> ArticleQuerySet:
        """Whatever has the score."""
        return Article.objects.scored(self.run.min_score or Decimal(0))

    @cached_property
    def counted(self) -> dict[str, int]:
        """How many are left out by reason, and under NOT_LEFT_OUT how many are not; what is not there is none."""
        reason = Case(
            *(When(condition, then=Value(str(name))) for name, condition in self._reasons.items()),
            default=Value(NOT_LEFT_OUT),
            output_field=TextField(),
        )
        rows = self.all.order_by().annotate(reason=reason).values("reason").annotate(count=Count("pk"))
        return dict(rows.values_list("reason", "count"))

    def take(self, most: int) -> list[Article]:
        """The first of those that nothing speaks against, each with its review."""
        left = self._best_first(self._without(self._reasons), self.counted.get(NOT_LEFT_OUT, 0))
        return list(left.select_related("review").defer("content")[:most])

    def first_left_out(self, reason: str) -> list[str]:
        """The best of those that are left out for a reason."""
        earlier = list(self._reasons)[: list(self._reasons).index(Skipped(reason))]
        left = self._without(earlier).filter(self._reasons[Skipped(reason)])
        return list(self._best_first(left, self.counted[reason]).values_list("article_id", flat=True)[:FIRST_SHOWN])

    def _without(self, reasons: Iterable[Skipped]) -> ArticleQuerySet:
        left = self.all
        for each in reasons:
            left = left.exclude(self._reasons[each])
        return left

    def _best_first(self, articles: ArticleQuerySet, count: int) -> ArticleQuerySet:
        # the first of many are soon met along the index; to meet the first of few it would be walked to the end
        return articles.best_first(few=count * 2 < sum(self.counted.values()))


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
