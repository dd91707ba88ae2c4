"""What the lists of the review desk show, and what their addresses say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.http import QueryDict
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext_lazy

from exports.admin import marks
from exports.choices import Region, ReviewStatus, Sentiment
from exports.clustering import cluster
from exports.listing import COUNTED_AT_MOST, Appearance, Wanted, appearances
from exports.models import ManualReview
from exports.printing import edited

# what the address of a list may carry; everything else in it is dropped
FILTERS = ("region", "sentiment", "min", "since", "until", "q")

LABELS = {  # of the tabs: where an editor is, rather than what a row is
    ReviewStatus.PENDING: gettext_lazy("Candidates"),
    ReviewStatus.SELECTED: gettext_lazy("Selected"),
    ReviewStatus.BACKUP: gettext_lazy("Backup"),
    ReviewStatus.DISCARDED: gettext_lazy("Discarded"),
    ReviewStatus.EXPORTED: gettext_lazy("Exported"),
}
EMPTY = {
    ReviewStatus.PENDING: gettext_lazy(
        "Every article has been decided about. New ones appear here as soon as they come in."
    ),
    ReviewStatus.SELECTED: gettext_lazy("Pick candidates with x: the next brief made by hand prints what is here."),
    ReviewStatus.BACKUP: gettext_lazy("Put candidates here with b: a reserve to choose from on a thin day."),
    ReviewStatus.DISCARDED: gettext_lazy("What you discard with d is kept here, and can be taken back."),
    ReviewStatus.EXPORTED: gettext_lazy("What a brief made by hand has printed is kept here."),
}


class FilterForm(forms.Form):
    """The filters of a list; a wrong value filters nothing and is named."""

    region = forms.ChoiceField(
        required=False, label=gettext_lazy("Region"), choices=[("", gettext_lazy("Any region")), *Region.choices]
    )
    sentiment = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Sentiment"),
        choices=[("", gettext_lazy("Any sentiment")), *Sentiment.choices],
    )
    min = forms.DecimalField(
        required=False,
        label=gettext_lazy("Score at least"),
        max_digits=6,
        decimal_places=3,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    since = forms.DateField(
        required=False, label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        required=False, label=gettext_lazy("To"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    q = forms.CharField(
        required=False,
        label=gettext_lazy("Search"),
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "search", "id": "searchbar", "placeholder": gettext_lazy("Search titles")}
        ),
    )

    def wanted(self, status: str) -> Wanted:
        """What the valid ones of the answers ask for."""
        self.is_valid()
        asked = self.cleaned_data
        minimum: Decimal | None = asked.get("min")
        since: date | None = asked.get("since")
        until: date | None = asked.get("until")
        return Wanted(
            status, asked.get("region", ""), asked.get("sentiment", ""), minimum, since, until, asked.get("q", "")
        )


@dataclass(frozen=True)
class Row:
    """One review as a list shows it."""

    review: ManualReview
    briefs: list[Appearance]
    similar_to: str = ""  # the title of the row it nearly repeats

    @property
    def title(self) -> str:
        return self.review.article.title or self.review.article_id

    @property
    def summary(self) -> str:
        return edited(self.review.summary, self.review.article.summary)

    @property
    def source(self) -> str:
        return edited(self.review.manual_llm_source, self.review.article.source)

    @property
    def score_mark(self) -> str:
        return marks.score_mark(self.review.list_score, edited=self.review.score is not None)

    @property
    def region_mark(self) -> str:
        return marks.region_mark(self.review.region)

    @property
    def sentiment_mark(self) -> str:
        return marks.sentiment_mark(self.review.sentiment)

    @property
    def status_mark(self) -> str:
        return marks.status_mark(self.review.status)

    @property
    def published(self) -> str:
        return marks.moment(self.review.published_at)


@dataclass(frozen=True)
class Tab:
    """One of the five lists."""

    status: str
    label: Any
    count: str
    url: str
    is_here: bool


def tab_of(asked: Mapping[str, str]) -> str:
    tab = asked.get("tab", "")
    return tab if tab in ReviewStatus.values else ReviewStatus.PENDING.value


def kept_query(asked: Mapping[str, str]) -> dict[str, str]:
    """What links to other pages and tabs carry on."""
    return {name: asked[name] for name in ("tab", *FILTERS, "template") if asked.get(name)}


def query_of(query: Mapping[str, Any], **more: Any) -> str:
    """As the end of an address."""
    made = QueryDict(mutable=True)
    made.update({name: str(value) for name, value in {**query, **more}.items() if value})
    return f"?{made.urlencode()}"


def shown_count(count: int) -> str:
    shown = number_format(min(count, COUNTED_AT_MOST), force_grouping=True)
    return f"{shown}+" if count > COUNTED_AT_MOST else shown


def shown_counts(counted: Mapping[str, int]) -> dict[str, str]:
    return {status: shown_count(count) for status, count in counted.items()}


def tabs_of(counted: Mapping[str, int], query: Mapping[str, str], here: str) -> list[Tab]:
    return [
        Tab(status, label, shown_count(counted[status]), query_of({**query, "tab": status.value}), status == here)
        for status, label in LABELS.items()
    ]


def said_of(wanted: Wanted) -> str:
    """The filters that are folded away, in a few signs."""
    parts = [f"≥ {wanted.min_score.normalize():f}"] if wanted.min_score is not None else []
    if wanted.since or wanted.until:
        days = [date_format(day, "SHORT_DATE_FORMAT") if day else "…" for day in (wanted.since, wanted.until)]
        parts.append(" – ".join(days))
    return ", ".join(parts)


def rows_of(reviews: list[ManualReview]) -> list[Row]:
    """Each with the briefs it was in: one query for all."""
    found = appearances(review.article_id for review in reviews) if reviews else {}
    return [Row(review, found.get(review.article_id, [])) for review in reviews]


def grouped(rows: list[Row], *, in_place: bool) -> list[Row]:
    """Those that nearly repeat another of the page say so, and stand behind it unless they are to stay `in_place`."""
    by_id = {row.review.article_id: row for row in rows}
    stories = [Compared(key, row.title, row.summary, row.review.list_score, row.review.published_at)
               for key, row in by_id.items()]  # fmt: skip
    leaders: dict[str, str] = {}
    for found in cluster(stories):
        leaders |= {member.article_id: found.best for member in found.members if member.article_id != found.best}
    told = [replace(row, similar_to=by_id[leaders[key]].title) if key in leaders else row for key, row in by_id.items()]
    if in_place:
        return told
    behind: dict[str, list[Row]] = {}
    for row in told:
        if (leader := leaders.get(row.review.article_id)) is not None:
            behind.setdefault(leader, []).append(row)
    first = [row for row in told if not row.similar_to]
    return [each for row in first for each in (row, *behind.get(row.review.article_id, []))]


class Compared(NamedTuple):
    """What is compared of a row."""

    article_id: str
    title: str
    summary: str
    score: Any
    published_at: Any
