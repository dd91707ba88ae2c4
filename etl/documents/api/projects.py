"""Routes of projects."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import ConditionalRetrieve
from api.idempotency import idempotent
from api.serializers import ModelSerializer, Serializer
from api.views import OpsViewSet
from etl.documents import projects
from etl.documents.models import Project


def _members(**kwargs: Any) -> serializers.ListField:
    child = serializers.CharField(max_length=150)
    return serializers.ListField(child=child, max_length=1_000, help_text="User names.", **kwargs)


class ProjectSerializer(ModelSerializer):
    """A project; the queryset has its owner and members."""

    project_id = serializers.IntegerField(source="pk", read_only=True)
    owner = serializers.CharField(source="owner.username", default=None, read_only=True, allow_null=True)
    members = serializers.SerializerMethodField(help_text="User names, beside the owner's.")
    may_manage = serializers.SerializerMethodField(help_text="Whether you may set its members and delete it.")

    class Meta:
        model = Project
        fields = ("project_id", "name", "description", "owner", "members", "may_manage", "created_at", "updated_at")
        read_only_fields = fields

    def get_members(self, project: Project) -> list[str]:
        """In the order of the alphabet."""
        return sorted(user.get_username() for user in project.members.all())

    def get_may_manage(self, project: Project) -> bool:
        """The owner and administrators may."""
        return projects.may_manage(project, self.context["request"].user)


class NewProjectSerializer(Serializer):
    """A wish for a project."""

    name = serializers.CharField(max_length=255)
    description = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    members = _members(default=list)


class ProjectEditSerializer(Serializer):
    """New values; what is left out stays."""

    name = serializers.CharField(max_length=255, required=False)
    description = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)


class MembersSerializer(Serializer):
    """Everybody who is to be a member."""

    members = _members()


class ProjectViewSet(ConditionalRetrieve, mixins.ListModelMixin, OpsViewSet):
    """Projects that the caller owns or is a member of; all for an administrator."""

    queryset = Project.objects.select_related("owner").prefetch_related("members").order_by("-id")
    serializer_class = ProjectSerializer
    version_field = None  # members change without the row
    plural = "projects"
    permissions = {
        "list": "etl.view_project",
        "retrieve": "etl.view_project",
        "create": "etl.add_project",
        "partial_update": "etl.change_project",
        "members": "etl.change_project",
        "destroy": "etl.delete_project",
    }

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(self.request.user)

    @extend_schema(request=NewProjectSerializer, responses={201: ProjectSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Make a project; it is the caller's."""
        wish = NewProjectSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        given = wish.validated_data | {"members": projects.users_named(wish.validated_data["members"])}
        project = projects.create_project(**given, owner=request.user, actor=request.user)
        shown = self.get_serializer(project).data
        return Response(shown, status=201, headers={"Location": f"{request.path}/{project.pk}"})

    @extend_schema(request=ProjectEditSerializer, responses=ProjectSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename or describe it."""
        project = self.get_object()
        wish = ProjectEditSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        projects.edit_project(project, **wish.validated_data, actor=request.user)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=MembersSerializer, responses=ProjectSerializer)
    @action(detail=True, methods=["put"])
    def members(self, request: Request, pk: str) -> Response:
        """Say who is a member; only the owner and administrators may."""
        project = self.get_object()
        wish = MembersSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        projects.set_members(project, projects.users_named(wish.validated_data["members"]), actor=request.user)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete an empty project; only the owner and administrators may. 409 `project-not-empty`."""
        projects.delete_project(self.get_object(), actor=request.user)
        return Response(status=204)
