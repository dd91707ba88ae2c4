"""Compose: what is selected, as it will be printed, put in order, and exported.

What is shown is `briefs.preview_by_hand`, and what is exported is checked to have the SHA-256 of what was shown:
nobody sends out a text that they have not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from exports import downloads, reviewing
from exports.admin import marks
from exports.admin.panel import Panel, chosen_template, templates_known
from exports.admin.wishes import is_key, message_of, read_keys, status_of, wants_json
from exports.briefs import Brief, BriefOptions, export_by_hand, preview_by_hand
from exports.choices import NotPrinted, Source
from exports.diffs import Line, lines_between
from exports.listing import Appearance, appearances
from exports.models import BriefBatch, BriefTemplate, ManualExportBatch, ManualExportItem, ManualReview
from exports.printing import Story
from exports.recording import MAX_TAG
from runs.errors import Conflict, Contention

SHOWN_AT_MOST = 300  # articles in the list to put in order; all of them are printed
SEEN_AT_MOST = 500_000  # characters of a preview that travel with the form, to tell what changed since
MAY_EXPORT = "exports.export_brief"
MAY_DECIDE = "exports.decide_manualreview"


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


class ComposeMixin(ModelAdmin):
    """The screens of a brief in the making, mounted on the review desk."""

    def screen_urls(self) -> list[URLPattern]:
        def mine(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=name)

        return [
            mine("exports/compose/", require_GET(self.compose_view), "exports_compose"),
            mine("exports/compose/order/", require_POST(self.order_view), "exports_compose_order"),
            mine("exports/compose/confirm/", require_POST(self.confirm_view), "exports_compose_confirm"),
            mine("exports/compose/export/", require_POST(self.export_view), "exports_compose_export"),
        ]

    def menu_screens(self, request: HttpRequest) -> list[tuple[Any, str]]:
        return [(_("Compose"), reverse("admin:exports_compose"))]

    def compose_view(self, request: HttpRequest) -> HttpResponse:
        """The whole screen; only its moving part for the script."""
        self._require(request)
        composition = Composition(request, request.GET)
        if request.headers.get("x-part"):
            return TemplateResponse(request, "exports/compose_body.html", {"composition": composition})
        context = {
            **self.admin_site.each_context(request),
            "title": _("Compose"),
            "opts": self.opts,
            "composition": composition,
        }
        return TemplateResponse(request, "exports/compose.html", context)

    def order_view(self, request: HttpRequest) -> HttpResponse:
        """`order` is the whole list as "key:version …"; `move` is "up|down key:version" for who has no script."""
        self._require(request, MAY_DECIDE)
        try:
            ids, versions = self._wanted_order(request)
            reviewing.put_in_order(selected=ids, versions=versions, actor=request.user)
        except (ValidationError, Conflict, Contention) as error:
            return self._answer(request, message_of(error), status_of(error))
        return self._answer(request, _("The order is saved."), 200)

    def _wanted_order(self, request: HttpRequest) -> tuple[list[str], dict[str, int]]:
        direction, _space, moved = request.POST.get("move", "").partition(" ")
        seen = read_keys(moved if direction else request.POST.get("order", ""), most=SHOWN_AT_MOST)
        reviews = {review.pk: review for review in ManualReview.objects.filter(pk__in=seen)}
        if len(reviews) < len(seen):
            raise ValidationError(_("This article is no longer here. Load the page again."))
        versions = {reviews[key].article_id: version for key, version in seen.items()}
        if not direction:
            return list(versions), versions
        composition = Composition(request, QueryDict(request.POST.get("next", "")[:4000]))
        return swapped(composition, next(iter(versions)), up=direction == "up"), versions

    def _answer(self, request: HttpRequest, message: str, status: int) -> HttpResponse:
        asked = QueryDict(request.POST.get("next", "")[:4000])
        composition = Composition(request, asked)
        if not wants_json(request):
            self.message_user(request, message, messages.SUCCESS if status == 200 else messages.ERROR)
            return redirect(f"{reverse('admin:exports_compose')}?{composition.query}")
        body = render_to_string("exports/compose_body.html", {"composition": composition}, request)
        return JsonResponse({"message": message, "body": body}, status=status)

    # --- exporting -------------------------------------------------------------------------------

    def confirm_view(self, request: HttpRequest) -> HttpResponse:
        """What would be exported, once more, before it is."""
        self._require(request, MAY_EXPORT)
        composition = Composition(request, request.POST)
        if composition.brief is None or not composition.brief.printed.placed:
            for fault in faults_of(composition):
                self.message_user(request, fault, messages.ERROR)
            return redirect(f"{reverse('admin:exports_compose')}?{composition.query}")
        return self._confirm(request, composition)

    def _confirm(
        self, request: HttpRequest, composition: Composition, *, changes: list[Line] | None = None, status: int = 200
    ) -> HttpResponse:
        brief = composition.brief
        assert brief is not None
        context = {
            **self.admin_site.each_context(request),
            "title": _("Export %(tag)s") % {"tag": brief.report_tag},
            "opts": self.opts,
            "composition": composition,
            "brief": brief,
            "left_out": list(composition.left_out()),
            "duplicates": duplicates_of(composition),
            "changes": changes,
            "seen": brief.content if len(brief.content) <= SEEN_AT_MOST else "",
        }
        return TemplateResponse(request, "exports/compose_confirm.html", context, status=status)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Export what the confirm page showed, and nothing else."""
        self._require(request, MAY_EXPORT)
        composition = Composition(request, request.POST)
        back = f"{reverse('admin:exports_compose')}?{composition.query}"
        expected = request.POST.get("expected_sha256", "")
        if not composition.form.is_valid() or len(expected) != 64:
            for fault in faults_of(composition) or [_("Look at the brief before you export it.")]:
                self.message_user(request, fault, messages.ERROR)
            return redirect(back)
        try:
            brief = export_by_hand(replace(composition.form.as_options(), expected_sha256=expected), actor=request.user)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return redirect(back)
        except (Conflict, Contention) as error:
            if getattr(error, "slug", "") != "preview-outdated" or composition.brief is None:
                self.message_user(request, str(error.message), messages.ERROR)
                return redirect(back)
            seen = request.POST.get("seen", "").replace("\r\n", "\n")
            changes = lines_between(seen, composition.brief.content) if seen else []
            self.message_user(request, str(error.message), messages.WARNING)
            return self._confirm(request, composition, changes=changes, status=409)
        self._say_what_was_done(request, brief)
        assert brief.batch is not None
        return redirect(batch_url(brief.batch))

    def _say_what_was_done(self, request: HttpRequest, brief: Brief) -> None:
        printed = len(brief.printed.placed)
        done = ngettext("%(count)s article was exported.", "%(count)s articles were exported.", printed)
        self.message_user(request, done % {"count": printed})
        if brief.skipped_duplicates:
            again = ngettext(
                "%(count)s of them was in this brief already and is not recorded twice.",
                "%(count)s of them were in this brief already and are not recorded twice.",
                len(brief.skipped_duplicates),
            )
            self.message_user(request, again % {"count": len(brief.skipped_duplicates)}, messages.INFO)
        if brief.file_error:
            note = _("The file could not be written (%(error)s). The text is stored: write the file again below.")
            self.message_user(request, note % {"error": brief.file_error}, messages.WARNING)

    def _require(self, request: HttpRequest, permission: str = "") -> None:
        if not self.has_view_permission(request) or (permission and not request.user.has_perm(permission)):
            raise PermissionDenied


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
