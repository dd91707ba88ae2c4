"""The form that asks for articles, and what they would be made from."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from access.models import AuditEvent
from access.services import record
from api.bounded import Count, count_of
from desk.badges import number
from desk.bulk import BulkActionsMixin, DoneAlready
from distillations.admin.links import list_of, page_of
from distillations.choices import Mode
from distillations.deeds import in_transaction
from distillations.models import ArticleSetting, ConversionTarget, Distillation, GenerationTask, KnowledgeBase, Topic
from distillations.models.tasks import MOST_ARTICLES
from distillations.querysets import BIGGEST_ID
from distillations.selection import Choice, not_enough, preview
from distillations.services import GenerationOptions, request_generation
from runs.errors import Contention

MAY_RUN = "distillations.run_generation"
LISTED = 300  # distillations in the dropdown; more are found by their keyword
USUAL_COUNT = 3


class TaskForm(forms.Form):
    """The wish of an operator. The dropdown of distillations is drawn by hand, as it has more to say than names."""

    requested_count = forms.IntegerField(
        label=gettext_lazy("Articles"), min_value=1, max_value=MOST_ARTICLES, initial=USUAL_COUNT
    )
    mode = forms.ChoiceField(
        label=gettext_lazy("Made from"), choices=Mode.choices, initial=Mode.AUTO, widget=forms.RadioSelect
    )
    distillation = forms.IntegerField(
        label=gettext_lazy("Distillation"), required=False, min_value=1, max_value=BIGGEST_ID
    )
    conversion_target = forms.ModelChoiceField(
        label=gettext_lazy("Conversion target"),
        queryset=ConversionTarget.objects.order_by("company_name"),
        required=False,
        empty_label=gettext_lazy("None"),
    )
    article_setting = forms.ModelChoiceField(
        label=gettext_lazy("Article setting"),
        queryset=ArticleSetting.objects.order_by("name"),
        required=False,
        empty_label=gettext_lazy("The usual one"),
    )
    knowledge_base = forms.ModelChoiceField(
        label=gettext_lazy("Knowledge base"),
        queryset=KnowledgeBase.objects.order_by("name"),
        required=False,
        empty_label=gettext_lazy("None"),
        help_text=gettext_lazy("What articles quote from. Without one, rules write an outline only."),
    )
    once = forms.CharField(widget=forms.HiddenInput, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("mode") == Mode.MANUAL and not cleaned.get("distillation") and "distillation" not in self.errors:
            self.add_error("distillation", ValidationError(_("Choose a distillation."), code="required"))
        return cleaned

    def as_options(self) -> GenerationOptions:
        """The cleaned answers in the service's words."""
        asked = self.cleaned_data
        materials = {
            f"{name}_id": asked[name].pk if asked[name] else None
            for name in ("conversion_target", "article_setting", "knowledge_base")
        }
        chosen = asked["distillation"] if asked["mode"] == Mode.MANUAL else None
        return GenerationOptions(asked["requested_count"], chosen, **materials)

    def refuse(self, error: ValidationError) -> None:
        """Put what the service says beside the fields it speaks of."""
        for field, errors in (error.error_dict if hasattr(error, "error_dict") else {None: error}).items():
            name = field.removesuffix("_id") if field else None
            self.add_error(name if name in self.fields else None, errors)


@dataclass(frozen=True)
class Option:
    """One distillation in the dropdown."""

    pk: int
    label: str
    is_usable: bool


class Draft:
    """What the form says so far, as far as it can be read, and what would be taken for it right now."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.is_manual = said.get("mode") == Mode.MANUAL
        self.distillation_id = _number(said.get("distillation"), BIGGEST_ID)
        self.requested = _number(said.get("requested_count"), MOST_ARTICLES)
        self.text = str(said.get("find", "")).strip()[:255].replace("\x00", "")

    @cached_property
    def source(self) -> Distillation | None:
        """The distillation that is named, if it is there."""
        return Distillation.objects.filter(pk=self.distillation_id).first() if self.distillation_id else None

    @cached_property
    def available(self) -> Count:
        """How many articles could be asked for: a distillation each, or a topic each of the one that is chosen."""
        if not self.is_manual:
            return count_of(Distillation.objects.eligible())
        return Count(Topic.objects.filter(distillation=self.source).count() if self.source else 0)

    @property
    def says_available(self) -> str:
        """The same in words."""
        return _("available: %(count)s") % {"count": self.available}

    @cached_property
    def choices(self) -> list[Choice]:
        """What would be taken, in order; nothing while the form cannot be read."""
        if self.requested is None or (self.is_manual and self.source is None):
            return []
        return preview(self.requested, self.source.pk if self.is_manual and self.source else None)

    @property
    def refusal(self) -> str:
        """The sentence with which the task would be refused; empty when it would not."""
        if self.requested is None or (self.is_manual and self.source is None) or len(self.choices) >= self.requested:
            return ""
        mode = Mode.MANUAL if self.is_manual else Mode.AUTO
        return " ".join(not_enough(len(self.choices), self.requested, mode=mode).messages)

    @cached_property
    def options(self) -> list[Option]:
        """The least used distillations of those that are searched for, and the chosen one in any case."""
        recommended = set(Distillation.objects.recommended_ids())
        listed = Distillation.objects.search(self.text).least_used_for_choice(LISTED)
        if self.source is not None and self.source not in listed:
            listed.insert(0, self.source)
        return [Option(each.pk, _says(each, each.pk in recommended), each.topic_count > 0) for each in listed]

    @property
    def says_listed(self) -> str:
        """Whether there are more than the dropdown shows."""
        if len(self.options) < LISTED:
            return "" if self.options else _("No keyword fits.")
        return _("The %(count)s least used; search for another.") % {"count": LISTED}


def _says(distillation: Distillation, is_recommended: bool) -> str:
    """An option in words: a dropdown can show nothing else."""
    used = ngettext("used once", "used %(count)s times", distillation.usage_count)
    said = [distillation.keyword, used % {"count": number(distillation.usage_count)}]
    if distillation.reserved_count:
        said.append(_("%(count)s reserved") % {"count": number(distillation.reserved_count)})
    if distillation.topic_count:
        topics = ngettext("%(count)s topic", "%(count)s topics", distillation.topic_count)
        said.append(topics % {"count": number(distillation.topic_count)})
    else:
        said.append(_("no topic, so nothing can be written from it"))
    return " · ".join([*([f"★ {_('Recommended')}"] if is_recommended else []), *said])


def _number(text: Any, most: int) -> int | None:
    digits = str(text or "").strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        return None
    value = int(digits)
    return value if 1 <= value <= most else None


class NewTaskMixin(BulkActionsMixin, ModelAdmin):
    """Asking for articles, on a page of its own that shows what would be taken before anything is."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return bool(request.user.has_perm(MAY_RUN))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.draft_view))
        return [path("add/draft/", view, name="distillations_generationtask_draft"), *super().get_urls()]

    def draft_view(self, request: HttpRequest) -> HttpResponse:
        """The parts of the page that follow what is typed."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return render(request, "distillations/task_draft.html", {"draft": Draft(request.GET)})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._form_page(request, self._empty_form(request), self._asked_by_address(request))
        form = TaskForm(request.POST)
        if "_create" in request.POST and form.is_valid() and (answer := self._create(request, form)):
            return answer
        if "_create" not in request.POST:  # only the preview was asked for
            form = TaskForm(initial=request.POST.dict())
        return self._form_page(request, form, Draft(request.POST), status=422 if form.errors else 200)

    def _asked_by_address(self, request: HttpRequest) -> Draft:
        said = {"requested_count": str(USUAL_COUNT), **request.GET.dict()}
        return Draft(said | ({"mode": Mode.MANUAL} if said.get("distillation") else {}))

    def _empty_form(self, request: HttpRequest) -> TaskForm:
        draft = self._asked_by_address(request)
        return TaskForm(
            initial={
                "requested_count": draft.requested or USUAL_COUNT,
                "mode": Mode.MANUAL if draft.is_manual else Mode.AUTO,
                "once": secrets.token_urlsafe(12),
            }
        )

    def _form_page(self, request: HttpRequest, form: TaskForm, draft: Draft, status: int = 200) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("New generation task"),
            "opts": self.opts,
            "form": form,
            "draft": draft,
            "media": self.media,
        }
        return TemplateResponse(request, "distillations/task_add.html", context, status=status)

    def _create(self, request: HttpRequest, form: TaskForm) -> HttpResponse | None:
        """Make the task, once for a form however often it is sent; None, with the reason in the form, if refused."""
        once = f"once:{form.cleaned_data['once'][:40] or secrets.token_urlsafe(12)}"

        def create() -> GenerationTask:
            self._first_time(once)
            task = request_generation(form.as_options(), actor=request.user, requested_by=request.user)
            reference = (self.opts.label_lower, once)
            record(
                actor=request.user, action="generation-task.form-sent", after={"taskId": task.pk}, reference=reference
            )
            return task

        try:
            task = in_transaction(create)
        except ValidationError as error:
            form.refuse(error)
            return None
        except Contention as error:
            form.add_error(None, str(error.message))
            return None
        except DoneAlready:
            return self._answer_again(request, once)
        self.message_user(request, _("Task %(id)s is queued.") % {"id": task.pk})
        return redirect(page_of(GenerationTask, task.pk))

    def _answer_again(self, request: HttpRequest, once: str) -> HttpResponse:
        """A form that came twice leads to the task it made the first time."""
        self.message_user(request, _("This was done already; nothing was done twice."), messages.WARNING)
        made: QuerySet = AuditEvent.objects.filter(object_type=self.opts.label_lower, object_id=once)
        event = made.first()
        return redirect(page_of(GenerationTask, event.after["taskId"]) if event else list_of(GenerationTask))
