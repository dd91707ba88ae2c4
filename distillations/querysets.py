"""Questions about distillations, tasks and articles."""

from __future__ import annotations

from django.db import models

from distillations.choices import HOLDING


class DistillationQuerySet(models.QuerySet):
    """Questions about distillations."""

    def eligible(self) -> DistillationQuerySet:
        """Which have a topic, so that an article can be written from them."""
        return self.filter(topic_count__gt=0)

    def next_to_pick(self) -> DistillationQuerySet:
        """The eligible ones, least taken first: used or reserved, then the oldest."""
        return self.eligible().order_by("load", "created_at", "id")

    def recommended(self) -> DistillationQuerySet:
        """The eligible ones, least used first, as the screens recommend them."""
        return self.eligible().order_by("usage_count", "created_at", "id")

    def least_used_first(self) -> DistillationQuerySet:
        """All, as the statistics list them."""
        return self.order_by("usage_count", "created_at", "id")


class TopicQuerySet(models.QuerySet):
    """Questions about topics."""

    def least_used_first(self) -> TopicQuerySet:
        """In the order in which articles take them."""
        return self.order_by("usage_count", "id")


class GenerationSlotQuerySet(models.QuerySet):
    """Questions about slots."""

    def holding(self) -> GenerationSlotQuerySet:
        """Which reserve their distillation."""
        return self.filter(status__in=HOLDING)


class GeneratedArticleQuerySet(models.QuerySet):
    """Questions about articles."""


class DistillationUsageQuerySet(models.QuerySet):
    """Questions about uses."""

    def newest_first(self) -> DistillationUsageQuerySet:
        """As the usage history lists them."""
        return self.order_by("-used_at", "-id")
