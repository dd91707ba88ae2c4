"""What the list of document tasks may be narrowed by; no filter offers what the user may not see."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from etl.documents.choices import DocumentStatus, Stage
from etl.documents.models import ETLTask, Project, TableMount

CHOICES_AT_MOST = 100
STANDING = TableMount.objects.standing().filter(task=OuterRef("pk"))


class StatusFilter(admin.SimpleListFilter):
    """The database does not tell the two statuses between apart, so either finds both."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(DocumentStatus.choices)

    def queryset(self, request: HttpRequest, tasks: QuerySet) -> QuerySet:
        status = self.value()
        if not status:
            return tasks
        active = ETLTask.STATUSES.active
        return tasks.filter(status__in=active if status in active else [status])


class FailedAtFilter(admin.SimpleListFilter):
    title = gettext_lazy("failed at")
    parameter_name = "failed_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(stage.value, stage.label) for stage in Stage if stage != Stage.UPLOAD]

    def queryset(self, request: HttpRequest, tasks: QuerySet) -> QuerySet:
        return tasks.filter(error_stage=self.value()) if self.value() else tasks


class ProjectFilter(admin.SimpleListFilter):
    title = gettext_lazy("project")
    parameter_name = "project"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        seen = Project.objects.visible_to(request.user).order_by("-pk").values_list("pk", "name")
        return [(str(pk), name) for pk, name in seen[:CHOICES_AT_MOST]]

    def queryset(self, request: HttpRequest, tasks: QuerySet) -> QuerySet:
        return tasks.filter(project_id=self.value()) if self.value() else tasks


class OwnerFilter(admin.SimpleListFilter):
    """Whoever uploaded something that the user may see."""

    title = gettext_lazy("owner")
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        theirs = ETLTask.objects.visible_to(request.user).filter(requested_by=OuterRef("pk"))
        users = get_user_model().objects.filter(Exists(theirs)).order_by("username")
        return [(str(pk), name) for pk, name in users.values_list("pk", "username")[:CHOICES_AT_MOST]]

    def queryset(self, request: HttpRequest, tasks: QuerySet) -> QuerySet:
        return tasks.filter(requested_by_id=self.value()) if self.value() else tasks


class MountedFilter(admin.SimpleListFilter):
    title = gettext_lazy("mounted")
    parameter_name = "mounted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, tasks: QuerySet) -> QuerySet:
        if self.value() == "yes":
            return tasks.filter(Exists(STANDING))
        return tasks.filter(~Exists(STANDING)) if self.value() == "no" else tasks
