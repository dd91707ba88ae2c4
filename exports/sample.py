"""The sample workspace of this app, loaded once by `manage.py load_sample`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from exports import invented, worker
from exports.briefs import BriefOptions, export_by_hand
from exports.choices import ReviewStatus, Source
from exports.ingest import ingest_articles
from exports.models import Article, ExportRun, ManualReview
from exports.reviewing import Edit, decide, edit
from exports.services import ExportOptions, start_export_here
from runs.querysets import database_now

PRINTED, PICKED, KEPT_BACK, DISCARDED = 8, 6, 4, 10  # articles of the first brief, and of each list after it
WORKERS_LIMIT = 20


def load(operator: Any) -> list[str]:
    """Fill an empty pool of articles, decide about some, and make one brief by hand and one by the worker.

    What was done, in words; nothing when there are articles of one's own. Each step looks whether it was done,
    so a load that was cut off is completed by the next.
    """
    if Article.objects.exclude(article_id__startswith=invented.ID_START).exists():
        return []
    return [*_articles(operator), *_by_hand(operator), *_by_worker(operator), *_lists(operator)]


def _articles(operator: Any) -> list[str]:
    rows = invented.articles(until=database_now())
    there = set(Article.objects.values_list("article_id", flat=True))
    missing = [row for row in rows if row["article_id"] not in there]
    if not missing:
        return []
    done = ingest_articles(missing, actor=operator)
    return [_("%(count)s articles") % {"count": done.created}]


def _by_hand(operator: Any) -> list[str]:
    if ExportRun.objects.filter(kind=Source.MANUAL).exists():
        return []
    picked = [*_first(PRINTED // 2, sentiment="positive"), *_first(PRINTED // 2, sentiment="negative")]
    decide(selected=picked, actor=operator)
    tag = f"{_yesterday()}-zongbao"
    brief = export_by_hand(BriefOptions(report_tag=tag, template="zongbao"), actor=operator)
    return [_("brief %(tag)s made by hand, with %(count)s articles") % {"tag": tag, "count": brief.recorded}]


def _by_worker(operator: Any) -> list[str]:
    if ExportRun.objects.filter(kind=Source.WORKER, status=ExportRun.STATUSES.completed).exists():
        return []
    options = ExportOptions(report_tag=f"{_yesterday()}-auto", limit=WORKERS_LIMIT)
    run = start_export_here(options, actor=operator)
    worker.run_export(run.pk)
    run.refresh_from_db()
    return [_("brief %(tag)s of the worker, with %(count)s articles") % {"tag": run.report_tag, "count": run.recorded}]


def _lists(operator: Any) -> list[str]:
    if ManualReview.objects.exclude(status__in=[ReviewStatus.PENDING, ReviewStatus.EXPORTED]).exists():
        return []
    ids = _first(PICKED + KEPT_BACK + DISCARDED)
    selected, backup, discarded = ids[:PICKED], ids[PICKED : PICKED + KEPT_BACK], ids[PICKED + KEPT_BACK :]
    decide(selected=selected, backup=backup, discarded=discarded, actor=operator)
    first = Article.objects.get(article_id=selected[0])
    edit({first.article_id: Edit(summary=first.summary[:80], notes=_("Shortened for the brief."))}, actor=operator)
    return [_("%(count)s decisions of an editor") % {"count": len(ids)}]


def _first(count: int, **conditions: str) -> list[str]:
    """The first candidates that can be printed by any paper."""
    rows = ManualReview.objects.candidates().filter(region="internal", **conditions).exclude(article__summary="")
    return list(rows.in_order().values_list("article_id", flat=True)[:count])


def _yesterday() -> str:
    return (timezone.localdate() - timedelta(days=1)).isoformat()
