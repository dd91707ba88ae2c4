"""A pool of articles for tests: good rows, and how they come in."""

from typing import Any

from exports.ingest import Ingested, ingest_articles
from exports.models import ManualReview


def row(article_id: str = "a-1", **fields: Any) -> dict[str, Any]:
    """One good row; fields override."""
    return {
        "article_id": article_id,
        "title": f"Title of {article_id}",
        "source": "City Herald",
        "summary": f"Summary of {article_id}.",
        "score": 80,
        "region": "internal",
        "sentiment": "positive",
        "published_at": "2026-05-01T08:00:00+08:00",
    } | fields


def pour(*ids: str, **fields: Any) -> Ingested:
    """Articles of these ids, all alike but for id, title and summary."""
    return ingest_articles([row(each, **fields) for each in ids], actor="test")


def review(article_id: str) -> ManualReview:
    """The review of an article as it is now."""
    return ManualReview.objects.select_related("article").get(article_id=article_id)


def places(*ids: str) -> list[tuple[str, float | None]]:
    """Status and rank of each, in this order."""
    return [(each.status, each.rank) for each in map(review, ids)]


def listed(status: str) -> list[str]:
    """The ids of one list, in its order."""
    return list(ManualReview.objects.with_status(status).in_order().values_list("article_id", flat=True))
