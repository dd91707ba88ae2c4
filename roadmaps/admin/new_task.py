"""The form that asks for a roadmap."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from access.models import AuditEvent
from access.services import record
from desk.bulk import BulkActionsMixin, DoneAlready
from roadmaps.admin.forms import NewRoadmapForm, known_topics, plans_by_rules
from roadmaps.admin.links import task_url, tasks_url
from roadmaps.models import RoadmapTask
from roadmaps.services import request_roadmap
from runs.errors import Contention
from runs.transactions import atomic_retried

MAY_RUN = "roadmaps.run_roadmap"


class NewTaskMixin(BulkActionsMixin, ModelAdmin):
    """Asking for a roadmap, on a page of its own that says who will plan it."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return bool(request.user.has_perm(MAY_RUN))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            asked = {"query": request.GET.get("query", "")[:500].replace("\x00", "")}
            return self._form_page(request, NewRoadmapForm(initial=asked | {"once": secrets.token_urlsafe(12)}))
        form = NewRoadmapForm(request.POST)
        if form.is_valid() and (answer := self._create(request, form)):
            return answer
        return self._form_page(request, form, status=422)

    def _form_page(self, request: HttpRequest, form: NewRoadmapForm, status: int = 200) -> HttpResponse:
        by_rules = plans_by_rules()
        context = {
            **self.admin_site.each_context(request),
            "title": _("New roadmap"),
            "opts": self.opts,
            "form": form,
            "by_rules": by_rules,
            "topics": list(known_topics(get_language() or "en")) if by_rules else [],
            "model": settings.LLM_MODEL,
            "media": self.media,
        }
        return TemplateResponse(request, "roadmaps/task_add.html", context, status=status)

    def _create(self, request: HttpRequest, form: NewRoadmapForm) -> HttpResponse | None:
        """Make the task, once for a form however often it is sent; None, with the reason in the form, if refused."""
        once = f"once:{form.cleaned_data['once'][:40] or secrets.token_urlsafe(12)}"

        def create() -> RoadmapTask:
            self._first_time(once)
            review = form.cleaned_data["human_review"]
            task = request_roadmap(form.wish(), human_review=review, user=request.user, actor=request.user)
            sent = {"taskId": str(task.pk)}
            reference = (self.opts.label_lower, once)
            record(actor=request.user, action="roadmap.form-sent", after=sent, reference=reference)
            return task

        try:
            task = atomic_retried(create)
        except ValidationError as error:
            form.refuse(error)
            return None
        except Contention as error:
            form.add_error(None, str(error.message))
            return None
        except DoneAlready:
            return self._answer_again(request, once)
        self.message_user(request, _("“%(task)s” is queued.") % {"task": task})
        return redirect(task_url(task.pk))

    def _answer_again(self, request: HttpRequest, once: str) -> HttpResponse:
        """A form that came twice leads to the task it made the first time."""
        self.message_user(request, _("This was done already; nothing was done twice."), messages.WARNING)
        event = AuditEvent.objects.filter(object_type=self.opts.label_lower, object_id=once).first()
        return redirect(task_url(event.after["taskId"]) if event else tasks_url())
