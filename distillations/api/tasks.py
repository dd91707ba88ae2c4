"""Generation tasks as programs see them: ask for articles, watch, retry, cancel, delete."""

from __future__ import annotations

from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import answer, conditional, etag_of_body
from api.filters import FilterSet, WholeNumberFilter
from api.idempotency import idempotent
from api.problems import Problem, as_problem
from api.throttles import ModelWork
from api.views import accepted
from distillations import services
from distillations.api import task_serializers as shapes
from distillations.api.shared import (
    BatchDeletedSerializer,
    ClearedSerializer,
    DoneSerializer,
    PagedByKey,
    deleted,
    or_missing,
)
from distillations.choices import Mode, TaskStatus
from distillations.models import GeneratedArticle, GenerationSlot, GenerationTask
from distillations.models.tasks import MOST_ARTICLES
from distillations.querysets import GenerationTaskQuerySet
from distillations.selection import NotEnough
from runs.api import RunViewSet, poll_after

NO_SUCH_TASK = gettext_lazy("This task does not exist.")


@as_problem.register
def _not_enough(error: NotEnough) -> Problem:
    """A validation error with a type of its own and the two numbers."""
    manual, plain = error.mode == Mode.MANUAL, as_problem.dispatch(ValidationError)(error)
    return Problem(
        "insufficient-topics" if manual else "insufficient-distillations",
        title=_("Not enough topics") if manual else _("Not enough distillations"),
        detail=plain.detail,
        **plain.extra,
        available=error.available,
        requested=error.requested,
    )


class TaskFilter(FilterSet):
    """Filters of the tasks. Keyword and target are those that the row shows."""

    status = django_filters.ChoiceFilter(choices=TaskStatus.choices)
    keyword = django_filters.CharFilter(method="with_exactly", label="The whole keyword, in either case.")
    search = django_filters.CharFilter(
        method="searched",
        label="Words, each the id or a part of the keyword, now or then; one of less than 3 characters begins it.",
    )
    conversion_target = django_filters.CharFilter(method="aimed_at", label="The name of the conversion target.")
    conversion_target_id = WholeNumberFilter("conversion_target_id")
    distillation_id = WholeNumberFilter("distillation_id")

    def with_exactly(self, tasks: GenerationTaskQuerySet, name: str, value: str) -> QuerySet:
        """Tasks that show this keyword."""
        return tasks.with_exactly(value)

    def searched(self, tasks: GenerationTaskQuerySet, name: str, value: str) -> QuerySet:
        """Tasks whose keyword every word fits."""
        return tasks.search(value)

    def aimed_at(self, tasks: GenerationTaskQuerySet, name: str, value: str) -> QuerySet:
        """Tasks that show this conversion target."""
        return tasks.aimed_at(value)


class TaskViewSet(PagedByKey, RunViewSet):
    """Wishes for articles."""

    queryset = (
        GenerationTask.objects.with_stalled().with_keyword().with_target_name().with_sources()
        .select_related("requested_by").newest_first()
    )  # fmt: skip
    serializer_class = shapes.TaskRowSerializer
    filterset_class = TaskFilter
    plural = "tasks"
    permissions = {
        "list": "distillations.view_generationtask",
        "retrieve": "distillations.view_generationtask",
        "create": "distillations.run_generation",
        "retry": "distillations.run_generation",
        "cancel": "distillations.run_generation",
        "destroy": "distillations.delete_generationtask",
        "batch_delete": "distillations.delete_generationtask",
        "clear": "distillations.delete_generationtask",
    }
    throttles = {"create": ModelWork, "retry": ModelWork}

    def get_serializer_class(self) -> Any:
        whole = {"retrieve": shapes.TaskSerializer, "cancel": shapes.TaskRowSerializer}
        made = {"create": shapes.TaskAcceptedSerializer, "retry": shapes.TaskAcceptedSerializer}
        return (whole | made).get(self.action, shapes.TaskRowSerializer)

    def get_object(self) -> GenerationTask:
        with or_missing(NO_SUCH_TASK):
            return super().get_object()

    @conditional
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """One task with its articles and their slots, with ETag and, while it is open, with Retry-After."""
        task: Any = self.get_object()
        task.shown_slots = GenerationSlot.objects.filter(task=task).with_keyword().with_usage().order_by("position")
        # a task has no more, but the one that stands for imported articles may have any number
        made = GeneratedArticle.objects.filter(task=task).with_preview().newest_first()
        task.shown_articles = list(made[:MOST_ARTICLES])
        data = self.get_serializer(task).data
        # articles, counts and names change without the task's own row
        response = answer(request, Response(data), etag_of_body(task.pk, data))
        if task.is_open:
            response["Retry-After"] = str(poll_after(task.created_at))
        return response

    @extend_schema(request=shapes.GenerationRequestSerializer, responses={202: shapes.TaskAcceptedSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Ask for articles; 400 `insufficient-distillations` when there are fewer than asked for."""
        wish = shapes.GenerationRequestSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        task = services.request_generation(wish.as_options(), actor=request.user, requested_by=request.user)
        return self.accepted(task)

    @extend_schema(request=None, responses={202: shapes.TaskAcceptedSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def retry(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Ask for the articles that an ended task did not make: a new task, which the old one names."""
        task = self.get_object()
        with or_missing(NO_SUCH_TASK):
            task = services.retry_generation(task, actor=request.user, requested_by=request.user)
        return self.accepted(task)

    @extend_schema(responses={200: DoneSerializer})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete one that is not running; its articles stay, their uses count no longer."""
        task = self.get_object()
        if not services.delete_tasks([task.pk], actor=request.user):
            self.get_object()  # somebody else was faster: it is missing
        return Response(DoneSerializer({"success": True, "message": _("The task was deleted.")}).data)

    @extend_schema(request=shapes.TaskIdsSerializer, responses=BatchDeletedSerializer)
    @action(detail=False, methods=["post"], url_path="batch-delete")
    def batch_delete(self, request: Request) -> Response:
        """Delete these, all or, where one is running, none (409); ids that are nobody's are left out."""
        wish = shapes.TaskIdsSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        ids = services.delete_tasks(wish.validated_data["task_ids"], actor=request.user)
        return deleted(ids, _deleted_tasks(len(ids)))

    @extend_schema(operation_id="generation_tasks_clear", responses={200: ClearedSerializer})
    def clear(self, request: Request) -> Response:
        """Delete all tasks there are now or, while one is running, none (409)."""
        ids = services.delete_all_tasks(actor=request.user)
        said = {"success": True, "message": _deleted_tasks(len(ids)) % {"count": len(ids)}, "deleted_count": len(ids)}
        return Response(ClearedSerializer(said).data)

    def accepted(self, run: Any) -> Response:
        """202 with the task's row, and where to read it: beside this route, or beside the task that is retried."""
        shown = self.get_serializer(self.get_queryset().get(pk=run.pk)).data
        tasks, _slash, _rest = self.request.path.partition("/tasks")
        return accepted(shown, location=f"{tasks}/tasks/{run.pk}")


class OlderTaskViewSet(TaskViewSet):
    """The same under the path that the older console asks for; described once."""

    schema = None


def _deleted_tasks(count: int) -> str:
    return ngettext("%(count)s task was deleted.", "%(count)s tasks were deleted.", count)
