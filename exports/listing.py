"""The lists of the review desk: what a tab shows, page by page, however long it is.

Pages are found by place, not by number: the next page begins behind the last row one has seen. Rows that were
decided meanwhile leave the list without moving others past the reader, and the thousandth page costs what the
first one does, because each step of the order is a range of the index `review_in_order`.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import CharField, F, Q, QuerySet, Value

from api.bounded import MATCHES_NAMED
from api.days import midnight
from exports.choices import RANKED, ReviewStatus, Source
from exports.models import Article, BriefItem, ManualExportItem, ManualReview
from exports.querysets import IN_ORDER, SHORTEST_PART

COUNTED_AT_MOST = 10_000
PLACED = (*RANKED, ReviewStatus.EXPORTED)  # statuses whose rows may have a rank

# what IN_ORDER says, as keyset paging needs it
_ASCENDING = {"rank": True, "list_score": False, "published_at": False, "article_id": True}


@dataclass(frozen=True)
class Wanted:
    """What a list of the desk shows. The defaults show every candidate."""

    status: str = ReviewStatus.PENDING
    region: str = ""
    sentiment: str = ""
    min_score: Decimal | None = None
    since: date | None = None
    until: date | None = None
    text: str = ""

    def rows(self) -> QuerySet[ManualReview]:
        """The reviews, in no order yet. A search may ask the database now."""
        rows: Any = ManualReview.objects.with_status(self.status)
        if self.status not in PLACED:
            rows = rows.filter(rank=None)  # always so; said, the score becomes a range of the index
        exact = {"region": self.region, "sentiment": self.sentiment}
        rows = rows.filter(**{field: value for field, value in exact.items() if value})
        if self.min_score is not None:
            rows = rows.filter(list_score__gte=self.min_score)
        if self.since:
            rows = rows.filter(published_at__gte=midnight(self.since))
        if self.until and self.until < date.max:
            rows = rows.filter(published_at__lt=midnight(self.until, 1))
        words = self.text.split()
        if self.short_words and self.is_short:
            for word in self.short_words:
                rows = rows.filter(Q(article_id=word) | Q(article__title__icontains=word))
            words = [word for word in words if word not in self.short_words]
        return _found(rows, " ".join(words)) if words else rows

    @property
    def short_words(self) -> list[str]:
        """Words too short for the index of titles. Chinese says much in two characters, so a short list is read
        for them all the same; in a longer one they find an article of that very id only."""
        return [word for word in self.text.split() if len(word) < SHORTEST_PART]

    @cached_property
    def is_short(self) -> bool:
        """Whether the whole list can be read for a word; asks the database."""
        rows: Any = ManualReview.objects.with_status(self.status)
        return rows.order_by()[: COUNTED_AT_MOST + 1].count() <= COUNTED_AT_MOST


def _found(rows: Any, text: str) -> Any:
    """Few matches are named; of many, a page of the list is soon full anyway."""
    articles: Any = Article.objects.search(text).order_by()
    named = list(articles.values_list("article_id", flat=True)[: MATCHES_NAMED + 1])
    if len(named) <= MATCHES_NAMED:
        return rows.filter(article_id__in=named)
    return rows.filter(article__in=articles)


@dataclass(frozen=True)
class Place:
    """Where a row stands in a list."""

    rank: float | None
    list_score: Decimal | None
    published_at: datetime | None
    article_id: str

    @classmethod
    def of(cls, review: ManualReview) -> Place:
        return cls(review.rank, review.list_score, review.published_at, review.article_id)

    def __str__(self) -> str:
        """As an address carries it."""
        score = None if self.list_score is None else str(self.list_score)
        moment = None if self.published_at is None else self.published_at.isoformat()
        values = [self.rank, score, moment, self.article_id]
        return urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Place | None:
        """What __str__ wrote; None for anything else."""
        try:
            rank, score, moment, article_id = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            place = cls(
                None if rank is None else float(rank),
                None if score is None else Decimal(score),
                None if moment is None else datetime.fromisoformat(moment),
                str(article_id).encode().decode().replace("\0", ""),
            )
        except (ValueError, TypeError, ArithmeticError):
            return None
        is_plain = place.list_score is None or (place.list_score.is_finite() and abs(place.list_score) < 10**6)
        is_aware = place.published_at is None or place.published_at.tzinfo is not None
        return place if is_plain and is_aware else None


@dataclass(frozen=True)
class Page:
    """Some rows of a list, and where the pages beside them begin."""

    rows: list[ManualReview]
    after: Place | None = None  # None on the last page
    before: Place | None = None  # None on the first


def page_of(rows: QuerySet[ManualReview], size: int, *, after: Place | None, before: Place | None) -> Page:
    """The page behind one place or in front of another; the first page without either."""
    if before is not None and after is None:
        found = _beyond(rows, before, size + 1, forward=False)
        if len(found) > size:
            found = found[1:]
            return Page(found, after=Place.of(found[-1]), before=Place.of(found[0]))
        after = None  # the beginning of the list is a full page
    found = _beyond(rows, after, size + 1, forward=True)
    page = found[:size]
    return Page(
        page,
        after=Place.of(page[-1]) if len(found) > size else None,
        before=(Place.of(page[0]) if page else after) if after else None,
    )


def _beyond(rows: Any, place: Place | None, most: int, *, forward: bool) -> list[ManualReview]:
    """The rows nearest to the place, in the order of the list."""
    order = IN_ORDER if forward else [_turned(each) for each in IN_ORDER]
    if place is not None:
        parts = [rows.filter(each).order_by(*order).values("pk")[:most] for each in _ranges(place, forward=forward)]
        found = parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]
        rows = rows.filter(pk__in=[row["pk"] for row in found])
    page = list(rows.select_related("article").order_by(*order)[:most])
    return page if forward else page[::-1]


def _turned(step: Any) -> Any:
    turned = step.copy()
    turned.reverse_ordering()
    return turned


def _ranges(place: Place, *, forward: bool) -> Iterator[Q]:
    """Conditions that together select what lies beyond the place, each one range of the index."""
    same = Q()
    ranges: list[Q] = []
    for field, ascending in _ASCENDING.items():
        value = getattr(place, field)
        if value is None:  # nulls come last
            if not forward:
                ranges.append(same & Q(**{f"{field}__isnull": False}))
        else:
            beyond = "gt" if ascending == forward else "lt"
            ranges.append(same & Q(**{f"{field}__{beyond}": value}))
            if forward and field != "article_id":
                ranges.append(same & Q(**{f"{field}__isnull": True}))
        same &= Q(**{field: value})
    yield from reversed(ranges)


_SOME = "(SELECT count(*) FROM (SELECT 1 FROM manual_reviews WHERE status = %s LIMIT %s) AS counted)"


def counts() -> dict[str, int]:
    """How many reviews there are in each status, counted no further than COUNTED_AT_MOST + 1; one query."""
    # each status by itself: only then does the planner know that one has all rows and another next to none
    parameters = [each for status in ReviewStatus.values for each in (status, COUNTED_AT_MOST + 1)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join([_SOME] * len(ReviewStatus))}", parameters)
        return dict(zip(ReviewStatus.values, cursor.fetchone(), strict=True))


@dataclass(frozen=True)
class Appearance:
    """One brief that an article was in."""

    article_id: str
    store: str  # in which of the two tables the brief is: the worker's has briefs made by hand in it, too
    source: str
    batch_id: int
    tag: str
    report_date: date
    section: str
    order_index: int
    created_at: datetime

    @property
    def source_label(self) -> str:
        return str(Source(self.source).label)

    @property
    def url_name(self) -> str:
        return "exports_manualexportbatch" if self.store == Source.MANUAL else "exports_briefbatch"


def appearances(article_ids: Iterable[str]) -> dict[str, list[Appearance]]:
    """Article id → the briefs it was in, in either store, the newest first; one query."""
    wanted = list(article_ids)
    columns = ("article_id", "store", "said", "batch_id", "batch__report_tag", "batch__report_date", "section",
               "order_index", "created_at")  # fmt: skip
    by_hand: Any = ManualExportItem.objects.annotate(store=_constant(Source.MANUAL), said=_constant(Source.MANUAL))
    others: Any = BriefItem.objects.annotate(store=_constant(Source.WORKER), said=F("source"))
    found = [
        each.filter(article_id__in=wanted).order_by().values_list(*columns)  # an order would be one of a part
        for each in (by_hand, others)
    ]
    listed: dict[str, list[Appearance]] = {}
    every = (Appearance(*row) for row in found[0].union(found[1], all=True))
    for each in sorted(every, key=lambda each: (each.created_at, each.batch_id), reverse=True):
        listed.setdefault(each.article_id, []).append(each)
    return listed


def _constant(value: str) -> Value:
    return Value(str(value), output_field=CharField())
