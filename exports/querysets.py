"""Questions about articles, reviews and what was exported."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from exports.choices import ReviewStatus

# rank by hand first, then the better, the newer; ends in a key, so that pages never overlap
IN_ORDER = (
    F("rank").asc(nulls_last=True),
    F("list_score").desc(nulls_last=True),
    F("published_at").desc(nulls_last=True),
    F("article_id").asc(),
)
SHORTEST_PART = 3  # characters; a trigram index finds nothing shorter


class ArticleQuerySet(models.QuerySet):
    """Questions about articles."""

    def search(self, text: str) -> ArticleQuerySet:
        """Of which every word is the id or (from three characters) a part of the title."""
        found: Any = self
        for word in text.split():
            is_it = Q(article_id=word)
            if len(word) >= SHORTEST_PART:
                is_it |= Q(title_parts__contains=word.upper())
            found = found.alias(title_parts=Upper("title")).filter(is_it)
        return found

    def scored(self, least: Decimal) -> ArticleQuerySet:
        """Of which the pipeline thinks this much at least."""
        return self.filter(score__gte=least)


class ManualReviewQuerySet(models.QuerySet):
    """Questions about reviews. Lists come in the editor's order."""

    def with_status(self, status: str) -> ManualReviewQuerySet:
        """Those in one status."""
        return self.filter(status=status)

    def candidates(self) -> ManualReviewQuerySet:
        """Articles nobody has decided about."""
        return self.with_status(ReviewStatus.PENDING)

    def selected(self) -> ManualReviewQuerySet:
        """What the next brief made by hand prints."""
        return self.with_status(ReviewStatus.SELECTED)

    def in_order(self) -> ManualReviewQuerySet:
        """By the editor's rank, then score, then age."""
        return self.order_by(*IN_ORDER)

    def with_article(self) -> ManualReviewQuerySet:
        """Each with its article, in the same query."""
        return self.select_related("article")


class BatchQuerySet(models.QuerySet):
    """Questions about briefs of either table."""

    def newest_first(self) -> BatchQuerySet:
        """By date, then by number of the day."""
        return self.order_by("-report_date", "-sequence_no")

    def with_item_count(self) -> BatchQuerySet:
        """Each with `item_count`."""
        items = self.model._meta.get_field("items").related_model  # type: ignore[union-attr]
        counted: Any = (
            items.objects.filter(batch=models.OuterRef("pk"))  # type: ignore[union-attr]
            .order_by()
            .values("batch")
            .annotate(count=models.Count("pk"))
            .values("count")
        )
        return self.annotate(item_count=models.functions.Coalesce(models.Subquery(counted), 0))

    def of_date(self, day: date) -> BatchQuerySet:
        """The briefs of one date."""
        return self.filter(report_date=day)
