"""Routes of mounts: put a result into a table, put many, list them, take one out."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiTypes, extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.filters import BooleanFilter, FilterSet, WholeNumberFilter
from api.idempotency import idempotent
from api.problems import CONTENT_TYPE
from api.serializers import ModelSerializer, Serializer
from api.views import OpsView, OpsViewSet
from etl.documents import mounting
from etl.documents.api.tables import MOST_ID
from etl.documents.choices import OnConflict
from etl.documents.models import ETLTask, TableMount
from etl.documents.mounting import Mounted

MOUNT = "etl.mount_table"
MANY = 100
_NOT_FOUND = {(404, CONTENT_TYPE): OpenApiTypes.OBJECT}
_TOO_LARGE = {(413, CONTENT_TYPE): OpenApiTypes.OBJECT}


class _PlaceSerializer(Serializer):
    table_id = serializers.IntegerField(min_value=1, max_value=MOST_ID)
    json_path = serializers.CharField(
        allow_blank=True, trim_whitespace=False, help_text="RFC 6901, of an object; empty for the root."
    )
    on_conflict = serializers.ChoiceField(
        OnConflict.choices, default=OnConflict.ERROR, help_text="Where the key is taken by something else."
    )


class MountRequestSerializer(_PlaceSerializer):
    """Where a result is to go."""

    key = serializers.CharField(
        default=None, allow_null=True, allow_blank=True, trim_whitespace=False,
        help_text="Without one the file's name without its extension.",
    )  # fmt: skip


class MountManySerializer(_PlaceSerializer):
    """Which results are to go where, each under the name of its file."""

    task_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=MOST_ID), min_length=1, max_length=MANY
    )


class MountedSerializer(Serializer):
    """What became of a wish to mount."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    task_id = serializers.IntegerField()
    table_id = serializers.IntegerField()
    json_path = serializers.CharField(help_text="As it was asked for.")
    mounted_path = serializers.CharField(help_text="The pointer to what was mounted.")
    created = serializers.BooleanField(help_text="False: nothing was written.")
    replaced = serializers.BooleanField(help_text="Something else stood there.")
    mount_id = serializers.IntegerField(allow_null=True, help_text="Null where something else was left standing.")
    table_version = serializers.IntegerField()


class ManyMountedSerializer(Serializer):
    """What became of each."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    table_id = serializers.IntegerField()
    table_version = serializers.IntegerField()
    created = serializers.IntegerField(help_text="How many were written.")
    mounts = MountedSerializer(many=True, help_text="In the order of taskIds.")


class UnmountedSerializer(Serializer):
    """The table's version now."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    mount_id = serializers.IntegerField()
    table_id = serializers.IntegerField()
    table_version = serializers.IntegerField()


class MountSerializer(ModelSerializer):
    """A mount in the history of its table; what it replaced stays in the database."""

    mount_id = serializers.IntegerField(source="pk", read_only=True)
    task_id = serializers.IntegerField(read_only=True)
    table_id = serializers.IntegerField(read_only=True)
    json_path = serializers.CharField(source="pointer", read_only=True)
    mounted_path = serializers.CharField(source="path", read_only=True)
    replaced = serializers.BooleanField(source="had_previous", read_only=True)
    standing = serializers.BooleanField(source="is_standing", read_only=True)
    mounted_by = serializers.CharField(source="mounted_by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = TableMount
        fields = (
            "mount_id", "task_id", "table_id", "json_path", "key", "mounted_path", "on_conflict", "replaced",
            "standing", "value_sha256", "table_version", "mounted_by", "mounted_at", "unmounted_at", "superseded_at",
        )  # fmt: skip
        read_only_fields = fields


class MountFilter(FilterSet):
    """Filters of the list."""

    table = WholeNumberFilter("table_id")
    task = WholeNumberFilter("task_id")
    standing = BooleanFilter(method="only_standing")

    class Meta:
        model = TableMount
        fields = ()

    def only_standing(self, mounts: Any, name: str, value: bool) -> Any:
        """Those that stand, or those that ended."""
        return mounts.standing() if value else mounts.ended()


class TaskMountView(OpsView):
    """The result of one task."""

    permissions = {"post": MOUNT}

    @extend_schema(request=MountRequestSerializer, responses={200: MountedSerializer, **_TOO_LARGE})
    @idempotent
    def post(self, request: Request, task_id: int) -> Response:
        """Put it into a table. `created` is false when just that was there before; 409 `path-conflict`."""
        task = ETLTask.objects.visible_to(request.user).only("pk").filter(pk=task_id).first()
        if task is None:
            raise Http404
        place = _place(MountRequestSerializer, request)
        done = mounting.mount(task, **place, user=request.user, actor=request.user)
        return Response(MountedSerializer(_mounted(done, place)).data)


class MountViewSet(mixins.ListModelMixin, OpsViewSet):
    """What was mounted into tables that the caller sees, newest first."""

    queryset = TableMount.objects.select_related("mounted_by").defer("previous").order_by("-id")
    serializer_class = MountSerializer
    filterset_class = MountFilter
    plural = "mounts"
    permissions = {"list": "etl.view_tablemount", "create": MOUNT, "destroy": MOUNT}

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(self.request.user)

    @extend_schema(request=MountManySerializer, responses={200: ManyMountedSerializer, **_NOT_FOUND, **_TOO_LARGE})
    @idempotent
    def create(self, request: Request) -> Response:
        """Put the results of up to 100 tasks into one object, all or none."""
        place = _place(MountManySerializer, request)
        tasks = [ETLTask(pk=pk) for pk in place.pop("task_ids")]
        done = mounting.mount_many(tasks, **place, user=request.user, actor=request.user)
        mounts = [_mounted(each, place) for each in done]
        written = sum(each.created for each in done)
        facts = {
            "success": True,
            "message": _("%(count)s results mounted") % {"count": written},
            "table_id": place["table_id"],
            "table_version": max(each.table_version for each in done),
            "created": written,
            "mounts": mounts,
        }
        return Response(ManyMountedSerializer(facts).data)

    @extend_schema(responses={200: UnmountedSerializer})
    def destroy(self, request: Request, pk: str) -> Response:
        """Take it out again and put back what stood there. 409 `mount-changed`, `mounts-below`, `mount-ended`."""
        mount: TableMount = self.get_object()
        facts = {
            "success": True,
            "message": _("Un-mounted"),
            "mount_id": mount.pk,
            "table_id": mount.table_id,
            "table_version": mounting.unmount(mount, actor=request.user),
        }
        return Response(UnmountedSerializer(facts).data)


def _place(shape: Any, request: Request) -> dict[str, Any]:
    wish = shape(data=request.data)
    wish.is_valid(raise_exception=True)
    given = dict(wish.validated_data)
    return given | {"pointer": given.pop("json_path"), "on_conflict": OnConflict(given["on_conflict"])}


def _mounted(done: Mounted, place: dict[str, Any]) -> dict[str, Any]:
    """What became of a wish, as MountedSerializer takes it."""
    if done.created:
        message = _("Mounted")
    elif done.mount_id is None:
        message = _("Left as it is: something else stands there")
    else:
        message = _("It was mounted there already")
    return {
        "success": True,
        "message": message,
        "task_id": done.task_id,
        "table_id": place["table_id"],
        "json_path": place["pointer"],
        "mounted_path": done.path,
        "created": done.created,
        "replaced": done.replaced,
        "mount_id": done.mount_id,
        "table_version": done.table_version,
    }
