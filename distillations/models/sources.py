"""Keywords and the questions they were distilled into."""

from typing import Any, ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from distillations.choices import Provider
from distillations.models.counters import COUNTERS_ARE_THE_DATABASES, TOPIC_COUNTERS, TOPICS_ARE_COUNTED
from distillations.querysets import DistillationQuerySet, TopicQuerySet
from runs.models import Run, open_index, run_constraints
from runs.querysets import ClockTimestamp

FEWEST_TOPICS, MOST_TOPICS, DEFAULT_TOPICS = 5, 30, 12


class Distillation(models.Model):
    """A keyword and what people ask about it. Its three counters belong to the database (models/counters.py)."""

    keyword = models.CharField(_("keyword"), max_length=255)
    provider = models.CharField(_("provider"), max_length=20, choices=Provider)
    usage_count = models.IntegerField(_("used"), default=0, db_default=0, editable=False)
    reserved_count = models.IntegerField(_("reserved"), default=0, db_default=0, editable=False)
    topic_count = models.IntegerField(_("topics"), default=0, db_default=0, editable=False)
    load = models.GeneratedField(
        expression=F("usage_count") + F("reserved_count"), output_field=models.IntegerField(), db_persist=True
    )
    usage_reset_at = models.DateTimeField(_("use reset at"), null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)

    objects = DistillationQuerySet.as_manager()

    class Meta:
        db_table = "distillations"
        verbose_name = _("distillation")
        verbose_name_plural = _("distillations")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("reset_usage", _("Can reset usage counts")),
            ("repair_usage", _("Can repair usage counts")),
            ("export_distillation", _("Can export distillations")),
        ]
        indexes: ClassVar = [
            models.Index(fields=["usage_count", "created_at", "id"], name="idx_distillations_usage_count"),
            models.Index(
                fields=["load", "created_at", "id"], condition=Q(topic_count__gt=0), name="distillation_next_to_pick"
            ),
            models.Index(
                fields=["usage_count", "created_at", "id"],
                condition=Q(topic_count__gt=0),
                name="distillation_recommended",
            ),
            models.Index(fields=["created_at", "id"], name="distillation_by_age"),
            models.Index(fields=["created_at", "id"], condition=Q(usage_count__gt=0), name="distillation_used_by_age"),
            models.Index(
                fields=["usage_count", "created_at", "id"],
                condition=Q(topic_count=0),
                name="distillation_without_topics",
            ),
            models.Index(fields=["provider", "usage_count", "created_at", "id"], name="distillation_by_provider"),
            models.Index(fields=["provider", "created_at", "id"], name="distillation_by_provider_age"),
            GinIndex(OpClass(Upper("keyword"), name="gin_trgm_ops"), name="distillation_keyword_parts"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(provider__in=Provider.values),
                name="distillation_provider_is_known",
                violation_error_message=_("This provider does not exist."),
            ),
            models.CheckConstraint(
                condition=Q(usage_count__gte=0),
                name="distillation_usage_is_not_negative",
                violation_error_message=_("The usage counter has drifted; run repair."),
            ),
            models.CheckConstraint(
                condition=Q(reserved_count__gte=0),
                name="distillation_reservations_are_not_negative",
                violation_error_message=_("The reservation counter has drifted; run repair."),
            ),
            models.CheckConstraint(
                condition=Q(topic_count__gte=0),
                name="distillation_topics_are_not_negative",
                violation_error_message=_("The topic counter has drifted; run repair."),
            ),
        ]
        triggers: ClassVar = COUNTERS_ARE_THE_DATABASES

    def __str__(self) -> str:
        return self.keyword

    @property
    def recommend_reason(self) -> str:
        """Why a recommended one is, in the reader's language."""
        reason = ngettext("Least used (%(count)s time)", "Least used (%(count)s times)", self.usage_count)
        return reason % {"count": self.usage_count}


class Topic(models.Model):
    """One question people ask."""

    distillation = models.ForeignKey(
        Distillation, on_delete=models.CASCADE, related_name="topics", verbose_name=_("distillation"), db_index=False
    )
    question = models.TextField(_("question"))
    usage_count = models.IntegerField(_("used"), default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)

    objects = TopicQuerySet.as_manager()

    class Meta:
        db_table = "topics"
        verbose_name = _("topic")
        verbose_name_plural = _("topics")
        ordering: ClassVar = ["distillation_id", "id"]
        indexes: ClassVar = [models.Index(fields=["distillation", "usage_count", "id"], name="topic_next_to_pick")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(usage_count__gte=0),
                name="topic_usage_is_not_negative",
                violation_error_message=_("The usage counter has drifted; run repair."),
            ),
        ]
        triggers: ClassVar = [*TOPICS_ARE_COUNTED, *TOPIC_COUNTERS]

    def __str__(self) -> str:
        return self.question


class DistillationRun(Run):
    """Asks for the topics of one keyword. Distillation and topics are stored together at its end."""

    TASK: ClassVar[str] = "distillations.tasks.run_distillation"
    QUEUE: ClassVar[str] = "llm"

    keyword = models.CharField(_("keyword"), max_length=255)
    topic_count = models.PositiveSmallIntegerField(
        _("topics"),
        default=DEFAULT_TOPICS,
        validators=[MinValueValidator(FEWEST_TOPICS), MaxValueValidator(MOST_TOPICS)],
    )
    distillation = models.ForeignKey(
        Distillation, on_delete=models.SET_NULL, null=True, editable=False, related_name="runs"
    )

    class Meta:
        verbose_name = _("distillation run")
        verbose_name_plural = _("distillation runs")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("run_distillation", _("Can distil keywords"))]
        indexes: ClassVar = [
            open_index(Run.STATUSES),
            models.Index(fields=["status", "id"], name="distillationrun_by_status"),
        ]
        constraints: ClassVar = [
            *run_constraints(Run.STATUSES),
            models.CheckConstraint(
                condition=Q(topic_count__gte=FEWEST_TOPICS, topic_count__lte=MOST_TOPICS),
                name="distillation_run_asks_for_5_to_30_topics",
                violation_error_message=_("A keyword is distilled into 5 to 30 topics."),
            ),
        ]

    def as_asked(self) -> dict[str, Any]:
        """What was asked for, as the audit log keeps it."""
        return {"keyword": self.keyword, "topicCount": self.topic_count}
