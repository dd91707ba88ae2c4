"""Pages of reviews in the editor's order, read from one index whatever the table holds; and the same in clusters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

from django.core.cache import cache

from api.bounded import Count
from api.codec import decode, encode
from api.pagination import cached_total
from api.shared_cache import ask
from exports.choices import Region, ReviewStatus, Sentiment
from exports.clustering import cluster
from exports.models import ManualReview
from exports.querysets import IN_ORDER

CLUSTERED_AT_MOST = 1_000  # candidates that are compared; the first ones of the list
CLUSTERS_LIVE = 600  # seconds


@dataclass(frozen=True)
class ReviewList:
    """The reviews of one status, perhaps of one region or sentiment."""

    status: str
    region: str | None = None
    sentiment: str | None = None

    def page(self, offset: int, limit: int) -> tuple[list[ManualReview], Count]:
        """Some rows with their articles (less the long text), and how many there are in all."""
        # one more than asked for tells whether this is the end, and spares small lists the count
        ids = self.ids(offset, offset + limit + 1)
        rows = with_articles(ids[:limit])
        known = offset + len(ids)
        if len(ids) <= limit and (ids or not offset):
            return rows, Count(known)
        total = self.total()
        return rows, Count(known, "more") if ids and total < known else total

    def ids(self, start: int, end: int) -> list[str]:
        """Article ids in order. Each combination of region and sentiment has its place in an index."""
        if self.region is None and self.sentiment is None:
            return list(self._all().in_order().values_list("article_id", flat=True)[start:end])
        names = ("article_id", "rank", "list_score", "published_at")
        branches = [
            self._all().filter(region=region, sentiment=sentiment).in_order().values_list(*names)[:end]
            for region in ([self.region] if self.region else Region.values)
            for sentiment in ([self.sentiment] if self.sentiment else Sentiment.values)
        ]
        if len(branches) == 1:
            return [row[0] for row in branches[0][start:]]
        found = reduce(lambda one, other: one.union(other, all=True), branches).order_by(*IN_ORDER)[start:end]
        return [row[0] for row in found]

    def total(self) -> Count:
        """How many there are, up to five seconds old."""
        rows = self._all()
        if self.region is not None:
            rows = rows.filter(region=self.region)
        if self.sentiment is not None:
            rows = rows.filter(sentiment=self.sentiment)
        return cached_total(rows)

    def _all(self) -> Any:
        return ManualReview.objects.with_status(self.status)


def with_articles(ids: Sequence[str]) -> list[ManualReview]:
    """These reviews in this order, each with its article in the same query."""
    if not ids:
        return []
    rows = ManualReview.objects.with_article().defer("article__content").filter(article_id__in=ids)
    by_id = {row.article_id: row for row in rows}
    return [by_id[each] for each in ids if each in by_id]  # one may have been deleted in between


def counts() -> dict[str, Count]:
    """How many reviews each status has, up to five seconds old."""
    return {status: ReviewList(status).total() for status in ReviewStatus.values}


class Group(NamedTuple):
    """Candidates of one bucket that are one story; the first is the best."""

    cluster_id: str
    region: str
    sentiment: str
    ids: list[str]


def clusters(shown: ReviewList) -> list[Group]:
    """The first CLUSTERED_AT_MOST rows of a list by story, in the order of their first members.

    Stories of two buckets are never one: a brief prints them in different sections.
    """
    rows = with_articles(shown.ids(0, CLUSTERED_AT_MOST))
    key = _fingerprint(rows)
    known = ask(lambda: cache.get(key), otherwise=None)
    if known is not None:
        return [Group(*each) for each in decode(known)]
    groups = _cluster(rows)
    ask(lambda: cache.set(key, encode(groups), CLUSTERS_LIVE), otherwise=None)
    return groups


def _cluster(rows: Sequence[ManualReview]) -> list[Group]:
    place = {row.article_id: number for number, row in enumerate(rows)}
    buckets: dict[tuple[str, str], list[ManualReview]] = {}
    for row in rows:
        buckets.setdefault((row.region, row.sentiment), []).append(row)
    groups = [
        Group(found.best, region, sentiment, [member.article_id for member in found.members])
        for (region, sentiment), members in buckets.items()
        for found in cluster(_Shown.of(row) for row in members)
    ]
    return sorted(groups, key=lambda group: min(place[each] for each in group.ids))


class _Shown(NamedTuple):
    """What is compared of a candidate: its text as an editor sees it."""

    article_id: str
    title: str
    summary: str
    score: Any
    published_at: Any

    @classmethod
    def of(cls, row: ManualReview) -> _Shown:
        return cls(row.article_id, row.article.title, summary_of(row), row.list_score, row.published_at)


def summary_of(row: ManualReview) -> str:
    """The summary that is printed: the edited one, else the article's."""
    return row.article.summary if row.summary is None else row.summary


def _fingerprint(rows: Iterable[ManualReview]) -> str:
    """Of everything that the clusters depend on."""
    seen = [[*_Shown.of(row), row.region, row.sentiment] for row in rows]
    return f"review-clusters:{hashlib.sha256(encode(seen)).hexdigest()}"
