"""What was exported before, asked under the names it always had."""

from __future__ import annotations

from exports.choices import SkipScope, Source
from exports.models import BriefBatch, BriefItem, ManualExportBatch, ManualExportItem


def fetch_latest_manual_export_batch() -> ManualExportBatch | BriefBatch | None:
    """The newest brief made by hand, in whichever tables it is recorded."""
    own = ManualExportBatch.objects.newest_first().first()
    among_briefs = BriefBatch.objects.filter(source=Source.MANUAL).newest_first().first()
    found: list[ManualExportBatch | BriefBatch] = [each for each in (own, among_briefs) if each is not None]
    return max(found, key=lambda batch: (batch.report_date, batch.created_at), default=None)


def fetch_manual_export_history(tag: str) -> set[str]:
    """The articles exported by hand under this tag."""
    own = ManualExportItem.objects.filter(batch__report_tag=tag)
    among_briefs = BriefItem.objects.filter(batch__report_tag=tag, batch__source=Source.MANUAL, source=Source.MANUAL)
    return set(_article_ids(own).union(_article_ids(among_briefs)))


def get_export_history(tag: str) -> set[str]:
    """The articles the worker exported under this tag."""
    return set(_article_ids(BriefItem.objects.filter(batch__report_tag=tag, source=Source.WORKER)))


def get_all_exported_article_ids(scope: str = SkipScope.ALL) -> set[str]:
    """Every article that was ever exported; with the scope `worker` only what the worker exported."""
    if scope == SkipScope.WORKER:
        return set(_article_ids(BriefItem.objects.filter(source=Source.WORKER)))
    if scope == SkipScope.ALL:
        return set(_article_ids(BriefItem.objects).union(_article_ids(ManualExportItem.objects)))
    raise ValueError(f"a scope is one of {SkipScope.values}, not {scope!r}")


def _article_ids(items):  # type: ignore[no-untyped-def]  # any queryset or manager of items
    return items.order_by().values_list("article_id", flat=True)
