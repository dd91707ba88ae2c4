"""The page of a concept: tutorial with its versions, resources, quiz; have one made anew, mark it as learnt."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from roadmaps import learning
from roadmaps.admin.learning import answers_in, questions_of, tries_of, try_of
from roadmaps.admin.links import concept_url, task_url
from roadmaps.admin.new_task import MAY_RUN
from roadmaps.admin.owned import OwnedMixin
from roadmaps.admin.stepper import is_writing
from roadmaps.admin.trees import rows_of
from roadmaps.choices import ContentKind
from roadmaps.contracts import CONCEPT_ID
from roadmaps.models import (
    Concept,
    ConceptProgress,
    QuizMetadata,
    ResourceRecommendationMetadata,
    Roadmap,
    RoadmapTask,
    TutorialMetadata,
)
from roadmaps.services import retry_concept
from runs.errors import Conflict, Contention

HTTP = re.compile(r"https?://", re.I)
MOST_VERSIONS = 50


@dataclass(frozen=True)
class Link:
    """A resource; `url` is empty where it is no address of the web."""

    title: str
    url: str
    host: str
    kind: str
    description: str
    language: str
    relevance: int  # percent


class ConceptPagesMixin(OwnedMixin, ModelAdmin):
    """Mounts the page of a concept and its buttons under the page of its roadmap."""

    def get_urls(self) -> list[URLPattern]:
        def mine(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            return path(f"<str:pk>/concepts/<str:concept_id>/{route}", self.admin_site.admin_view(view), name=name)

        return [
            mine("", require_safe(self.concept_view), "roadmaps_roadmap_concept"),
            mine("anew/", require_POST(self.anew_view), "roadmaps_roadmap_concept_anew"),
            mine("learnt/", require_POST(self.learnt_view), "roadmaps_roadmap_concept_learnt"),
            mine("quiz/", require_POST(self.quiz_view), "roadmaps_roadmap_concept_quiz"),
            *super().get_urls(),
        ]

    def concept_view(self, request: HttpRequest, pk: str, concept_id: str) -> HttpResponse:
        """All that a learner reads of a concept."""
        roadmap, concept = self._concept(request, pk, concept_id)
        task = RoadmapTask.objects.filter(roadmap=roadmap).order_by("-created_at").first()
        [row] = rows_of([concept], is_writing=task is not None and is_writing(task))
        around = list(Concept.objects.filter(roadmap=roadmap).in_order().values_list("concept_id", "name"))
        names = dict(around)
        at = list(names).index(concept_id)
        context = {
            **self.admin_site.each_context(request),
            "title": concept.name,
            "subtitle": str(roadmap),
            "opts": self.opts,
            "roadmap": roadmap,
            "concept": concept,
            "row": row,
            "cells": {cell.kind: cell for cell in row.cells},
            "needed": [(names.get(each, each), self._there(roadmap, each, names)) for each in concept.prerequisites],
            "previous": self._neighbour(roadmap, around, at - 1),
            "next": self._neighbour(roadmap, around, at + 1),
            "kinds": ContentKind.choices,
            "task_url": task_url(task.pk) if task else "",
            "may_retry": task is not None and not task.is_open and request.user.has_perm(MAY_RUN),
            "is_open": task is not None and task.is_open,
            **self._tutorial(request, concept),
            **self._resources(concept),
            **self._quiz(request, concept),
            **self._learnt(request, concept),
        }
        return TemplateResponse(request, "roadmaps/concept.html", context)

    def anew_view(self, request: HttpRequest, pk: str, concept_id: str) -> HttpResponse:
        """Have one content, or several, made anew."""
        roadmap, _concept = self._concept(request, pk, concept_id)
        if not request.user.has_perm(MAY_RUN):
            raise PermissionDenied
        kinds = [ContentKind(kind) for kind in request.POST.getlist("kind") if kind in ContentKind.values]
        if not kinds:
            raise Http404
        retried = self._tried(request, lambda: retry_concept(roadmap, concept_id, kinds, actor=request.user))
        if retried is None:
            return redirect(concept_url(pk, concept_id))
        self.message_user(request, _("It is being made anew; the other contents stay as they are."))
        return redirect(task_url(retried.task.pk))

    def learnt_view(self, request: HttpRequest, pk: str, concept_id: str) -> HttpResponse:
        """Mark a concept as learnt, or take the mark back."""
        _roadmap, concept = self._concept(request, pk, concept_id)
        completed = request.POST.get("completed") == "1"
        self._tried(request, lambda: learning.set_progress(concept, request.user, completed))
        return redirect(concept_url(pk, concept_id))

    def quiz_view(self, request: HttpRequest, pk: str, concept_id: str) -> HttpResponse:
        """Take a try at the quiz."""
        self._concept(request, pk, concept_id)
        quiz = QuizMetadata.objects.filter(roadmap_id=pk, concept_id=concept_id).first()
        if quiz is None:
            raise Http404
        if request.POST.get("seen") != quiz.updated_at.isoformat():
            self.message_user(request, _("The questions were made anew; look at them first."), messages.WARNING)
            return redirect(concept_url(pk, concept_id) + "#quiz")
        answers = answers_in(request.POST, quiz)
        made = self._tried(request, lambda: learning.submit_quiz(quiz, answers, request.user, seen=quiz.updated_at))
        address = concept_url(pk, concept_id, attempt=made.pk) if made else concept_url(pk, concept_id)
        return redirect(f"{address}#quiz")

    def _concept(self, request: HttpRequest, pk: str, concept_id: str) -> tuple[Roadmap, Concept]:
        roadmap = self.owned(request, pk)
        if not re.fullmatch(CONCEPT_ID, concept_id, re.ASCII):
            raise Http404
        concept = Concept.objects.filter(roadmap=roadmap, concept_id=concept_id).first()
        if concept is None:
            raise Http404
        return roadmap, concept

    def _tried(self, request: HttpRequest, deed: Callable[[], Any]) -> Any:
        """Its answer; None, said as a message, where it was refused."""
        try:
            return deed()
        except Conflict as conflict:
            self.message_user(request, conflict.message, messages.WARNING)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        except Contention as error:
            self.message_user(request, str(error.message), messages.ERROR)
        return None

    def _there(self, roadmap: Roadmap, concept_id: str, names: dict[str, str]) -> str:
        return concept_url(roadmap.pk, concept_id) if concept_id in names else ""

    def _neighbour(self, roadmap: Roadmap, around: list[tuple[str, str]], at: int) -> tuple[str, str] | None:
        if not 0 <= at < len(around):
            return None
        concept_id, name = around[at]
        return name, concept_url(roadmap.pk, concept_id)

    def _tutorial(self, request: HttpRequest, concept: Concept) -> dict[str, Any]:
        """The version that is asked for, else the latest."""
        mine = TutorialMetadata.objects.filter(roadmap_id=concept.roadmap_id, concept_id=concept.concept_id)
        versions = list(mine.defer("content").order_by("-version")[:MOST_VERSIONS])
        asked = request.GET.get("version", "")
        chosen = next((each for each in versions if str(each.version) == asked), None)
        shown = chosen or next((each for each in versions if each.is_latest), None)
        return {"tutorial": shown, "versions": versions if len(versions) > 1 else []}

    def _resources(self, concept: Concept) -> dict[str, Any]:
        kept = ResourceRecommendationMetadata.objects.filter(
            roadmap_id=concept.roadmap_id, concept_id=concept.concept_id
        ).first()
        return {"resources": kept, "links": [link_of(each) for each in kept.resources] if kept else []}

    def _quiz(self, request: HttpRequest, concept: Concept) -> dict[str, Any]:
        """The form; with a try in the address what it was worth."""
        quiz = QuizMetadata.objects.filter(roadmap_id=concept.roadmap_id, concept_id=concept.concept_id).first()
        made = try_of(concept, request.user, request.GET.get("attempt", ""))
        questions = questions_of(made.questions, made.answers) if made else questions_of(quiz.questions if quiz else [])
        return {
            "quiz": quiz,
            "seen": quiz.updated_at.isoformat() if quiz else "",
            "questions": questions,
            "attempt": made,
            "tries": tries_of(concept, request.user),
        }

    def _learnt(self, request: HttpRequest, concept: Concept) -> dict[str, Any]:
        progress = ConceptProgress.objects.filter(user=request.user, concept=concept, is_completed=True).first()
        return {"learnt_at": progress.completed_at if progress else None}


def link_of(resource: dict[str, Any]) -> Link:
    """A resource as a link, if its address begins as one of the web does."""
    url = str(resource.get("url", ""))
    is_web = HTTP.match(url) is not None
    return Link(
        title=str(resource.get("title", "")),
        url=url if is_web else "",
        host=url.split("/")[2] if is_web and url.count("/") >= 2 else url,
        kind=str(resource.get("type", "")),
        description=str(resource.get("description", "")),
        language=str(resource.get("language", "")),
        relevance=round(100 * float(resource.get("relevance_score") or 0)),
    )
