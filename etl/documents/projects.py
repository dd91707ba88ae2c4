"""What people want of projects: make, rename, share and delete them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext_lazy as _

from access.services import record
from etl.documents.models import ETLTask, Project, Table
from etl.documents.querysets import sees_all
from etl.documents.refusals import NotThere
from runs.errors import Conflict
from runs.querysets import ClockTimestamp
from runs.transactions import atomic_retried


def create_project(*, name: str, description: str = "", members: Iterable[Any] = (), owner: Any, actor: Any) -> Project:
    """A project of `owner`, shared with `members`. Raises ValidationError."""
    shared = list(members)

    def create() -> Project:
        project = Project(name=name.strip(), description=description, owner=owner)
        project.full_clean(exclude=["created_at", "updated_at"])
        project.save(force_insert=True)
        project.members.set(shared)
        after = {"name": project.name, "members": _names(shared)}
        record(actor=actor, action="project.created", target=project, after=after)
        return Project.objects.get(pk=project.pk)

    return atomic_retried(create)


def edit_project(project: Project, *, name: str | None = None, description: str | None = None, actor: Any) -> Project:
    """Rename or describe it; None leaves it as it is. Raises ValidationError."""

    def edit() -> Project:
        row = locked_project(Project.objects.all(), project.pk)
        before = {"name": row.name, "description": row.description}
        after = {
            "name": row.name if name is None else name.strip(),
            "description": row.description if description is None else description,
        }
        if before == after:
            return row
        row.name, row.description, row.updated_at = after["name"], after["description"], ClockTimestamp()
        row.full_clean(exclude=["owner", "members", "created_at", "updated_at"])
        row.save(update_fields=["name", "description", "updated_at"])
        record(actor=actor, action="project.edited", target=row, before=before, after=after)
        return Project.objects.get(pk=row.pk)

    return atomic_retried(edit)


def set_members(project: Project, members: Iterable[Any], *, actor: Any) -> Project:
    """These and nobody else are its members, beside its owner. Raises PermissionDenied unless may_manage()."""
    wanted = list(members)

    def share() -> Project:
        row = locked_project(Project.objects.all(), project.pk)
        _insist_on_managing(row, actor)
        before = _names(row.members.all())
        row.members.set(wanted)
        if before != _names(wanted):
            after = {"members": _names(wanted)}
            record(actor=actor, action="project.shared", target=row, before={"members": before}, after=after)
        return row

    return atomic_retried(share)


def delete_project(project: Project, *, actor: Any) -> None:
    """Delete it; its rules stay with their owners.

    Raises Conflict ("project-not-empty") while it has tables or tasks, PermissionDenied unless may_manage().
    """

    def delete() -> None:
        row = locked_project(Project.objects.all(), project.pk, to_delete=True)
        _insist_on_managing(row, actor)
        tables, tasks = Table.objects.filter(project=row).exists(), ETLTask.objects.filter(project=row).exists()
        if tables or tasks:
            message = _("It still has tables or document tasks.")
            raise Conflict("project-not-empty", message, hasTables=tables, hasTasks=tasks)
        before = {"name": row.name, "members": _names(row.members.all())}
        record(actor=actor, action="project.deleted", target=row, before=before)
        row.delete()

    atomic_retried(delete)


def may_manage(project: Project, user: Any) -> bool:
    """Whether this user may say who its members are, and delete it: its owner and administrators may."""
    return sees_all(user) or (user.pk is not None and user.pk == project.owner_id)


def locked_project(projects: Any, pk: int, *, to_delete: bool = False) -> Project:
    """The project of this id among `projects`, its row locked. Raises NotThere."""
    row = projects.select_for_update(of=("self",), no_key=not to_delete).filter(pk=pk).first()
    if row is None:
        message = _("There is no such project, or it is not yours to see.")
        raise NotThere("project-not-found", message, projectId=pk)
    return row  # type: ignore[no-any-return]


def users_named(usernames: Sequence[str]) -> list[Any]:
    """The active users of these names. Raises ValidationError for a name that is nobody's."""
    found = {user.get_username(): user for user in get_user_model().objects.filter(username__in=usernames)}
    for name in usernames:
        if name not in found or not found[name].is_active:
            error = ValidationError(_("There is no user %(name)s."), code="does-not-exist", params={"name": name})
            raise ValidationError({"members": error})
    return list(found.values())


def _insist_on_managing(project: Project, actor: Any) -> None:
    """A word for an actor (a command) is no user, and may."""
    if isinstance(actor, AbstractBaseUser) and not may_manage(project, actor):
        raise PermissionDenied


def _names(users: Iterable[Any]) -> list[str]:
    return sorted(user.get_username() for user in users)
