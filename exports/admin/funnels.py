"""An export's funnel as a picture: a bar per step, narrower with each thing that is left out. No script, no style."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from desk.charts import px
from exports.choices import NotPrinted, Skipped, Source
from exports.models import ExportRun

WIDTH, HEIGHT = 600, 20
NARROWEST = 3  # what is there can be seen


@dataclass(frozen=True)
class Step:
    """How many are left here; or, as a loss, how many fell out and the first of them."""

    label: str
    count: int
    of: int
    is_loss: bool = False
    slug: str = ""
    first: tuple[str, ...] = ()

    @property
    def bar(self) -> SafeString:
        """In the middle of its line, so that the lines together look like what they are."""
        share = self.count / self.of if self.of else 0
        width = max(NARROWEST, share * WIDTH) if self.count else 0
        return format_html(
            '<svg class="funnel-bar{}" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">'
            '<rect x="{}" y="0" width="{}" height="{}"/></svg>',
            " funnel-loss" if self.is_loss else "",
            *(WIDTH, HEIGHT, px((WIDTH - width) / 2), px(width), HEIGHT),
        )

    @property
    def share(self) -> str:
        """Of what there was at first."""
        return f"{self.count / self.of:.0%}" if self.of else ""

    @property
    def articles(self) -> list[tuple[str, str]]:
        """The first of them, each with where it is looked at."""
        return [(article_id, article_url(article_id)) for article_id in self.first]


def steps(run: ExportRun) -> list[Step]:
    """The funnel from the widest to the narrowest; empty while there is none."""
    if not run.funnel:
        return []
    return list(_of_worker(run.funnel) if run.kind == Source.WORKER else _by_hand(run.funnel))


def _of_worker(funnel: dict[str, Any]) -> Iterator[Step]:
    of = left = funnel["candidates"]
    yield Step(_("Candidates"), left, of)
    for slug, lost in funnel["skipped"].items():
        yield Step(label_of(slug), lost["count"], of, is_loss=True, slug=slug, first=tuple(lost["first"]))
    yield Step(_("In the sections of the template"), funnel["bucketed"], of)
    yield Step(_("Different stories"), funnel["clusters"], of)
    yield Step(_("Exported"), funnel["exported"], of)


def _by_hand(funnel: dict[str, Any]) -> Iterator[Step]:
    of = funnel["selected"]
    yield Step(_("Selected"), of, of)
    for slug, count in funnel["not_printed"].items():
        yield Step(label_of(slug), count, of, is_loss=True, slug=slug)
    yield Step(_("Printed"), funnel["printed"], of)
    if funnel["duplicates"]:
        yield Step(_("Already in this brief"), funnel["duplicates"], of, is_loss=True)
    yield Step(_("Newly recorded"), funnel["recorded"], of)


def label_of(slug: str) -> str:
    """A reason in the reader's language; the slug itself where nobody knows it any more."""
    for reasons in (Skipped, NotPrinted):
        if slug in reasons.values:
            return str(reasons(slug).label)
    return slug


def article_url(article_id: str) -> str:
    """The list of articles with only this one in it."""
    try:
        return f"{reverse('admin:exports_article_changelist')}?{urlencode({'q': article_id})}"
    except NoReverseMatch:
        return ""
