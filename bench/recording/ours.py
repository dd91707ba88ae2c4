"""Exports as they are."""

from dataclasses import replace
from datetime import date
from functools import cache

from bench.recording.ways import Way, metadata_of, of_django, summary_of
from exports import briefs, recording
from exports.briefs import BriefOptions
from exports.choices import Source
from exports.models import Article, ExportRun
from exports.printing import Layout, print_brief, story_of_article
from exports.recording import Entry
from runs.querysets import ClockTimestamp
from runs.transactions import atomic_retried

TEMPLATE = "brief"


def _by_hand(tag: str, day: date, article_ids: list[str]) -> tuple[int, str]:
    """A whole export by hand of articles that stay selected."""
    options = BriefOptions(tag, day, template=TEMPLATE, mark_exported=False, article_ids=article_ids)
    brief = briefs.export_by_hand(options, actor="bench")
    return brief.recorded, brief.sha256


def everything_selected(tag: str, day: date) -> tuple[int, str]:
    """A whole export by hand of all there is, and all of it is marked."""
    brief = briefs.export_by_hand(BriefOptions(tag, day, template=TEMPLATE), actor="bench")
    return brief.recorded, brief.sha256


def _by_worker(tag: str, day: date, article_ids: list[str]) -> tuple[int, str]:
    """What the worker does at the end of a run: print, record, and keep the run."""
    articles = list(Article.objects.filter(article_id__in=article_ids))
    layout = _layout()

    def export() -> tuple[int, str]:
        stories = [replace(story_of_article(each), cluster=number) for number, each in enumerate(articles)]
        printed = print_brief(layout, stories, tag=tag, date=day)
        payload = briefs.payload_of(printed, tag=tag, template=layout.slug, numbers=None)
        done = recording.record_export(
            tag, day, recording.entries_of(printed), template=layout.slug, payload=payload, content=printed.text
        )
        ExportRun.objects.create(
            kind=Source.WORKER, status=ExportRun.STATUSES.completed, progress=100, report_tag=tag, report_date=day,
            template=layout.slug, payload=payload, content=printed.text, sha256=printed.sha256,
            printed=len(printed.placed), recorded=len(done.items), skipped_duplicates=done.skipped_duplicates,
            brief_batch_id=done.batch.pk, finished_at=ClockTimestamp(),
        )  # fmt: skip
        return len(done.items), printed.sha256

    return atomic_retried(export)


def _record(tag: str, day: date, article_ids: list[str]) -> tuple[int, str]:
    """Only what is recorded of an export by hand."""
    entries = [Entry(each, "jingnei_positive", summary_of(each), metadata_of(each)) for each in article_ids]
    content, payload = "\n".join(article_ids), {"report_tag": tag, "printed": article_ids}

    def record() -> recording.Recorded:
        return recording.record_manual_export(tag, day, entries, template=TEMPLATE, payload=payload, content=content)

    done = atomic_retried(record)
    return len(done.items), done.batch.sha256


@cache
def _layout() -> Layout:
    return briefs.layout_named(TEMPLATE)


BY_HAND, BY_WORKER, RECORD = Way(_by_hand, of_django), Way(_by_worker, of_django), Way(_record, of_django)
