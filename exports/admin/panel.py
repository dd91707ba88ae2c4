"""One article beside the list: how it will be printed, what an editor may change, and where it has been."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exports import printing
from exports.admin import marks
from exports.choices import NotPrinted
from exports.listing import Appearance, appearances
from exports.models import BriefTemplate, ManualReview
from exports.reviewing import Edit

TEMPLATE_KEY = "brief-template"  # in the session: the template an operator looked at last
PREFERRED = "zongbao"


def templates_known() -> list[BriefTemplate]:
    """Every template with its sections; two queries."""
    return list(BriefTemplate.objects.prefetch_related("sections"))


def chosen_template(request: HttpRequest, known: list[BriefTemplate]) -> BriefTemplate | None:
    """The one the address names, else the one looked at last, else the daily one; None when there is none."""
    by_slug = {each.slug: each for each in known}
    asked = request.GET.get("template", "") or request.POST.get("template", "")
    if asked in by_slug and request.session.get(TEMPLATE_KEY) != asked:
        request.session[TEMPLATE_KEY] = asked
    for slug in (asked, request.session.get(TEMPLATE_KEY, ""), PREFERRED):
        if slug in by_slug:
            return by_slug[slug]
    return known[0] if known else None


class EditForm(forms.Form):
    """What an editor may change. A field that says what the article says is given back to the article."""

    summary = forms.CharField(
        label=gettext_lazy("Summary"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 7})
    )
    llm_source = forms.CharField(label=gettext_lazy("Source"), required=False, max_length=500)
    score = forms.DecimalField(
        label=gettext_lazy("Score"),
        required=False,
        max_digits=6,
        decimal_places=3,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    notes = forms.CharField(
        label=gettext_lazy("Notes"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    version = forms.IntegerField(min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, review: ManualReview, **kwargs: Any) -> None:
        self.review = review
        super().__init__(*args, initial=shown_values(review), auto_id="edit-%s", **kwargs)

    def as_edit(self) -> Edit:
        """The cleaned answers in the words of reviewing."""
        asked = self.cleaned_data
        article = self.review.article
        summary = asked["summary"].replace("\r\n", "\n")  # as a browser sends the lines of a text field
        return Edit(
            summary=None if summary == article.summary else summary,
            llm_source=None if asked["llm_source"] == article.source else asked["llm_source"],
            score=None if asked["score"] == article.score else asked["score"],
            notes=asked["notes"].replace("\r\n", "\n"),
            version=asked["version"],
        )


def shown_values(review: ManualReview) -> dict[str, Any]:
    """The fields as they count now: the editor's, else the article's."""
    article = review.article
    score = review.list_score
    return {
        "summary": printing.edited(review.summary, article.summary),
        "llm_source": printing.edited(review.manual_llm_source, article.source),
        "score": None if score is None else (int(score) if score % 1 == 0 else score.normalize()),
        "notes": review.notes,
        "version": review.version,
    }


@dataclass
class Panel:
    """What the panel of one review shows. `others` is the row another editor wrote since."""

    review: ManualReview
    request: HttpRequest
    form: EditForm | None = None
    others: ManualReview | None = None

    @cached_property
    def templates(self) -> list[BriefTemplate]:
        return templates_known()

    @cached_property
    def template(self) -> BriefTemplate | None:
        return chosen_template(self.request, self.templates)

    @property
    def may_decide(self) -> bool:
        return self.request.user.has_perm("exports.decide_manualreview")

    @cached_property
    def edit_form(self) -> EditForm:
        return self.form or EditForm(review=self.review)

    @cached_property
    def printed(self) -> printing.Printed | None:
        """The entry alone, by the function that prints the brief; None without a template."""
        if self.template is None:
            return None
        layout = replace(printing.layout_of(self.template), header="")
        today = timezone.localdate()
        story = printing.story_of_review(self.review)
        return printing.print_brief(layout, [story], tag=today.isoformat(), date=today, numbers={})

    @property
    def reason(self) -> str:
        """Why it would not be printed; empty when it would."""
        missing = self.printed.not_printed if self.printed else []
        return str(NotPrinted(missing[0].reason).label) if missing else ""

    @cached_property
    def briefs(self) -> list[Appearance]:
        return appearances([self.review.article_id]).get(self.review.article_id, [])

    @property
    def status_mark(self) -> str:
        return marks.status_mark(self.review.status)

    @property
    def marks(self) -> list[str]:
        return [marks.region_mark(self.review.region), marks.sentiment_mark(self.review.sentiment)]

    @property
    def score_mark(self) -> str:
        return marks.score_mark(self.review.list_score, edited=self.review.score is not None)

    @property
    def published(self) -> str:
        return marks.moment(self.review.published_at)

    @property
    def address(self) -> str:
        """Where the article stands, if a browser may be sent there: what came in may hold any scheme."""
        url = self.review.article.url
        return url if url.lower().startswith(("https://", "http://")) else ""

    @property
    def edited(self) -> list[str]:
        """Which fields an editor has made different from the article's."""
        review = self.review
        fields = {
            _("Summary"): review.summary,
            _("Source"): review.manual_llm_source,
            _("Score"): review.score,
        }
        return [name for name, value in fields.items() if value is not None]

    def differences(self) -> Iterator[tuple[str, Any, Any]]:
        """What the other editor wrote where the form says something else: label, theirs, yours."""
        if self.others is None:
            return
        theirs = shown_values(self.others)
        for name, field in self.edit_form.fields.items():
            yours = self.edit_form.cleaned_data.get(name)
            if name != "version" and (theirs[name] or "") != (yours or ""):
                yield str(field.label), theirs[name], yours
