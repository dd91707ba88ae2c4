"""How candidates became a brief: chosen, put into buckets, clustered, printed. Reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from django.db import connection, transaction

from exports.candidates import FIRST_SHOWN, NOT_LEFT_OUT, Part, in_this_order, judge
from exports.choices import ExportError, Region, Sentiment, Skipped
from exports.clustering import Cluster, cluster
from exports.models import Article, BriefTemplate, ExportRun
from exports.numbering import Numbers, numbers_of
from exports.printing import Layout, Printed, Section, Story, edited, layout_of, print_brief, story_of_article
from runs.errors import RunFailed

MOST_ARTICLES = 10_000  # of one brief; what lies beyond is counted and left to the next one

OnStep = Callable[[int], None]

CHOSEN, CLUSTERED, PRINTED = 20, 70, 80  # percent of a run


def ignore(percent: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Draft:
    """A brief that is not recorded yet."""

    layout: Layout
    printed: Printed
    numbers: Numbers | None
    likeness: dict[str, dict[str, Any]]  # by article: what clustering found
    funnel: dict[str, Any]

    @property
    def article_ids(self) -> list[str]:
        """What is in the text, in its order."""
        return [placed.story.article_id for placed in self.printed.placed]


def draft(run: ExportRun, on_step: OnStep = ignore) -> Draft:
    """What a run would print now. Raises RunFailed when its template is gone."""
    with one_snapshot():
        template = BriefTemplate.objects.filter(slug=run.template).prefetch_related("sections").first()
        if template is None:
            raise RunFailed(ExportError.TEMPLATE_UNKNOWN, run.template)
        most = run.limit or MOST_ARTICLES
        parts = judge(run, template, most=most + FIRST_SHOWN)
        left = parts.pop(NOT_LEFT_OUT, Part(0, []))
        articles = in_this_order(left.first[:most])
        skipped = skips(parts, beyond=Part(max(0, left.count - most), left.first[most:]))
    on_step(CHOSEN)
    layout, stories = layout_of(template), [story_of(article) for article in articles]
    ordered, likeness, buckets = clustered(layout, stories)
    on_step(CLUSTERED)
    numbers = numbers_of(layout, run.report_date)
    printed = print_brief(layout, ordered, tag=run.report_tag, date=run.report_date, numbers=numbers)
    on_step(PRINTED)
    return Draft(layout, printed, numbers, likeness, _funnel(skipped, stories, buckets, printed))


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Questions in here see one state of the database, so that counts add up, and none of them can write."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # with less, what was exported would not be hashed once but looked up for each of a million candidates
        cursor.execute("SET LOCAL work_mem = '64MB'")
        yield


def story_of(article: Article) -> Story:
    """An article as the worker prints it: chosen by its own score, told as an editor has corrected it."""
    story, review = story_of_article(article), getattr(article, "review", None)
    if review is None:
        return story
    return replace(
        story,
        summary=edited(review.summary, story.summary),
        source=edited(review.manual_llm_source, story.source),
    )


def skips(parts: dict[str, Part], *, beyond: Part) -> dict[str, dict[str, Any]]:
    """How many candidates are left out, by reason in the order of Skipped, and the best of them."""
    parts = parts | ({Skipped.BEYOND_LIMIT: beyond} if beyond.count else {})
    return {str(name): {"count": parts[name].count, "first": parts[name].first} for name in Skipped if name in parts}


def clustered(
    layout: Layout, stories: Iterable[Story]
) -> tuple[list[Story], dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """The stories bucket by bucket, story by story; what made each part of its cluster; the buckets counted."""
    by_section: dict[Section, list[Story]] = {section: [] for section in layout.sections}
    for story in stories:
        section = layout.section_of(story)
        if section is not None:
            by_section[section].append(story)
    ordered: list[Story] = []
    likeness: dict[str, dict[str, Any]] = {}
    buckets = []
    numbers = count(1)  # going on from bucket to bucket
    for section, members in by_section.items():
        by_id = {story.article_id: story for story in members}
        found = cluster(members)
        for each, number in zip(found, numbers, strict=False):
            ordered += [replace(by_id[member.article_id], cluster=number) for member in each.members]
            likeness.update(_likeness(each))
        buckets.append(
            {
                "section": section.section,
                "heading": section.heading,
                "region": str(section.region),
                "sentiment": str(section.sentiment),
                "articles": len(members),
                "clusters": len(found),
            }
        )
    return ordered, likeness, buckets


def _likeness(found: Cluster) -> Iterator[tuple[str, dict[str, Any]]]:
    for member in found.members:
        yield (
            member.article_id,
            {"cluster_id": found.best, "similarity": member.similarity, "reason": str(member.reason)},
        )


def _funnel(
    skipped: dict[str, dict[str, Any]], stories: list[Story], buckets: list[dict[str, Any]], printed: Printed
) -> dict[str, Any]:
    for each in printed.not_printed:  # what only printing found out
        reason = skipped.setdefault(each.reason, {"count": 0, "first": []})
        reason["count"] += 1
        reason["first"] = [*reason["first"], each.article_id][:FIRST_SHOWN]
    found = len(stories)
    return {
        "candidates": found + sum(each["count"] for each in skipped.values()) - len(printed.not_printed),
        "skipped": skipped,
        "unknownRegion": sum(story.region == Region.UNKNOWN for story in stories),
        "unknownSentiment": sum(story.sentiment == Sentiment.UNKNOWN for story in stories),
        "bucketed": sum(each["articles"] for each in buckets),
        "buckets": buckets,
        "clusters": sum(each["clusters"] for each in buckets),
        "exported": len(printed.placed),
    }
