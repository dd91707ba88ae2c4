"""What people want of rules: made, changed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from access.services import record
from etl.documents.models import ETLRule, ETLTask, Project
from etl.documents.querysets import sees_all
from etl.documents.refusals import NotThere, Outdated
from etl.documents.shaping.schemas import check_schema
from runs.errors import Conflict
from runs.querysets import ClockTimestamp
from runs.transactions import atomic_retried

FIELDS = ("name", "description", "project", "json_schema", "system_prompt", "mode")


def create_rule(rule: ETLRule, *, user: Any, actor: Any) -> ETLRule:
    """Store a new rule, which is the user's.

    Raises ValidationError for a schema that cannot be used and a name that is none, NotThere for a project that the
    user does not see.
    """
    rule.owner = user
    _check(rule, user)

    def create() -> ETLRule:
        rule.save(force_insert=True)
        record(actor=actor, action="rule.created", target=rule, after=_told(rule))
        return rule

    return atomic_retried(create)


def change_rule(
    rule: ETLRule, changes: Mapping[str, Any], *, seen: datetime | None = None, user: Any, actor: Any
) -> ETLRule:
    """Give fields of a rule other values; those that are not named stay as they are now.

    A task takes the rule as it is when it shapes its text. `seen` is `updated_at` of what whoever changes it has read;
    without it any version will do. Raises like create_rule(), PermissionDenied unless may_manage(), and Outdated
    ("stale") for a rule that was changed since.
    """

    def change() -> ETLRule:
        row = _locked(rule, seen=seen, actor=actor)
        for name, value in changes.items():
            setattr(row, name, value)
        _check(row, user)
        row.updated_at = ClockTimestamp()  # type: ignore[assignment]
        row.save(update_fields=[*FIELDS, "updated_at"])
        record(actor=actor, action="rule.changed", target=row, after=_told(row))
        return ETLRule.objects.get(pk=row.pk)

    return atomic_retried(change)


def delete_rule(rule: ETLRule, *, seen: datetime | None = None, actor: Any) -> None:
    """Delete a rule; tasks that were shaped by it keep its name.

    Raises Conflict while open tasks wait for it, PermissionDenied unless may_manage(), Outdated like change_rule().
    """

    def delete() -> None:
        locked = _locked(rule, seen=seen, actor=actor)  # a new task's foreign key waits for it
        waiting = ETLTask.objects.open().filter(rule=locked).count()
        if waiting:
            raise Conflict("rule-in-use", _("Open tasks still need this rule."), tasks=waiting)
        record(actor=actor, action="rule.deleted", target=locked, before={"name": locked.name})
        locked.delete()

    atomic_retried(delete)


def may_manage(rule: ETLRule, user: Any) -> bool:
    """Whether this user may change and delete it: its owner and administrators may, members of its project use it."""
    return sees_all(user) or (user.pk is not None and user.pk == rule.owner_id)


def _locked(rule: ETLRule, *, seen: datetime | None, actor: Any) -> ETLRule:
    """The row as it is now, if whoever asks may manage it and has seen just that."""
    row = ETLRule.objects.select_for_update().filter(pk=rule.pk).first()
    if row is None:
        message = _("There is no such rule, or it is not yours to see.")
        raise NotThere("rule-not-found", message, ruleId=rule.pk)
    # a word for an actor (a command) is no user, and may
    if isinstance(actor, AbstractBaseUser) and not may_manage(row, actor):
        raise PermissionDenied
    if seen is not None and row.updated_at != seen:
        raise Outdated("stale", _("Somebody changed the rule after you looked. Read it again."), ruleId=row.pk)
    return row


def _check(rule: ETLRule, user: Any) -> None:
    rule.name = rule.name.strip()
    if not rule.name:
        raise ValidationError({"name": ValidationError(_("A rule needs a name."), code="blank")})
    check_schema(rule.json_schema)
    if rule.project_id is not None and not Project.objects.visible_to(user).filter(pk=rule.project_id).exists():
        message = _("There is no such project, or it is not yours to see.")
        raise NotThere("project-not-found", message, projectId=rule.project_id)
    rule.full_clean(exclude=["owner", "created_at", "updated_at"])


def _told(rule: ETLRule) -> dict[str, Any]:
    """What the record of a deed says of it."""
    return {"name": rule.name, "mode": rule.mode, "projectId": rule.project_id, "jsonSchema": rule.json_schema}
