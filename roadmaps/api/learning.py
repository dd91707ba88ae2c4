"""Tries at quizzes as programs see them, each learner's own."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from api.idempotency import idempotent
from api.pagination import LogPagination
from api.problems import or_missing
from roadmaps import learning
from roadmaps.api.learning_serializers import AnswersSerializer, QuizAttemptSerializer
from roadmaps.api.shared import VIEW, OfRoadmap
from roadmaps.models import QuizAttempt, QuizMetadata

NO_QUIZ = _("This concept has no quiz yet.")


class QuizAttemptViewSet(mixins.ListModelMixin, OfRoadmap):
    """Your tries at the quiz of a concept, newest first, also at questions that were replaced since."""

    queryset = QuizAttempt.objects.all()
    serializer_class = QuizAttemptSerializer
    pagination_class = LogPagination
    plural = "attempts"
    permissions = {"list": VIEW, "create": VIEW}

    def get_queryset(self) -> Any:
        tries = super().get_queryset().filter(user=self.request.user)
        return tries.filter(roadmap=self.kwargs["roadmap_id"], concept_id=self.kwargs["concept_id"])

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.concept()
        return super().list(request, *args, **kwargs)

    @extend_schema(request=AnswersSerializer, responses={201: QuizAttemptSerializer})
    @idempotent
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer the quiz; the answer says what was right. 409 `quiz-changed` for a quiz that is another one now."""
        concept = self.concept()
        wish = AnswersSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        with or_missing(NO_QUIZ):
            quiz = QuizMetadata.objects.get(roadmap_id=concept.roadmap_id, concept_id=concept.concept_id)
            given = wish.validated_data
            made = learning.submit_quiz(quiz, given["answers"], request.user, seen=given.get("quiz_updated_at"))
        return Response(self.get_serializer(made).data, status=201)
