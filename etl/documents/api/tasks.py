"""Routes of document tasks: hand files in, watch, try again, cancel, take what came of them."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

import django_filters
from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, PolymorphicProxySerializer, extend_schema
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from access.api.downloads import AnyType
from access.services import record
from api.conditional import answer, conditional, etag_of_body
from api.filters import FilterSet, WholeNumberFilter
from api.idempotency import idempotent
from api.parameters import refused
from api.parsers import JSONParser
from api.problems import CONTENT_TYPE, Problem
from api.throttles import ModelWork
from api.views import accepted
from etl.documents import hot, services, storage
from etl.documents.api import task_serializers as shapes
from etl.documents.api.receiving import StopAtLimit
from etl.documents.api.tables import MOST_ID
from etl.documents.api.windows import WindowPagination
from etl.documents.choices import DocumentError, DocumentStatus, Stage
from etl.documents.models import ETLTask
from etl.documents.parsed import Unreadable
from etl.documents.querysets import TaskQuerySet
from etl.documents.texts import Text, text_of
from runs.api import RunViewSet, poll_after
from runs.errors import Conflict

MANY = 100
MARKDOWN = "text/markdown"
RUN = "etl.run_document"
VIEW = "etl.view_etltask"
_IDS = re.compile(r"[1-9][0-9]{0,18}(,[1-9][0-9]{0,18})*")
_IDS_PARAMETER = OpenApiParameter(
    "ids", {"type": "string", "pattern": f"^{_IDS.pattern}$"}, required=True, description="1 to 100, as in 3,1,2."
)
_PROBLEM = OpenApiTypes.OBJECT


class MarkdownRenderer(BaseRenderer):
    """Lets a client ask for the text itself."""

    media_type = MARKDOWN
    format = "md"


class TaskFilter(FilterSet):
    """Filters of the list."""

    project_id = WholeNumberFilter("project_id")
    rule_id = WholeNumberFilter("rule_id")
    status = django_filters.ChoiceFilter(
        choices=DocumentStatus.choices,
        method="standing_at",
        label="Either status in between finds all that a worker has: which one it is, is shown.",
    )

    def standing_at(self, tasks: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        """By what the database knows."""
        return tasks.standing_at(value)


class TaskViewSet(RunViewSet):
    """Documents of projects that the caller sees."""

    queryset = ETLTask.objects.with_stalled().order_by("-id")
    serializer_class = shapes.DocumentTaskSerializer
    filterset_class = TaskFilter
    pagination_class = WindowPagination
    parser_classes = [MultiPartParser]
    plural = "tasks"
    permissions = {
        "list": VIEW,
        "retrieve": VIEW,
        "batch": VIEW,
        "markdown": VIEW,
        "result": VIEW,
        "file": VIEW,
        "create": RUN,
        "retry": RUN,
        "cancel": RUN,
    }
    throttles = {"create": ModelWork, "retry": ModelWork}
    extra_query_params = {"batch": ("ids",)}

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        if request.method == "POST":  # before anybody reads the body, the check of the CSRF token included
            request.upload_handlers = [StopAtLimit(request), *request.upload_handlers]
        return super().initialize_request(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        tasks = super().get_queryset().shown_to(self.request.user)
        return tasks if self.action in ("retrieve", "result") else tasks.defer("result")

    def get_serializer_class(self) -> Any:
        return shapes.DocumentTaskDetailSerializer if self.action == "retrieve" else shapes.DocumentTaskSerializer

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """With what the hot store knows: one round trip, however many tasks."""
        shown = list(args[0] if kwargs.get("many") else args[:1])
        kwargs["context"] = {**self.get_serializer_context(), "hot": hot.overlay(shown)}
        return self.get_serializer_class()(*args, **kwargs)

    def get_renderers(self) -> list[Any]:
        more = {"markdown": [MarkdownRenderer()], "file": [AnyType()]}.get(str(self.action), [])
        return [*more, *super().get_renderers()]

    @extend_schema(
        request={"multipart/form-data": shapes.UploadSerializer},
        responses={
            202: PolymorphicProxySerializer(
                "DocumentsAccepted",
                [shapes.DocumentTaskSerializer, shapes.DocumentTasksSerializer],
                resource_type_field_name=None,
            ),
            (404, CONTENT_TYPE): _PROBLEM,
        },
    )
    @idempotent
    def create(self, request: Request) -> Response:
        """Hand in up to 20 files, all or none. One file is answered with its task, many with `tasks` in their order."""
        wish = shapes.UploadSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        tasks = services.request_documents(wish.uploads(), wish.wish(), user=request.user)
        keys = [task.pk for task in tasks]
        shown = self._in_order(keys)
        if len(keys) == 1:
            return accepted(self.get_serializer(shown[0]).data, location=f"{request.path}/{keys[0]}")
        listed = {"tasks": self.get_serializer(shown, many=True).data, "total": len(shown)}
        return accepted(listed, location=f"{request.path}/batch?ids={','.join(map(str, keys))}")

    @conditional
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """One task with its result and steps, with ETag and, while it is open, with Retry-After."""
        task: ETLTask = self.get_object()
        data = self.get_serializer(task).data
        # mounts, rules and what the hot store says change without the task's own row
        response = answer(request, Response(data), etag_of_body(task.pk, data))
        if task.is_open:
            response["Retry-After"] = str(poll_after(task.created_at))
        return response

    @extend_schema(parameters=[_IDS_PARAMETER], filters=False, responses=shapes.DocumentTasksSerializer)
    @conditional
    @action(detail=False, pagination_class=None)
    def batch(self, request: Request) -> HttpResponseBase:
        """Up to 100 tasks in the order of `ids`; those that are not there, or not yours to see, are left out."""
        tasks = self._in_order(_ids_of(request))
        data = {"tasks": self.get_serializer(tasks, many=True).data, "total": len(tasks)}
        response = answer(request, Response(data), etag_of_body("tasks", data))
        if waits := [poll_after(task.created_at) for task in tasks if task.is_open]:
            response["Retry-After"] = str(min(waits))
        return response

    @extend_schema(request=shapes.RetrySerializer, responses={202: shapes.DocumentTaskSerializer})
    @action(detail=True, methods=["post"], parser_classes=[JSONParser])
    @idempotent
    def retry(self, request: Request, pk: str) -> Response:
        """Have an ended task tried again under its own id. 409 `already-running`, `nothing-to-retry`, `rule-deleted`,
        `no-text-yet`."""
        task = self.get_object()
        wish = shapes.RetrySerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        stage = wish.validated_data["from_stage"]
        services.retry_document(task, from_stage=Stage(stage) if stage else None, actor=request.user)
        location = request.path.removesuffix("/retry")
        return accepted(self.get_serializer(self.get_object()).data, location=location)

    @extend_schema(request=None, responses=shapes.DocumentTaskSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End an open task at once; its worker stops at its next step."""
        services.cancel_document(self.get_object(), actor=request.user)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        responses={
            (200, MARKDOWN): OpenApiTypes.STR,
            (200, "application/json"): shapes.MarkdownSerializer,
            (409, CONTENT_TYPE): _PROBLEM,
        }
    )
    @action(detail=True)
    def markdown(self, request: Request, pk: str) -> HttpResponseBase:
        """What was read, as a file or, by Accept, as JSON. It is the document's own: render it without HTML."""
        task: ETLTask = self.get_object()
        text = text_of(task)
        if text is None:
            raise Conflict("no-text-yet", _("The document was not read yet."))
        content = _content(text)
        if request.accepted_renderer.media_type == MARKDOWN:
            response = HttpResponse(content, content_type=f"{MARKDOWN}; charset=utf-8")
            return _attached(response, f"{PurePath(task.filename).stem}.md")
        facts = {name: getattr(text, name) for name in ("parser", "credit", "pages", "in_words", "size")}
        facts |= {"task_id": task.pk, "filename": task.filename, "markdown": content.decode()}
        return Response(shapes.MarkdownSerializer(facts).data)

    @extend_schema(responses={200: shapes.ResultSerializer, (409, CONTENT_TYPE): _PROBLEM})
    @action(detail=True)
    def result(self, request: Request, pk: str) -> Response:
        """What the document was turned into, who made it, and who read it. 409 `task-not-completed`."""
        task: Any = self.get_object()
        if task.result is None:
            raise Conflict("task-not-completed", _("Only what is completed has a result."))
        facts = {
            "taskId": task.pk,
            "filename": task.filename,
            "output": task.result.get("output"),
            "generator": shapes.generator_shown(task),
            "unresolved": task.result.get("unresolved", []),
            "text": shapes.DocumentTaskDetailSerializer().get_text(task),
        }
        return Response(facts)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True)
    def file(self, request: Request, pk: str) -> HttpResponseBase:
        """The file as it was handed in, byte for byte."""
        task: ETLTask = self.get_object()
        try:
            content = storage.path_of(task.file).open("rb")
        except (Unreadable, OSError) as error:
            raise _lost() from error
        record(actor=request.user, action="document.downloaded", target=task)
        # of no kind a browser would show: it is a stranger's
        return _attached(FileResponse(content, content_type="application/octet-stream"), task.filename)

    def _in_order(self, keys: list[int]) -> list[ETLTask]:
        found = {task.pk: task for task in self.get_queryset().order_by().filter(pk__in=keys)}
        return [found[pk] for pk in dict.fromkeys(keys) if pk in found]


def _ids_of(request: Request) -> list[int]:
    given = request.query_params.get("ids", "")
    keys = [int(each) for each in given.split(",")] if _IDS.fullmatch(given) else []
    if not 1 <= len(keys) <= MANY or max(keys) > MOST_ID:
        message = _("Name 1 to %(most)s ids, with commas between.") % {"most": MANY}
        raise refused("ids", message)
    return keys


def _attached(response: Any, filename: str) -> HttpResponseBase:
    response["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response  # type: ignore[no-any-return]


def _content(text: Text) -> bytes:
    try:
        return text.content()
    except Unreadable as error:
        raise _lost() from error


def _lost() -> Problem:
    return Problem(DocumentError.FILE_LOST.value, status=404, detail=DocumentError.FILE_LOST.label)
