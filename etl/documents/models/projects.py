"""Whose documents they are, what their JSON looks like, and the tables that it is mounted into."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from etl.documents.choices import RuleMode
from etl.documents.querysets import ProjectQuerySet, RuleQuerySet, TableQuerySet
from runs.querysets import ClockTimestamp

EMPTY_OBJECT = models.Value({}, output_field=ExactJSONField())


class Project(models.Model):
    """A circle of people and what they work on. Who is neither its owner nor a member sees nothing of it."""

    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True, default="", db_default="")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="owned_projects",
        verbose_name=_("owner"),
    )
    members: Any = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="projects", verbose_name=_("members")
    )
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        db_table = "project"
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("see_all_projects", _("Can see the projects of everybody"))]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(name=""),
                name="project_has_a_name",
                violation_error_message=_("A project needs a name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Table(models.Model):
    """A JSON document that results are mounted into. Every change of `data` raises `version` by one."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="tables", verbose_name=_("project"))
    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True, default="", db_default="")
    data = ExactJSONField(_("data"), default=dict, db_default=EMPTY_OBJECT, null=False)
    version = models.PositiveBigIntegerField(_("version"), default=0, db_default=0)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    objects = TableQuerySet.as_manager()

    class Meta:
        db_table = "table"
        verbose_name = _("table")
        verbose_name_plural = _("tables")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("mount_table", _("Can mount results into a table"))]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(name=""),
                name="table_has_a_name",
                violation_error_message=_("A table needs a name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ETLRule(models.Model):
    """How the text of a document becomes JSON: the schema it must fit, and what a model is told beside it."""

    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True, default="", db_default="")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("owner")
    )
    project = models.ForeignKey(
        Project,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="rules",
        verbose_name=_("project"),
        help_text=_("Its members may use the rule; without one only its owner may."),
    )
    json_schema = ExactJSONField(_("JSON schema"))
    system_prompt = models.TextField(_("system prompt"), blank=True, default="", db_default="")
    mode = models.CharField(_("mode"), max_length=8, choices=RuleMode, default=RuleMode.LLM, db_default=RuleMode.LLM)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    objects = RuleQuerySet.as_manager()

    class Meta:
        db_table = "etl_rule"
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(name=""), name="etl_rule_has_a_name", violation_error_message=_("A rule needs a name.")
            ),
            models.CheckConstraint(
                condition=Q(mode__in=RuleMode.values),
                name="etl_rule_mode_is_known",
                violation_error_message=_("This mode does not exist."),
            ),
            models.CheckConstraint(
                condition=Q(json_schema__contains={"type": "object"}),  # not ->, whose NULL a CHECK would let pass
                name="etl_rule_schema_is_of_an_object",
                violation_error_message=_("The schema must be that of an object."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
