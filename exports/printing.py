"""A brief's text from a layout, stories and numbers: pure, so that preview and export are the same bytes.

How the text is put together:
* header, section, section …, with a blank line between them; a section is its heading, then its entries, with
  a blank line between entries. The text ends in one newline, nothing printed is no text at all.
* `{fields}` are replaced in one pass: a value that looks like a field stays as it is.
* A line whose fields are all empty and which says nothing else is left out, and so are brackets with a field
  inside when everything they hold is empty: `（{source}）` prints nothing for a story without a source.
* What belongs on one line (title, source …) has its line breaks folded into spaces; a summary keeps its own,
  spelled \\n. Nothing else of a value is touched: no normalisation, no trimming inside.
* With `is_markdown` the characters that mean something to Markdown are escaped in values, and only http(s)
  addresses are printed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exports.choices import NotPrinted, Numbering, Region, Sentiment
from exports.filling import Text, escaped, fields_of, newlines_as_one, one_line, web_address
from exports.models import Article, BriefTemplate, ManualReview
from exports.models.templates import ENTRY_FIELDS, HEADER_FIELDS, HEADING_FIELDS

NUMBER_FIELDS = ("period", "total_period")


@dataclass(frozen=True, slots=True)
class Story:
    """What a brief says of one article: its summary is the edited one where there is one.

    `cluster` is the group the worker found it in; stories with clusters are printed in the order given.
    """

    article_id: str
    title: str
    summary: str = ""
    source: str = ""
    url: str = ""
    published_at: datetime | None = None
    score: Decimal | None = None
    importance: Decimal | None = None
    region: str = Region.UNKNOWN
    sentiment: str = Sentiment.UNKNOWN
    section: str = ""
    keywords: tuple[str, ...] = ()
    rank: float | None = None
    cluster: int | None = None

    @property
    def bucket(self) -> tuple[str, str]:
        """(region, sentiment); an unknown region is external, an unknown sentiment positive, as it always was."""
        return (
            Region.INTERNAL if self.region == Region.INTERNAL else Region.EXTERNAL,
            Sentiment.NEGATIVE if self.sentiment == Sentiment.NEGATIVE else Sentiment.POSITIVE,
        )


@dataclass(frozen=True)
class Section:
    """A part of a layout."""

    section: str
    region: str
    sentiment: str
    heading: str
    marker: str = ""
    numbering: str = Numbering.NONE


@dataclass(frozen=True)
class Layout:
    """A BriefTemplate as plain values."""

    slug: str
    header: str
    section_heading: str
    entry: str
    sections: tuple[Section, ...]
    cluster_separator: str = ""
    is_markdown: bool = False
    is_numbered: bool = False
    issues_per_day: int = 1

    def section_of(self, story: Story) -> Section | None:
        """Where a story is printed: in the section it names if there is one, else by its bucket."""
        by_bucket = None
        for each in self.sections:
            if story.section and each.section == story.section:
                return each
            if (each.region, each.sentiment) == story.bucket:
                by_bucket = each
        return by_bucket


@dataclass(frozen=True, slots=True)
class Placed:
    """A printed story and where it stands."""

    story: Story
    section: str
    heading: str


@dataclass(frozen=True, slots=True)
class NotShown:
    """A chosen story that is not in the text; `reason` is one of NotPrinted."""

    article_id: str
    reason: str


@dataclass(frozen=True)
class Printed:
    """A brief's text and what it is made of. `placed` is in printed order."""

    text: str
    placed: list[Placed]
    not_printed: list[NotShown]
    category_counts: dict[str, int]  # by heading, in the order of the layout, zeros included

    @property
    def sha256(self) -> str:
        """Of the text's bytes, which are also those of its file."""
        return sha256_of(self.text)


def sha256_of(text: str) -> str:
    """The hash stored beside a text; nothing for no text."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def layout_of(template: BriefTemplate) -> Layout:
    """The template's layout, its sections in order."""
    sections = tuple(
        Section(each.section, each.region, each.sentiment, each.heading, each.marker, each.numbering)
        for each in template.sections.all()
    )
    return Layout(
        slug=template.slug,
        header=template.header,
        section_heading=template.section_heading,
        entry=template.entry,
        sections=sections,
        cluster_separator=template.cluster_separator,
        is_markdown=template.is_markdown,
        is_numbered=template.is_numbered,
        issues_per_day=template.issues_per_day,
    )


def check_layout(*, header: str, section_heading: str, entry: str, is_numbered: bool) -> None:
    """ValidationError, by field of BriefTemplate, for fields in braces that its text cannot have."""
    in_header = HEADER_FIELDS if is_numbered else tuple(each for each in HEADER_FIELDS if each not in NUMBER_FIELDS)
    faults: dict[str, list[ValidationError]] = {}
    texts = {"header": (header, in_header), "section_heading": (section_heading, HEADING_FIELDS)}
    for name, (text, known) in (texts | {"entry": (entry, ENTRY_FIELDS)}).items():
        for field in fields_of(text):
            if field in known:
                continue
            message = _("There is no field {%(field)s} here.")
            if field in NUMBER_FIELDS and name == "header":
                message = _("{%(field)s} needs issue numbers, which this template does not have.")
            faults.setdefault(name, []).append(ValidationError(message, code="unknown-field", params={"field": field}))
    if faults:
        raise ValidationError(faults)  # type: ignore[arg-type]


def story_of_article(article: Article, *, cluster: int | None = None) -> Story:
    """An article as the worker prints it."""
    return Story(
        article_id=article.article_id,
        title=article.title,
        summary=article.summary,
        source=article.source,
        url=article.url,
        published_at=article.published_at,
        score=article.score,
        importance=article.importance,
        region=article.region,
        sentiment=article.sentiment,
        section=article.section,
        keywords=_words(article.keywords),
        cluster=cluster,
    )


# in the order stories_of_reviews reads them
REVIEW_FIELDS = (
    "id", "article_id", "summary", "manual_llm_source", "score", "rank", "article__title", "article__summary",
    "article__source", "article__url", "article__published_at", "article__score", "article__importance",
    "article__region", "article__sentiment", "article__section", "article__keywords",
)  # fmt: skip


def story_of_review(review: ManualReview) -> Story:
    """An article as its editor wants it printed: edited summary, source and score before its own."""
    article = review.article
    return Story(
        article_id=article.article_id,
        title=article.title,
        summary=edited(review.summary, article.summary),
        source=edited(review.manual_llm_source, article.source),
        url=article.url,
        published_at=article.published_at,
        score=article.score if review.score is None else review.score,
        importance=article.importance,
        region=article.region,
        sentiment=article.sentiment,
        section=article.section,
        keywords=_words(article.keywords),
        rank=review.rank,
    )


def story_of_row(row: Sequence[Any]) -> Story:
    """The same from a row of REVIEW_FIELDS: thousands of stories without thousands of models."""
    (
        _id, article_id, summary, source, score, rank, title, own_summary, own_source, url, published_at, own_score,
        importance, region, sentiment, section, keywords,
    ) = row  # fmt: skip
    return Story(
        article_id, title, edited(summary, own_summary), edited(source, own_source), url, published_at,
        own_score if score is None else score, importance, region, sentiment, section, _words(keywords), rank,
    )  # fmt: skip


def edited(by_editor: str | None, own: str) -> str:
    """What the editor wrote, unless that is nothing."""
    return by_editor if by_editor and by_editor.strip() else own


def print_brief(
    layout: Layout, stories: Iterable[Story], *, tag: str, date: date, numbers: Mapping[str, int] | None = None
) -> Printed:
    """The text of a brief.

    Without clusters, stories stand in the editor's order: by rank, then importance, score and age, what is
    missing last. With clusters they stand as given, and `cluster_separator` between those of two clusters.
    `numbers` holds `period` and `total_period` for a layout with issue numbers.
    """
    stories = list(stories)
    if all(story.cluster is None for story in stories):
        stories.sort(key=_in_editors_order)
    by_section: dict[str, list[Story]] = {each.section: [] for each in layout.sections}
    not_printed = []
    for story in stories:
        section = layout.section_of(story)
        if section is None:
            not_printed.append(NotShown(story.article_id, NotPrinted.BUCKET_NOT_IN_TEMPLATE.value))
        elif not story.summary.strip():
            not_printed.append(NotShown(story.article_id, NotPrinted.NO_SUMMARY.value))
        else:
            by_section[section.section].append(story)
    counts: dict[str, int] = {}
    blocks, placed = [], []
    entry, heading = Text(layout.entry), Text(layout.section_heading)
    for section in layout.sections:
        members = by_section[section.section]
        counts[section.heading] = counts.get(section.heading, 0) + len(members)
        if members:
            blocks.append(_print_section(layout, section, members, entry, heading))
            placed += [Placed(story, section.section, section.heading) for story in members]
    if placed:
        header = Text(layout.header).filled(_header_values(layout, tag, date, numbers, len(placed)))
        blocks = [header, *blocks] if header.strip() else blocks
    text = "\n\n".join(blocks) + "\n" if placed else ""
    return Printed(text, placed, not_printed, counts)


def _print_section(layout: Layout, section: Section, stories: list[Story], entry: Text, heading: Text) -> str:
    entries: list[str] = []
    values = _markdown_values if layout.is_markdown else _plain_values
    before: Story | None = None
    for number, story in enumerate(stories, start=1):
        if layout.cluster_separator and before is not None and before.cluster != story.cluster:
            entries.append(layout.cluster_separator)
        entries.append(entry.filled(values(story, _mark(section, number))))
        before = story
    title = escaped(section.heading) if layout.is_markdown else section.heading
    line = heading.filled({"heading": title, "count": str(len(stories))})
    body = "\n\n".join(entries)
    if not line.strip():
        return body
    return line + ("\n\n" if layout.is_markdown else "\n") + body


def _in_editors_order(story: Story) -> tuple[Any, ...]:
    at = story.published_at
    return (
        story.rank is None, story.rank or 0,
        story.importance is None, -(story.importance or 0),
        story.score is None, -(story.score or 0),
        at is None, -at.timestamp() if at else 0,
        story.article_id,
    )  # fmt: skip


# --- marks ---------------------------------------------------------------------------------------


def _mark(section: Section, number: int) -> str:
    if section.numbering == Numbering.CHINESE:
        return f"{chinese_number(number)}、"
    if section.numbering == Numbering.ARABIC:
        return f"{number}. "
    return f"{section.marker} " if section.marker else ""


def chinese_number(number: int) -> str:
    """一 to 九十九; digits beyond, which no reader wants spelled out."""
    if not 1 <= number <= 99:
        return str(number)
    tens, ones = divmod(number, 10)
    ten = ("" if tens == 0 else "十") if tens < 2 else f"{_DIGITS[tens]}十"
    return ten + _DIGITS[ones]


_DIGITS = ("", *"一二三四五六七八九")


# --- fields --------------------------------------------------------------------------------------


def _header_values(
    layout: Layout, tag: str, day: date, numbers: Mapping[str, int] | None, count: int
) -> dict[str, str]:
    values = {
        "tag": escaped(one_line(tag)) if layout.is_markdown else one_line(tag),
        "date": day.isoformat(),
        "year": str(day.year),
        "month": str(day.month),
        "day": str(day.day),
        "count": str(count),
    }
    return values | {name: str((numbers or {}).get(name, "")) for name in NUMBER_FIELDS}


def _plain_values(story: Story, mark: str) -> dict[str, str]:
    return {
        "mark": mark,
        "title": one_line(story.title),
        "summary": newlines_as_one(story.summary).strip(),
        "source": one_line(story.source),
        "url": one_line(story.url),
        "date": timezone.localdate(story.published_at).isoformat() if story.published_at else "",
        "score": _number(story.score),
        "importance": _number(story.importance),
        "keywords": "、".join(map(one_line, story.keywords)),
    }


def _markdown_values(story: Story, mark: str) -> dict[str, str]:
    values = _plain_values(story, mark)
    for name in ("title", "source", "keywords"):
        values[name] = escaped(values[name])
    values["summary"] = "\n".join(escaped(line.lstrip(" \t")) for line in values["summary"].split("\n"))
    values["url"] = web_address(values["url"])
    return values


def _words(keywords: Any) -> tuple[str, ...]:
    return tuple(map(str, keywords)) if isinstance(keywords, list | tuple) else ()


def _number(value: Decimal | None) -> str:
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
