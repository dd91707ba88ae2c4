"""What the routes of every kind of run share: status, polling, cancel."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import answer, conditional, etag
from api.serializers import ModelSerializer, Serializer
from api.views import OpsViewSet, accepted
from runs.models import Run
from runs.services import cancel

RUN_FIELDS = (
    "id", "status", "stalled", "progress", "attempt", "max_attempts", "requested_by", "created_at", "started_at",
    "heartbeat_at", "finished_at", "error", "superseded_by",
)  # fmt: skip

# (age of the run, seconds until the next look is worth while)
POLL_AFTER = ((timedelta(minutes=1), 2), (timedelta(minutes=10), 5))
POLL_OLD_AFTER = 15


class RunErrorSerializer(Serializer):
    """Why a run failed: a stable slug, its meaning in the reader's language, and the facts of this case."""

    slug = serializers.CharField()
    text = serializers.CharField()
    detail = serializers.CharField()


class RunSerializer(ModelSerializer):
    """The fields of every run; the queryset must be with_stalled()."""

    stalled = serializers.BooleanField(read_only=True)
    requested_by = serializers.CharField(source="requested_by.username", default=None, read_only=True, allow_null=True)
    error = serializers.SerializerMethodField()

    @extend_schema_field(RunErrorSerializer(allow_null=True))
    def get_error(self, run: Run) -> dict[str, str] | None:
        """Null for a run that did not fail."""
        if not run.error:
            return None
        return {"slug": run.error, "text": str(run.error_label), "detail": run.error_text}


class RunViewSet(mixins.ListModelMixin, OpsViewSet):
    """List, poll and cancel runs of one kind; a kind adds how they are made."""

    plural = "runs"

    @conditional
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """One run, with ETag and, while it is open, with Retry-After."""
        run: Run = self.get_object()
        response = answer(request, Response(), etag(run.pk, self.version(run)))
        if isinstance(response, Response):  # else it is 304, and the body need not be made
            response.data = self.get_serializer(run).data
        if run.is_open:
            response["Retry-After"] = str(poll_after(run.created_at))
        return response

    def version(self, run: Any) -> str:
        """What the ETag changes with; a lease runs out without the row changing."""
        return f"{run.updated_at.timestamp():.6f}-{int(run.stalled)}"

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End an open run at once; its worker stops at the next step."""
        run = self.get_object()
        cancel(run, actor=request.user)
        return Response(self.get_serializer(self.get_object()).data)

    def accepted(self, run: Run) -> Response:
        """202 with the run as it would be read, and where to read it."""
        shown = self.get_serializer(self.get_queryset().get(pk=run.pk)).data
        return accepted(shown, location=f"{self.request.path}/{run.pk}")


def poll_after(created_at: datetime) -> int:
    """Seconds after which another look is worth while: young runs change quickly."""
    age = timezone.now() - created_at
    return next((seconds for limit, seconds in POLL_AFTER if age < limit), POLL_OLD_AFTER)
