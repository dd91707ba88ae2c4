"""A concept with its contents as programs see it."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import answer, conditional, etag_of_body
from api.idempotency import idempotent
from api.problems import ParameterError, Problem, or_missing
from api.throttles import ModelWork
from api.views import accepted
from roadmaps import learning, services
from roadmaps.api import roadmap_serializers as shapes
from roadmaps.api.learning_serializers import ProgressRequestSerializer, ProgressSerializer
from roadmaps.api.shared import CONCEPT_ID, NO_SUCH_CONCEPT, VIEW, OfRoadmap
from roadmaps.api.task_serializers import RoadmapRetriedSerializer
from roadmaps.choices import ContentKind, ContentStatus
from roadmaps.models import Concept, QuizAttempt, QuizMetadata, ResourceRecommendationMetadata, TutorialMetadata
from runs.errors import Conflict

_VERSION = re.compile(r"[1-9][0-9]{0,3}")
_VERSION_SCHEMA = {"type": "integer", "minimum": 1, "maximum": 9999}


class ConceptViewSet(OfRoadmap):
    """A concept of a roadmap."""

    queryset = Concept.objects.all()
    serializer_class = shapes.ConceptSerializer
    lookup_field = "concept_id"
    lookup_value_regex = CONCEPT_ID
    extra_query_params = {"retrieve": ("withAnswers", "tutorialVersion")}
    permissions = {"retrieve": VIEW, "progress": VIEW, "retry": "roadmaps.run_roadmap"}
    throttles = {"retry": ModelWork}

    @extend_schema(
        parameters=[
            OpenApiParameter("withAnswers", bool, description="Also before a try at the quiz as it is now."),
            OpenApiParameter(
                "tutorialVersion",
                {"type": "integer", "minimum": 1, "maximum": 9999},
                description="Instead of the latest.",
            ),
        ]
    )
    @conditional
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """One concept with its tutorial, resources and quiz, with ETag.

        The questions say what is right once you have tried them, or when you ask for it.
        """
        asked_for, version = self._asked_for_answers(), self._version()
        concept: Any = self.concept()
        of = {"roadmap_id": concept.roadmap_id, "concept_id": concept.concept_id}
        versions = list(TutorialMetadata.objects.filter(**of).defer("content").order_by("-version"))
        concept.tutorial_versions = versions
        concept.tutorial = self._tutorial(versions, version)
        concept.resources = ResourceRecommendationMetadata.objects.filter(**of).first()
        concept.quiz = QuizMetadata.objects.filter(**of).first()
        concept.designed_by = concept.roadmap.designed_by
        tried = concept.quiz is not None and QuizAttempt.objects.of(concept.quiz, request.user).exists()
        context = {**self.get_serializer_context(), "with_answers": asked_for or tried}
        data = shapes.ConceptSerializer(concept, context=context).data
        return answer(request, Response(data), etag_of_body(concept.pk, data))

    @extend_schema(request=ProgressRequestSerializer, responses=ProgressSerializer)
    @action(detail=True, methods=["put"])
    def progress(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Say whether you have learnt it; the same again changes nothing."""
        concept = self.concept()
        wish = ProgressRequestSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        with or_missing(NO_SUCH_CONCEPT):
            noted = learning.set_progress(concept, request.user, wish.validated_data["is_completed"])
        concept.learnt_at = noted.completed_at
        return Response(ProgressSerializer(concept).data)

    @extend_schema(request=shapes.KindsSerializer, responses={202: RoadmapRetriedSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def retry(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Have its contents made anew: those named, or those that are not there.

        409 `nothing-to-retry`, `already-running`, and `no-task` where nothing could make them.
        """
        concept = self.concept()
        wish = shapes.KindsSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        kinds = [ContentKind(kind) for kind in wish.validated_data.get("kinds", ())] or _missing(concept)
        with or_missing(NO_SUCH_CONCEPT):
            retried = services.retry_concept(concept.roadmap, concept.concept_id, kinds, actor=request.user)
        place = request.path.partition("/roadmaps/")[0]
        return accepted(RoadmapRetriedSerializer(retried).data, location=f"{place}/roadmaps/tasks/{retried.task.pk}")

    def _asked_for_answers(self) -> bool:
        given = self.request.query_params.get("withAnswers", "false")
        if given not in ("true", "false"):
            raise ParameterError({"withAnswers": [ErrorDetail(_("It must be true or false."), code="invalid")]})
        return bool(given == "true")

    def _version(self) -> int | None:
        given = self.request.query_params.get("tutorialVersion")
        if given is not None and not _VERSION.fullmatch(given):
            message = _("It must be a whole number from 1 on.")
            raise ParameterError({"tutorialVersion": [ErrorDetail(message, code="invalid")]})
        return int(given) if given else None

    def _tutorial(self, versions: list[TutorialMetadata], version: int | None) -> TutorialMetadata | None:
        """The latest, or this version; 404 when there is none such."""
        for each in versions:
            if each.version == version or (version is None and each.is_latest):
                return each  # whose text is read now
        if version is not None:
            raise Problem("not-found", status=404, detail=_("This version does not exist."))
        return None


def _missing(concept: Concept) -> list[ContentKind]:
    kinds = [kind for kind in ContentKind if getattr(concept, f"{kind}_status") != ContentStatus.COMPLETED]
    if not kinds:
        raise Conflict("nothing-to-retry", _("Everything of this concept was made; name what to make anew."))
    return kinds
