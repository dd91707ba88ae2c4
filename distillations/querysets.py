"""Questions about distillations, tasks and articles."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import BooleanField, Case, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce

from distillations.choices import HOLDING
from runs.querysets import RunQuerySet

RECOMMENDED = 3


class DistillationQuerySet(models.QuerySet):
    """Questions about distillations."""

    def eligible(self) -> DistillationQuerySet:
        """Which have a topic, so that an article can be written from them."""
        return self.filter(topic_count__gt=0)

    def recommended(self) -> DistillationQuerySet:
        """The eligible ones, least used first, as the screens recommend them."""
        return self.eligible().order_by("usage_count", "created_at", "id")

    def least_used_first(self) -> DistillationQuerySet:
        """All, as the statistics list them."""
        return self.order_by("usage_count", "created_at", "id")

    def recommended_ids(self, limit: int = RECOMMENDED) -> list[int]:
        """The first few of the whole table, which the screens mark; a page or a filter has no say in it."""
        everything: Any = self.model._default_manager
        return list(everything.recommended().values_list("pk", flat=True)[:limit])

    def with_stats(self) -> DistillationQuerySet:
        """Annotates last_used_at and is_recommended; the counters are columns, so nothing is joined or multiplied."""
        used: Any = self.model._meta.get_field("uses").related_model
        newest = used.objects.filter(distillation=OuterRef("pk")).newest_first()
        return self.annotate(
            last_used_at=Subquery(newest.values("used_at")[:1]),
            is_recommended=Case(
                When(pk__in=self.recommended_ids(), then=Value(True)), default=False, output_field=BooleanField()
            ),
        )


class TopicQuerySet(models.QuerySet):
    """Questions about topics."""

    def least_used_first(self) -> TopicQuerySet:
        """In the order in which articles take them."""
        return self.order_by("usage_count", "id")


class GenerationTaskQuerySet(RunQuerySet):
    """Questions about generation tasks, beside those about every run."""

    def with_keyword(self) -> GenerationTaskQuerySet:
        """Annotates shown_keyword: the distillation's own, or the snapshot once that was deleted (then is_orphaned)."""
        return self.annotate(
            shown_keyword=Coalesce("distillation__keyword", F("keyword")),
            is_orphaned=Case(When(Q(distillation=None) & ~Q(keyword=""), then=Value(True)), default=False),
        )


class GenerationSlotQuerySet(models.QuerySet):
    """Questions about slots."""

    def holding(self) -> GenerationSlotQuerySet:
        """Which reserve their distillation."""
        return self.filter(status__in=HOLDING)


class GeneratedArticleQuerySet(models.QuerySet):
    """Questions about articles."""


class DistillationUsageQuerySet(models.QuerySet):
    """Questions about uses."""

    def history_of(self, distillation_id: int) -> DistillationUsageQuerySet:
        """Every use of one distillation, newest first, with the title of its article."""
        return self.filter(distillation=distillation_id).annotate(article_title=F("article__title")).newest_first()

    def newest_first(self) -> DistillationUsageQuerySet:
        """As the usage history lists them."""
        return self.order_by("-used_at", "-id")
