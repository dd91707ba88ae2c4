"""The topics of a distillation: looked at on its page, deleted there."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from distillations.keywords import MOST_QUESTIONS, delete_topics
from distillations.models import Distillation


class TopicScreens(ModelAdmin):
    """Asks before ticked topics are deleted, and deletes them."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.delete_topics_view))
        mine = path("<int:pk>/topics/delete/", view, name="distillations_distillation_delete_topics")
        return [mine, *super().get_urls()]

    def delete_topics_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page that asks; with `confirmed` it is done."""
        distillation = self.get_object(request, str(pk))
        if distillation is None or not self.has_view_permission(request, distillation):
            raise Http404
        if not self.has_change_permission(request, distillation):
            raise PermissionDenied
        back = reverse("admin:distillations_distillation_change", args=[pk])
        ticked = [int(key) for key in request.POST.getlist("topic") if key.isascii() and key.isdecimal()]
        topics = list(distillation.topics.filter(pk__in=[key for key in ticked[:MOST_QUESTIONS] if key < 2**63]))
        if not topics:
            self.message_user(request, _("No topic is ticked."), messages.WARNING)
        elif "confirmed" not in request.POST:
            return self._ask_to_delete(request, distillation, topics, back)
        else:
            count = len(delete_topics([topic.pk for topic in topics], actor=request.user))
            text = ngettext("%(count)s topic was deleted.", "%(count)s topics were deleted.", count)
            self.message_user(request, text % {"count": count})
        return redirect(back)

    def _ask_to_delete(self, request: HttpRequest, distillation: Distillation, topics: list, back: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Delete topics"),
            "subtitle": str(distillation),
            "opts": self.opts,
            "distillation": distillation,
            "topics": topics,
            "none_left": len(topics) == distillation.topic_count,
            "back": back,
        }
        return TemplateResponse(request, "distillations/delete_topics.html", context)
