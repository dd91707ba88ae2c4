"""Roadmaps as programs see them: the list, the tree, what is learnt of it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import ConditionalRetrieve
from api.problems import or_missing
from api.views import OpsViewSet
from roadmaps import learning, services
from roadmaps.api import roadmap_serializers as shapes
from roadmaps.api.learning_serializers import RoadmapProgressSerializer
from roadmaps.api.shared import NO_SUCH_ROADMAP, ROADMAP_ID, VIEW
from roadmaps.api.task_serializers import ActiveTaskSerializer
from roadmaps.models import Concept, Roadmap, RoadmapTask


class RoadmapViewSet(ConditionalRetrieve, mixins.ListModelMixin, OpsViewSet):
    """The caller's roadmaps, newest first; all for an administrator."""

    queryset = Roadmap.objects.with_tasks().with_concept_count().select_related("owner").newest_first()
    serializer_class = shapes.RoadmapRowSerializer
    version_field = None  # contents come, tasks move and learners learn without the row
    plural = "roadmaps"
    lookup_value_regex = ROADMAP_ID
    permissions = {
        "list": VIEW,
        "retrieve": VIEW,
        "active_task": VIEW,
        "progress": VIEW,
        "destroy": "roadmaps.delete_roadmap",
    }

    def get_queryset(self) -> Any:
        roadmaps = super().get_queryset().visible_to(self.request.user)
        return roadmaps if self.action == "retrieve" else roadmaps.defer("framework")

    def get_serializer_class(self) -> Any:
        return shapes.RoadmapSerializer if self.action == "retrieve" else shapes.RoadmapRowSerializer

    def get_object(self) -> Any:
        with or_missing(NO_SUCH_ROADMAP):
            roadmap = super().get_object()
        if self.action == "retrieve":
            concepts = Concept.objects.filter(roadmap=roadmap).with_live_status()
            roadmap.shown_concepts = list(concepts.with_progress_of(self.request.user))
        return roadmap

    @extend_schema(responses=ActiveTaskSerializer)
    @action(detail=True, url_path="active-task")
    def active_task(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The task that is at work on it, or waits to be."""
        task = RoadmapTask.objects.open().filter(roadmap=self.get_object()).newest_first().first()
        facts = {name: getattr(task, name, None) for name in ("task_id", "status", "current_step", "progress")}
        return Response(ActiveTaskSerializer({"has_active_task": task is not None, **facts}).data)

    @extend_schema(responses=RoadmapProgressSerializer)
    @action(detail=True)
    def progress(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What you have learnt of it."""
        roadmap = self.get_object()
        return Response(RoadmapProgressSerializer.of(roadmap, learning.progress_of(roadmap, request.user)).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete it with its concepts and what was learnt in it. 409 `already-running` while a task works on it."""
        roadmap = self.get_object()
        with or_missing(NO_SUCH_ROADMAP):
            services.delete_roadmap(roadmap, actor=request.user)
        return Response(status=204)
