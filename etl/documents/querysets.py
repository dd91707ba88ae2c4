"""Questions about projects, tables, rules, document tasks and mounts."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q, Value
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import JSONObject

from api.codec import ExactJSONField
from runs.querysets import RunQuerySet


def sees_all(user: Any) -> bool:
    """Whether this user sees what belongs to others: administrators do (01-runs-and-platform, "api/")."""
    return bool(user is not None and user.is_active and user.has_perm("etl.see_all_projects"))


class ProjectQuerySet(models.QuerySet):
    """Questions about projects."""

    def visible_to(self, user: Any) -> ProjectQuerySet:
        """Those the user owns or is a member of; all for an administrator, none for nobody."""
        if sees_all(user):
            return self.all()
        if user is None or user.pk is None:  # a deleted user; an orphaned project has no owner either
            return self.none()
        members: Any = self.model._meta.get_field("members")
        membership = members.remote_field.through.objects.filter(project=OuterRef("pk"), user=user)
        return self.filter(Q(owner=user) | Exists(membership))


class TableQuerySet(models.QuerySet):
    """Questions about tables."""

    def visible_to(self, user: Any) -> Any:
        """Those of projects that the user sees."""
        return of_visible_projects(self, user)


class RuleQuerySet(models.QuerySet):
    """Questions about rules."""

    def visible_to(self, user: Any) -> RuleQuerySet:
        """The user's own, and those of projects that the user sees."""
        if sees_all(user):
            return self.all()
        if user is None or user.pk is None:
            return self.none()
        return self.filter(Q(owner=user) | Q(project__in=_projects_of(self.model, user)))


class TaskQuerySet(RunQuerySet):
    """Questions about document tasks, beside those about every run."""

    def visible_to(self, user: Any) -> Any:
        """Those of projects that the user sees."""
        return of_visible_projects(self, user)

    def shown_to(self, user: Any) -> Any:
        """Those the user sees; annotates `standing_mounts`, where the result stands in tables that the user sees."""
        mount: Any = self.model._meta.get_field("mounts").related_model
        standing = mount.objects.standing().visible_to(user).filter(task=OuterRef("pk")).order_by("pk")
        facts = JSONObject(
            mount_id="pk", table_id="table_id", pointer="pointer", key="key", table_version="table_version"
        )
        return self.visible_to(user).annotate(standing_mounts=ArraySubquery(standing.values(facts=facts)))

    def standing_at(self, status: str) -> Any:
        """In a status, as far as the database knows: of those in between it knows only that a worker has the task."""
        return self.active() if status in self.statuses.active else self.filter(status=status)

    def result_facts(self) -> Any:
        """Of each what its result says beside the output, which may have millions of characters; None without one."""
        without = Func(
            F("result"), Value("output"), template="%(expressions)s", arg_joiner=" - ", output_field=ExactJSONField()
        )
        return self.values_list(without, flat=True)

    def outputs(self) -> Any:
        """Of each the output alone; None without one."""
        return self.values_list(KeyTransform("output", "result"), flat=True)


class MountQuerySet(models.QuerySet):
    """Questions about mounts."""

    def standing(self) -> MountQuerySet:
        """Neither un-mounted nor replaced."""
        return self.filter(unmounted_at=None, superseded_at=None)

    def ended(self) -> MountQuerySet:
        """Un-mounted or replaced."""
        return self.exclude(unmounted_at=None, superseded_at=None)

    def visible_to(self, user: Any) -> MountQuerySet:
        """Those into tables that the user sees."""
        if sees_all(user):
            return self.all()
        table: Any = self.model._meta.get_field("table").related_model
        return self.filter(table__in=table.objects.visible_to(user).values("pk"))

    def standing_below(self, mount: Any) -> MountQuerySet:
        """Later ones that stand inside of what this one mounted. An earlier one stands inside of what it replaced."""
        place = mount.path
        inside = Q(pointer=place) | Q(pointer__startswith=f"{place}/")
        return self.standing().filter(inside, table=mount.table_id, pk__gt=mount.pk).defer("previous").order_by("pk")

    def replaced_by(self, mount: Any) -> MountQuerySet:
        """The one that stood at the same key until this one came, if any did."""
        same_place = self.filter(table=mount.table_id, pointer=mount.pointer, key=mount.key)
        return same_place.filter(superseded_at=mount.mounted_at)


def of_visible_projects(rows: Any, user: Any) -> Any:
    """Of rows with a project, those whose project the user sees."""
    return rows if sees_all(user) else rows.filter(project__in=_projects_of(rows.model, user))


def _projects_of(model: Any, user: Any) -> Any:
    project = model._meta.get_field("project").related_model
    return project.objects.visible_to(user).values("pk")
