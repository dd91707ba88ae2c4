"""A brief in the making, as the screen shows it: its options, the text they make, and its entries by section."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exports import downloads
from exports.admin import marks
from exports.admin.panel import Panel, chosen_template, templates_known
from exports.admin.wishes import MAY_DECIDE, MAY_EXPORT, is_key
from exports.briefs import Brief, BriefOptions, preview_by_hand
from exports.choices import NotPrinted, Source
from exports.listing import Appearance, appearances
from exports.models import BriefBatch, BriefTemplate, ManualExportBatch, ManualExportItem, ManualReview
from exports.printing import Story
from exports.recording import MAX_TAG
from runs.errors import Conflict

SHOWN_AT_MOST = 300  # articles in the list to put in order; all of them are printed


class OptionsForm(forms.Form):
    """How the brief is to be made. Left empty, numbers go on by themselves and no file is written."""

    template = forms.CharField(label=gettext_lazy("Template"), max_length=50)
    report_tag = forms.CharField(label=gettext_lazy("Tag"), max_length=MAX_TAG)
    report_date = forms.DateField(
        label=gettext_lazy("Date"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    period = forms.IntegerField(label=gettext_lazy("Issue"), required=False, min_value=1)
    total_period = forms.IntegerField(label=gettext_lazy("Issue in all"), required=False, min_value=1)
    output_path = forms.CharField(
        label=gettext_lazy("File"),
        required=False,
        max_length=1000,
        help_text=gettext_lazy("Below the folder for exports; empty: none."),
    )
    mark_exported = forms.BooleanField(
        label=gettext_lazy("Mark what is printed as exported"),
        required=False,
        help_text=gettext_lazy("Off: everything stays selected, for another brief."),
    )

    def as_options(self) -> BriefOptions:
        """The cleaned answers in the words of briefs."""
        return BriefOptions(**self.cleaned_data)


def defaults(template: BriefTemplate | None) -> dict[str, Any]:
    """What an operator most probably wants: today's brief in the usual template."""
    today = timezone.localdate()
    slug = template.slug if template else ""
    return {
        "template": slug,
        "report_tag": today.isoformat(),
        "report_date": today.isoformat(),
        "output_path": f"{slug}-{today.isoformat()}.{'md' if template and template.is_markdown else 'txt'}",
        "mark_exported": "on",
    }


@dataclass(frozen=True)
class Entry:
    """A selected article in its place."""

    review: ManualReview
    story: Story
    briefs: list[Appearance]
    is_duplicate: bool = False
    reason: str = ""  # why it is not printed

    @property
    def score_mark(self) -> str:
        return marks.score_mark(self.review.list_score, edited=self.review.score is not None)

    @property
    def marks(self) -> list[str]:
        return [marks.region_mark(self.review.region), marks.sentiment_mark(self.review.sentiment)]


class Composition:
    """Everything the screen shows: the options, the brief they make, and its entries by section."""

    def __init__(self, request: HttpRequest, asked: QueryDict) -> None:
        self.request = request
        self.asked = asked
        self.templates = templates_known()
        self.template = chosen_template(request, self.templates)
        given = asked.dict() if "report_tag" in asked else {}
        usual = defaults(self.template)
        if given:
            answers = {name: given.get(name, "") for name in usual} | {
                name: given.get(name, "") for name in ("period", "total_period")
            }
        else:
            answers = usual | {name: asked[name] for name in usual if asked.get(name)}
        self.answers = {**answers, "template": self.template.slug if self.template else ""}
        self.form = OptionsForm(self.answers, auto_id="options-%s")
        self.faults: list[str] = []

    @cached_property
    def brief(self) -> Brief | None:
        """The brief as it would be; None when the options say nothing that could be printed."""
        if not self.form.is_valid():
            return None
        try:
            return preview_by_hand(self.form.as_options())
        except ValidationError as error:
            add_errors(self.form, error)
        except Conflict as conflict:
            self.faults.append(str(conflict.message))
        return None

    @cached_property
    def shown_anyway(self) -> Brief | None:
        """Faulty options hide no article: without them the list is what the defaults make of it."""
        if self.brief is not None or self.template is None:
            return self.brief
        return preview_by_hand(BriefOptions(template=self.template.slug))

    @cached_property
    def order(self) -> list[str]:
        """Article ids as printed, section after section, then those that are not."""
        brief = self.shown_anyway
        if brief is None:
            return []
        printed = [each.story.article_id for each in brief.printed.placed]
        return printed + [each.article_id for each in brief.not_printed]

    @cached_property
    def reviews(self) -> dict[str, ManualReview]:
        shown = self.order[:SHOWN_AT_MOST]
        found = ManualReview.objects.selected().filter(article_id__in=shown).select_related("article")
        return {review.article_id: review for review in found}

    @cached_property
    def briefs(self) -> dict[str, list[Appearance]]:
        return appearances(self.reviews)

    def sections(self) -> Iterator[tuple[str, list[Entry]]]:
        """Heading → entries, in printed order."""
        brief = self.shown_anyway
        if brief is None:
            return
        again = set(brief.skipped_duplicates)
        for (_section, heading), placed in groupby(brief.printed.placed, key=lambda each: (each.section, each.heading)):
            entries = [
                Entry(self.reviews[key], each.story, self.briefs.get(key, []), key in again)
                for each in placed
                if (key := each.story.article_id) in self.reviews
            ]
            if entries:
                yield heading, entries

    def left_out(self) -> Iterator[tuple[ManualReview, str]]:
        """What is selected and not printed, with the reason."""
        brief = self.shown_anyway
        for each in brief.not_printed if brief else ():
            if each.article_id in self.reviews:
                yield self.reviews[each.article_id], str(NotPrinted(each.reason).label)

    @property
    def markdown(self) -> str:
        """The same text as its Markdown download will be."""
        brief = self.brief
        if brief is None:
            return ""
        batch = ManualExportBatch(
            report_tag=brief.report_tag,
            template=brief.template,
            content=brief.content,
            export_payload={"category_counts": brief.category_counts},
        )
        items = [
            ManualExportItem(article_id=each.story.article_id, metadata={"title": each.story.title})
            for each in brief.printed.placed
        ]
        return downloads.markdown_of(batch, items).decode()

    @property
    def hidden(self) -> int:
        """Articles that are printed, or left out, without being in the list."""
        return max(0, len(self.order) - SHOWN_AT_MOST)

    @cached_property
    def edited(self) -> Panel | None:
        """The entry that is being edited."""
        key = self.asked.get("edit", "")
        review = next((each for each in self.reviews.values() if str(each.pk) == key), None) if is_key(key) else None
        return Panel(review, self.request) if review else None

    @cached_property
    def same_tag(self) -> ManualExportBatch | BriefBatch | None:
        """The brief by hand that has this tag already: what is new would be added to it."""
        tag = self.brief.report_tag if self.brief else ""
        if not tag:
            return None
        own = ManualExportBatch.objects.filter(report_tag=tag).first()
        return own or BriefBatch.objects.filter(report_tag=tag, source=Source.MANUAL).first()

    @property
    def same_tag_url(self) -> str:
        return batch_url(self.same_tag) if self.same_tag else ""

    @property
    def query(self) -> str:
        """The options as an address carries them."""
        made = QueryDict(mutable=True)
        made.update({name: str(value) for name, value in self.answers.items() if value})
        return made.urlencode()

    @property
    def may_decide(self) -> bool:
        return self.request.user.has_perm(MAY_DECIDE)

    @property
    def may_export(self) -> bool:
        return self.request.user.has_perm(MAY_EXPORT)


def swapped(composition: Composition, article_id: str, *, up: bool) -> list[str]:
    """The whole order after one step of one article within its section."""
    groups = [[entry.review.article_id for entry in entries] for _heading, entries in composition.sections()]
    groups.append([review.article_id for review, _reason in composition.left_out()])
    for group in groups:
        if article_id in group:
            at = group.index(article_id)
            to = max(0, at - 1) if up else min(len(group) - 1, at + 1)
            group[at], group[to] = group[to], group[at]
    return [each for group in groups for each in group]


def duplicates_of(composition: Composition) -> list[Any]:
    """Titles of what the tag has recorded already."""
    again = set(composition.brief.skipped_duplicates) if composition.brief else set()
    return [review.article.title for key, review in composition.reviews.items() if key in again]


def faults_of(composition: Composition) -> list[str]:
    """Why there is nothing to export."""
    brief = composition.brief
    faults = [*composition.faults]
    for name, errors in composition.form.errors.items():
        label = composition.form.fields[name].label if name in composition.form.fields else ""
        faults += [f"{label}: {error}" if label else str(error) for error in errors]
    if brief is not None and not brief.printed.placed:
        faults.append(_("There is nothing to export: nothing that is selected can be printed."))
    return faults


def add_errors(form: forms.Form, error: ValidationError) -> None:
    """The service's objections beside the fields they are about."""
    by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    for name, found in by_field.items():
        for message in found:
            form.add_error(name if name in form.fields else None, message)


def batch_url(batch: ManualExportBatch | BriefBatch) -> str:
    return reverse(f"admin:exports_{batch._meta.model_name}_change", args=[batch.pk])
