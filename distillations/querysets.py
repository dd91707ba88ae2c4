"""Questions about distillations, tasks and articles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import BooleanField, Case, Count, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce, Left, NullIf, TruncDate

from api.bounded import narrowed
from api.days import midnight
from distillations.choices import HOLDING, SlotStatus, TaskStatus
from runs.querysets import RunQuerySet

RECOMMENDED = 3
SHORTEST_PART = 3  # characters: a part of a text is found by its trigrams, what is shorter by how a text begins
PREVIEW = 200  # characters of an article that a list shows
BIGGEST_ID = 2**63 - 1


def is_key(word: str) -> bool:
    """Whether a word can be an id."""
    return word.isascii() and word.isdecimal() and len(word) < 20 and int(word) <= BIGGEST_ID


def counted(rows: models.QuerySet, key: str) -> Coalesce:
    """How many rows a subquery has, which all have the same `key`."""
    numbers = rows.order_by().values(key).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(numbers), 0)


class DistillationQuerySet(models.QuerySet):
    """Questions about distillations."""

    def eligible(self) -> DistillationQuerySet:
        """Which have a topic, so that an article can be written from them."""
        return self.filter(topic_count__gt=0)

    def bare(self) -> DistillationQuerySet:
        """Which have no topic."""
        return self.filter(topic_count=0)

    def used(self) -> DistillationQuerySet:
        """From which an article was made."""
        return self.filter(usage_count__gt=0)

    def unused(self) -> DistillationQuerySet:
        """From which none was made."""
        return self.filter(usage_count=0)

    def recommended(self) -> DistillationQuerySet:
        """The eligible ones, least used first, as the screens recommend them."""
        return self.eligible().order_by("usage_count", "created_at", "id")

    def least_used_first(self) -> DistillationQuerySet:
        """All, as the statistics list them."""
        return self.order_by("usage_count", "created_at", "id")

    def sorted_by(self, column: str, *, descending: bool = False) -> DistillationQuerySet:
        """By `usage_count` or `created_at`; what ties follows in the same direction, so that an index has the order."""
        order = {"usage_count": ("usage_count", "created_at", "id"), "created_at": ("created_at", "id")}[column]
        return self.order_by(*(f"-{each}" for each in order) if descending else order)

    def newest_first(self) -> DistillationQuerySet:
        """All, as a form lists them."""
        return self.sorted_by("created_at", descending=True)

    def search(self, text: str) -> DistillationQuerySet:
        """The text begins the keyword or, from SHORTEST_PART characters on, is part of it, in either case."""
        text = text.strip()
        return narrowed(self, Q(**{f"keyword__{_part(text)}": text})) if text else self

    def greatest_use(self) -> int:
        """How often the most used one was used."""
        return self.order_by("-usage_count", "-created_at", "-id").values_list("usage_count", flat=True).first() or 0

    def by_usage(self) -> Iterator[tuple[int, int, int]]:
        """For every usage count that occurs: how many with a topic have it, and how many without."""
        groups = self.order_by().values("usage_count")
        counts = groups.annotate(number=Count("pk"), can=Count("pk", Q(topic_count__gt=0)))
        for uses, number, can in counts.values_list("usage_count", "number", "can"):
            yield uses, can, number - can

    def recommended_ids(self, limit: int = RECOMMENDED) -> list[int]:
        """The first few of the whole table, which the screens mark; a page or a filter has no say in it."""
        everything: Any = self.model._default_manager
        return list(everything.recommended().values_list("pk", flat=True)[:limit])

    def least_used_for_choice(self, most: int) -> list[Any]:
        """At most so many to choose from, least used first, and among them those that cannot be chosen.

        The eligible ones come from an index of their own, so that many without a topic hide none of them.
        """
        usable = list(self.recommended()[:most])
        bare = [each for each in self.least_used_first()[:most] if not each.topic_count]
        return sorted([*usable, *bare], key=lambda each: (each.usage_count, each.created_at, each.pk))[:most]

    def with_stats(self) -> DistillationQuerySet:
        """Annotates last_used_at, recorded_count and is_recommended.

        The counters are columns, so nothing is joined or multiplied; recorded_count is how many uses there really are.
        """
        used: Any = self.model._meta.get_field("uses").related_model
        own = used.objects.filter(distillation=OuterRef("pk"))
        return self.annotate(
            last_used_at=Subquery(own.newest_first().values("used_at")[:1]),
            recorded_count=counted(own, "distillation"),
            is_recommended=Case(
                When(pk__in=self.recommended_ids(), then=Value(True)), default=False, output_field=BooleanField()
            ),
        )

    def stats_of(self, ids: list[int]) -> list[Any]:
        """The rows of a page, in its order, with_stats().

        Asked for apart from the page: beside an OFFSET the database would work them out for every row it skips.
        """
        found = self.with_stats().in_bulk(ids)
        return [found[pk] for pk in ids if pk in found]  # one may have been deleted in between


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

    def with_target_name(self) -> GenerationTaskQuerySet:
        """Annotates shown_target_name: the target's own name, or the snapshot once that was deleted; None without."""
        return self.annotate(
            shown_target_name=NullIf(Coalesce("conversion_target__company_name", "conversion_target_name"), Value(""))
        )

    def with_sources(self) -> GenerationTaskQuerySet:
        """Annotates what the articles are made from, none of it by a join that would multiply tasks.

        slot_keywords in the order of the slots, first_question of the first, source_provider and source_usage of the
        task's own distillation (None once it was deleted).
        """
        slots: Any = self.model._meta.get_field("slots").related_model
        own = slots.objects.filter(task=OuterRef("pk")).with_keyword().order_by("position")
        return self.annotate(
            slot_keywords=ArraySubquery(own.values("shown_keyword")),
            first_question=Subquery(own.values("question")[:1]),
            source_provider=F("distillation__provider"),
            source_usage=F("distillation__usage_count"),
        )

    def newest_first(self) -> GenerationTaskQuerySet:
        """As they are listed."""
        return self.order_by("-created_at", "-id")

    def search(self, text: str) -> GenerationTaskQuerySet:
        """Of which every word is the id or part of the keyword, then or now; a short one (_part) begins it."""
        found = self
        for word in text.split():
            part = f"keyword__{_part(word)}"
            found = narrowed(found, *_with_id(word), Q(**{part: word}), Q(**{f"distillation__{part}": word}))
        return found

    def unhandled(self) -> GenerationTaskQuerySet:
        """Ended without all of their articles, and nobody has retried them."""
        return self.filter(status__in=[TaskStatus.FAILED, TaskStatus.PARTIAL], superseded_by=None)

    def with_exactly(self, keyword: str) -> GenerationTaskQuerySet:
        """Whose shown keyword is this one, in either case."""
        return self._with_shown_keyword("keyword__iexact", keyword)

    def aimed_at(self, company: str) -> GenerationTaskQuerySet:
        """Whose conversion target has this name, or had it when it was deleted."""
        return narrowed(
            self,
            Q(conversion_target__company_name=company),
            Q(conversion_target=None, conversion_target_name=company) & ~Q(conversion_target_name=""),
        )

    def _with_shown_keyword(self, lookup: str, text: str) -> GenerationTaskQuerySet:
        snapshot = Q(distillation=None, **{lookup: text})
        return narrowed(self, Q(**{f"distillation__{lookup}": text}), snapshot)


class GenerationSlotQuerySet(models.QuerySet):
    """Questions about slots."""

    def holding(self) -> GenerationSlotQuerySet:
        """Which reserve their distillation."""
        return self.filter(status__in=HOLDING)

    def with_keyword(self) -> GenerationSlotQuerySet:
        """Annotates shown_keyword: the distillation's own, or the snapshot once that was deleted."""
        return self.annotate(shown_keyword=Coalesce("distillation__keyword", F("keyword")))

    def with_usage(self) -> GenerationSlotQuerySet:
        """Annotates source_usage: how often the slot's distillation is used now; None once it was deleted."""
        return self.annotate(source_usage=F("distillation__usage_count"))

    def without_their_article(self, distillation_id: int) -> GenerationSlotQuerySet:
        """Those of one distillation whose article was written and deleted since, newest first."""
        gone = self.filter(distillation=distillation_id, status=SlotStatus.DONE, article=None)
        return gone.order_by("-updated_at", "-id")


class GeneratedArticleQuerySet(models.QuerySet):
    """Questions about articles."""

    def newest_first(self) -> GeneratedArticleQuerySet:
        """As they are listed."""
        return self.order_by("-created_at", "-id")

    def with_preview(self) -> GeneratedArticleQuerySet:
        """Annotates preview, how the text begins, and leaves the text itself in the database."""
        return self.defer("content").annotate(preview=Left("content", PREVIEW))

    def search(self, text: str) -> GeneratedArticleQuerySet:
        """Of which every word is the id or part of the title or keyword; a short one (_part) begins it."""
        found = self
        for word in text.split():
            part = _part(word)
            found = narrowed(found, *_with_id(word), Q(**{f"title__{part}": word}), Q(**{f"keyword__{part}": word}))
        return found

    def per_day(self, first: date, last: date) -> dict[date, int]:
        """How many were made on each local day from first to last that had any."""
        made = self.filter(created_at__gte=midnight(first), created_at__lt=midnight(last, 1))
        counted = made.order_by().values_list(TruncDate("created_at")).annotate(count=Count("pk"))
        return dict(counted)


class DistillationUsageQuerySet(models.QuerySet):
    """Questions about uses."""

    def history_of(self, distillation_id: int) -> DistillationUsageQuerySet:
        """Every use of one distillation, newest first, with the title of its article."""
        return self.filter(distillation=distillation_id).annotate(article_title=F("article__title")).newest_first()

    def per_day(self, distillation_id: int, since: datetime) -> dict[date, int]:
        """How often one distillation was used, by local day; days without a use are left out."""
        uses = self.filter(distillation=distillation_id, used_at__gte=since).annotate(day=TruncDate("used_at"))
        return dict(uses.order_by().values_list("day").annotate(number=Count("pk")))

    def newest_first(self) -> DistillationUsageQuerySet:
        """As the usage history lists them."""
        return self.order_by("-used_at", "-id")


class KnowledgeBaseQuerySet(models.QuerySet):
    """Questions about knowledge bases."""

    def with_document_count(self) -> KnowledgeBaseQuerySet:
        """Annotates document_count."""
        documents: Any = self.model._meta.get_field("documents").related_model
        own = documents.objects.filter(knowledge_base=OuterRef("pk"))
        return self.annotate(document_count=counted(own, "knowledge_base"))


def _part(word: str) -> str:
    """The lookup by which the index of a text's trigrams finds a word."""
    return "icontains" if len(word) >= SHORTEST_PART else "istartswith"


def _with_id(word: str) -> list[Q]:
    """The condition that the word is the row's id, where it can be one."""
    return [Q(pk=int(word))] if is_key(word) else []
