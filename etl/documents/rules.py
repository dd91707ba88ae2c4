"""What people want of rules: made, changed, deleted."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from access.services import record
from etl.documents.models import ETLRule, ETLTask, Project
from etl.documents.querysets import sees_all
from etl.documents.refusals import NotThere
from etl.documents.shaping.schemas import check_schema
from runs.errors import Conflict
from runs.querysets import ClockTimestamp
from runs.transactions import atomic_retried

FIELDS = ("name", "description", "project", "json_schema", "system_prompt", "mode")


def save_rule(rule: ETLRule, *, user: Any, actor: Any) -> ETLRule:
    """Store a new or changed rule, as checked; a new one is the user's.

    A task takes the rule as it is when it shapes its text. Raises ValidationError for a schema that cannot be used and
    a name that is none, NotThere for a project that the user does not see.
    """
    rule.name = rule.name.strip()
    if not rule.name:
        raise ValidationError({"name": ValidationError(_("A rule needs a name."), code="blank")})
    check_schema(rule.json_schema)
    if rule.project_id is not None and not Project.objects.visible_to(user).filter(pk=rule.project_id).exists():
        message = _("There is no such project, or it is not yours to see.")
        raise NotThere("project-not-found", message, projectId=rule.project_id)
    rule.full_clean(exclude=["owner"])

    def save() -> ETLRule:
        is_new = rule.pk is None
        if is_new:
            rule.owner = user
            rule.save(force_insert=True)
        else:
            rule.updated_at = ClockTimestamp()  # type: ignore[assignment]
            rule.save(update_fields=[*FIELDS, "updated_at"])
            rule.refresh_from_db(fields=["updated_at"])
        action = "rule.created" if is_new else "rule.changed"
        after = {"name": rule.name, "mode": rule.mode, "projectId": rule.project_id, "jsonSchema": rule.json_schema}
        record(actor=actor, action=action, target=rule, after=after)
        return rule

    return atomic_retried(save)


def delete_rule(rule: ETLRule, *, actor: Any) -> None:
    """Delete a rule; tasks that were shaped by it keep its name. Raises Conflict while open tasks wait for it."""

    def delete() -> None:
        locked = ETLRule.objects.select_for_update().get(pk=rule.pk)  # a new task's foreign key waits for it
        waiting = ETLTask.objects.open().filter(rule=locked).count()
        if waiting:
            raise Conflict("rule-in-use", _("Open tasks still need this rule."), tasks=waiting)
        record(actor=actor, action="rule.deleted", target=locked, before={"name": locked.name})
        locked.delete()

    atomic_retried(delete)


def may_manage(rule: ETLRule, user: Any) -> bool:
    """Whether this user may change and delete it: its owner and administrators may, members of its project use it."""
    return sees_all(user) or (user.pk is not None and user.pk == rule.owner_id)


def insist_on_managing(rule: ETLRule, user: Any) -> None:
    """Raises PermissionDenied unless may_manage()."""
    if not may_manage(rule, user):
        raise PermissionDenied
