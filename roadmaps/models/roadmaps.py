"""A roadmap: its tree, and each of its concepts with what became of its contents."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from llm.generator import Generated
from roadmaps.choices import ContentStatus, Difficulty
from roadmaps.querysets import ConceptQuerySet, RoadmapQuerySet
from runs.querysets import ClockTimestamp

EMPTY_OBJECT = models.Value({}, output_field=ExactJSONField())


class Roadmap(models.Model):
    """What a learner follows. Its id is drawn, and so reserved, by the step that understands the wish; the tree comes
    with the curriculum."""

    roadmap_id = models.CharField(_("id"), max_length=80, primary_key=True)  # slug-8 characters
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="roadmaps", verbose_name=_("owner")
    )
    title = models.CharField(_("title"), max_length=255, blank=True, default="", db_default="")
    total_estimated_hours = models.DecimalField(_("hours in all"), max_digits=7, decimal_places=1, null=True)
    recommended_completion_weeks = models.PositiveSmallIntegerField(_("weeks"), null=True)
    # stages > modules > concepts as designed; where a concept's contents stand is told by Concept alone
    framework = ExactJSONField(_("tree"), default=dict, db_default=EMPTY_OBJECT)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    objects = RoadmapQuerySet.as_manager()

    class Meta:
        db_table = "roadmap"
        verbose_name = _("roadmap")
        verbose_name_plural = _("roadmaps")
        ordering: ClassVar = ["-created_at", "roadmap_id"]
        permissions: ClassVar = [("see_all_roadmaps", _("Can see the roadmaps of everybody"))]
        indexes: ClassVar = [
            models.Index(fields=["owner", "-created_at", "roadmap_id"], name="roadmap_newest_of_owner"),
            models.Index(fields=["-created_at", "roadmap_id"], name="roadmap_newest_first"),
            GinIndex(OpClass(Upper("title"), name="gin_trgm_ops"), name="roadmap_title_parts"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(roadmap_id__regex=r"^[a-z0-9]+(-[a-z0-9]+)*-[a-z0-9]{8}$"),
                name="roadmap_id_is_slug_and_eight_characters",
                violation_error_message=_("The id of a roadmap is a slug and eight characters."),
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.roadmap_id

    @property
    def designed_by(self) -> Generated | None:
        """The row of the step that made or last changed the tree, which says who did; None while there is no tree.
        Read the roadmap with_tasks()."""
        rows = [row for task in self.tasks.all() for row in (*task.curricula.all(), *task.edits.all())]
        return max(rows, key=lambda row: row.updated_at, default=None)


def _content_status(label: Any) -> models.CharField:
    return models.CharField(label, max_length=16, choices=ContentStatus, default=ContentStatus.PENDING)


def _content_error(label: Any) -> models.CharField:
    return models.CharField(label, max_length=64, blank=True, default="", db_default="")


class Concept(models.Model):
    """One thing to learn, and the only place that says where its tutorial, resources and quiz stand."""

    roadmap = models.ForeignKey(
        Roadmap, on_delete=models.CASCADE, related_name="concepts", verbose_name=_("roadmap"), db_index=False
    )
    concept_id = models.CharField(_("concept"), max_length=32)  # c-S-M-N
    stage = models.PositiveSmallIntegerField(_("stage"))
    module = models.PositiveSmallIntegerField(_("module"))
    position = models.PositiveSmallIntegerField(_("position"))
    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True, default="", db_default="")
    estimated_hours = models.DecimalField(_("hours"), max_digits=5, decimal_places=1)
    difficulty = models.CharField(_("difficulty"), max_length=8, choices=Difficulty)
    keywords = ArrayField(models.TextField(), verbose_name=_("keywords"), default=list, blank=True)
    prerequisites = ArrayField(models.TextField(), verbose_name=_("prerequisites"), default=list, blank=True)
    tutorial_status = _content_status(_("tutorial"))
    tutorial_error = _content_error(_("why the tutorial failed"))
    resources_status = _content_status(_("resources"))
    resources_error = _content_error(_("why the resources failed"))
    quiz_status = _content_status(_("quiz"))
    quiz_error = _content_error(_("why the quiz failed"))
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    objects = ConceptQuerySet.as_manager()

    class Meta:
        db_table = "concept"
        verbose_name = _("concept")
        verbose_name_plural = _("concepts")
        ordering: ClassVar = ["roadmap", "stage", "module", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["roadmap", "concept_id"],
                name="concept_is_in_its_roadmap_once",
                violation_error_message=_("This concept is in the roadmap already."),
            ),
            models.CheckConstraint(
                condition=Q(estimated_hours__gte=0.5),
                name="concept_takes_half_an_hour_at_least",
                violation_error_message=_("A concept takes half an hour at least."),
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{kind}_status__in": ContentStatus.values})
                    & (Q(**{f"{kind}_status": ContentStatus.FAILED}) ^ Q(**{f"{kind}_error": ""})),
                    name=f"concept_{kind}_says_why_iff_it_failed",
                    violation_error_message=_("A content says why exactly when it failed."),
                )
                for kind in ("tutorial", "resources", "quiz")
            ),
        ]

    def __str__(self) -> str:
        return self.name
