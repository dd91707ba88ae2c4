"""Roadmap tasks as programs see them: ask for a roadmap, watch, try again, review, cancel."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import django_filters
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.filters import FilterSet
from api.idempotency import idempotent
from api.problems import or_missing
from api.throttles import ModelWork
from api.views import OpsView, accepted
from roadmaps import services
from roadmaps.api import task_serializers as shapes
from roadmaps.choices import StepName, TaskStatus
from roadmaps.models import RoadmapTask
from runs.api import RunViewSet

RUN = "roadmaps.run_roadmap"
NO_SUCH_TASK = gettext_lazy("This task does not exist.")


class TaskFilter(FilterSet):
    """Filters of the tasks."""

    status = django_filters.ChoiceFilter(choices=TaskStatus.choices)
    step = django_filters.ChoiceFilter("current_step", choices=StepName.choices, label="Where it is, or ended.")
    roadmap_id = django_filters.CharFilter("roadmap_id", label="The whole id.")


class TaskViewSet(RunViewSet):
    """The caller's wishes for roadmaps, newest first; all for an administrator."""

    queryset = RoadmapTask.objects.with_stalled().select_related("requested_by").newest_first()
    serializer_class = shapes.RoadmapTaskRowSerializer
    filterset_class = TaskFilter
    plural = "tasks"
    lookup_value_regex = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    permissions = {"list": "roadmaps.view_roadmaptask", "retrieve": "roadmaps.view_roadmaptask", "cancel": RUN}

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(self.request.user)

    def get_serializer_class(self) -> Any:
        return shapes.RoadmapTaskSerializer if self.action == "retrieve" else shapes.RoadmapTaskRowSerializer

    def get_object(self) -> RoadmapTask:
        with or_missing(NO_SUCH_TASK):
            return super().get_object()

    def version(self, run: Any) -> str:
        return f"{super().version(run)}-{run.roadmap_id}"  # deleting a roadmap does not touch its task


class RequestView(OpsView):
    """A wish for a roadmap."""

    permissions = {"post": RUN}
    throttles = {"post": ModelWork}

    @extend_schema(request=shapes.RoadmapWishSerializer, responses={202: shapes.RoadmapAcceptedSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Ask for a roadmap; it is the caller's."""
        shape = shapes.RoadmapWishSerializer(data=request.data)
        shape.is_valid(raise_exception=True)
        wish, human_review = shape.as_wish()
        task = services.request_roadmap(wish, human_review=human_review, user=request.user)
        task.message = _("The roadmap is being made.")
        return accepted(shapes.RoadmapAcceptedSerializer(task).data, location=_place(request, task.pk))


class OlderRequestView(RequestView):
    """The same under the path that the older console asks for; described once."""

    schema = None


class OfTaskView(OpsView):
    """Something done to one task."""

    permissions = {"post": RUN}

    def task(self, task_id: UUID) -> RoadmapTask:
        """The caller's task; 404 for another's."""
        with or_missing(NO_SUCH_TASK):
            return RoadmapTask.objects.visible_to(self.request.user).get(pk=task_id)

    def row(self, task_id: UUID) -> dict[str, Any]:
        """The task as it is now."""
        tasks = RoadmapTask.objects.with_stalled().select_related("requested_by")
        with or_missing(NO_SUCH_TASK):
            return shapes.RoadmapTaskRowSerializer(tasks.get(pk=task_id)).data


class RetryView(OfTaskView):
    """An ended task, tried again."""

    throttles = {"post": ModelWork}

    @extend_schema(request=shapes.RoadmapRetrySerializer, responses={202: shapes.RoadmapRetriedSerializer})
    @idempotent
    def post(self, request: Request, task_id: UUID) -> Response:
        """Try again under the same id; what was made before and still fits is used again.

        409 `already-running`, `nothing-to-retry`, and `no-contents-yet` for contents of a tree that is not there.
        """
        task = self.task(task_id)
        shape = shapes.RoadmapRetrySerializer(data=request.data)
        shape.is_valid(raise_exception=True)
        retried = services.retry_roadmap(task, shape.as_wish(), actor=request.user)
        return accepted(shapes.RoadmapRetriedSerializer(retried).data, location=_place(request, task_id))


class CancelView(OfTaskView):
    """An open task, ended."""

    @extend_schema(request=None, responses=shapes.RoadmapTaskRowSerializer)
    def post(self, request: Request, task_id: UUID) -> Response:
        """End it at once; its worker stops at the next step. 409 `run-finished`."""
        services.cancel_roadmap(self.task(task_id), actor=request.user)
        return Response(self.row(task_id))


class ApproveView(OfTaskView):
    """A tree that waits for a person."""

    @extend_schema(request=shapes.RoadmapDecisionSerializer, responses=shapes.RoadmapTaskRowSerializer)
    @idempotent
    def post(self, request: Request, task_id: UUID) -> Response:
        """Approve it, or have it changed as `feedback` says. Of two decisions one counts; 409 `not-waiting`."""
        task = self.task(task_id)
        shape = shapes.RoadmapDecisionSerializer(data=request.data)
        shape.is_valid(raise_exception=True)
        services.decide(task, **shape.validated_data, user=request.user)
        return Response(self.row(task_id))


def _place(request: Request, task_id: UUID) -> str:
    """Where to read a task, below the prefix that was asked."""
    prefix = "/api/v1" if request.path.startswith("/api/v1/") else "/api"
    return f"{prefix}/roadmaps/tasks/{task_id}"
