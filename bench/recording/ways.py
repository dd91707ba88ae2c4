"""What the designs have in common: who they are to the server, and what one export consists of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

Export = Callable[[str, date, list[str]], tuple[int, str]]


@dataclass(frozen=True)
class Way:
    """A way to export: (tag, date, article ids) → how many were new to the tag, and the text's sha256.

    `backend` connects and tells the process that serves this one.
    """

    export: Export
    backend: Callable[[], int]


def of_django() -> int:
    """The backend of Django's connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def summary_of(article_id: str) -> str:
    """A summary of the usual length."""
    return f"{article_id}：学校发布招生新规，家长关心学位与入学时间。" * 3


def metadata_of(article_id: str) -> dict[str, Any]:
    """As much as a snapshot holds."""
    return {
        "title": f"学校发布招生新规 {article_id}",
        "source": "Daily",
        "original_url": f"https://news.example.com/{article_id}",
        "published_at": "2026-03-01T08:00:00Z",
        "score": 87.5,
        "importance": 80,
        "region": "internal",
        "sentiment": "positive",
        "keywords": ["招生", "学校"],
    }
