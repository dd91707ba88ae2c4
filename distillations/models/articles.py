"""What was written, and which distillation each article used."""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from distillations.models.counters import USES_ARE_COUNTED
from distillations.models.sources import Distillation, Topic
from distillations.models.tasks import GenerationTask
from distillations.querysets import DistillationUsageQuerySet, GeneratedArticleQuerySet
from llm.choices import GeneratorKind
from llm.generator import Generated, generated_constraints
from runs.querysets import ClockTimestamp

EMPTY_LIST = models.Value([], output_field=ExactJSONField())


class NamedByTheDocument(models.Index):
    """An index whose name is older than Django's limit of 30 characters, which is another database's."""

    max_name_length = 63


class GeneratedArticle(Generated):
    """An article in Markdown. Its snapshots stay when what it came from is deleted."""

    task = models.ForeignKey(
        GenerationTask, on_delete=models.SET_NULL, null=True, related_name="articles", verbose_name=_("task")
    )
    distillation = models.ForeignKey(
        Distillation, on_delete=models.SET_NULL, null=True, related_name="articles", verbose_name=_("distillation")
    )
    topic = models.ForeignKey(
        Topic, on_delete=models.SET_NULL, null=True, related_name="articles", verbose_name=_("topic")
    )
    keyword = models.CharField(_("keyword"), max_length=255)  # snapshot
    question = models.TextField(_("question"), blank=True, default="", db_default="")  # snapshot
    conversion_target_name = models.CharField(max_length=255, blank=True, default="", db_default="")  # snapshot
    title = models.CharField(_("title"), max_length=500)
    content = models.TextField(_("text"))
    image_url = models.CharField(_("image"), max_length=500, blank=True, default="", db_default="")
    provider = models.CharField(_("provider"), max_length=20)
    generator_kind = models.CharField(  # a row that is copied in and says nothing of it is not ours
        _("written by"),
        max_length=8,
        choices=GeneratorKind,
        default=GeneratorKind.IMPORTED,
        db_default=GeneratorKind.IMPORTED,
    )
    generator_name = models.CharField(_("generator"), max_length=100, blank=True, default="", db_default="")
    requirements = models.TextField(_("requirements"), blank=True, default="", db_default="")
    is_published = models.BooleanField(_("published"), default=False, db_default=False)
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    objects = GeneratedArticleQuerySet.as_manager()

    class Meta:
        db_table = "articles"
        verbose_name = _("generated article")
        verbose_name_plural = _("generated articles")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("publish_generatedarticle", _("Can publish generated articles")),
            ("export_generatedarticle", _("Can export the list of generated articles")),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-created_at", "-id"], name="article_newest_first"),
            models.Index(fields=["is_published", "-created_at", "-id"], name="article_newest_published"),
            models.Index(fields=["distillation", "-created_at", "-id"], name="article_newest_of_distillation"),
            GinIndex(OpClass(Upper("title"), name="gin_trgm_ops"), name="generatedarticle_title_parts"),
            GinIndex(OpClass(Upper("keyword"), name="gin_trgm_ops"), name="generatedarticle_keyword_parts"),
            models.Index(fields=["generator_kind", "-created_at", "-id"], name="article_newest_by_generator"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(is_published=True, published_at__isnull=False)
                | Q(is_published=False, published_at__isnull=True),
                name="article_has_a_date_iff_published",
                violation_error_message=_("An article has a date of publication exactly when it is published."),
            ),
            *generated_constraints(),
        ]

    def __str__(self) -> str:
        return self.title


class DistillationUsage(models.Model):
    """One use of a distillation: the article that was made from it. What usage counts count."""

    distillation = models.ForeignKey(
        Distillation, on_delete=models.CASCADE, related_name="uses", verbose_name=_("distillation"), db_index=False
    )
    task = models.ForeignKey(
        GenerationTask, on_delete=models.CASCADE, related_name="uses", verbose_name=_("task"), db_index=False
    )
    article = models.ForeignKey(
        GeneratedArticle, on_delete=models.CASCADE, related_name="uses", verbose_name=_("article"), db_index=False
    )
    topic = models.ForeignKey(Topic, on_delete=models.SET_NULL, null=True, related_name="uses", verbose_name=_("topic"))
    used_at = models.DateTimeField(_("used at"), db_default=ClockTimestamp())

    objects = DistillationUsageQuerySet.as_manager()

    class Meta:
        db_table = "distillation_usage"
        verbose_name = _("use of a distillation")
        verbose_name_plural = _("uses of distillations")
        ordering: ClassVar = ["-used_at", "-id"]
        default_permissions = ("view",)
        indexes: ClassVar = [
            NamedByTheDocument(fields=["distillation"], name="idx_distillation_usage_distillation"),
            NamedByTheDocument(fields=["task"], name="idx_distillation_usage_task"),
            NamedByTheDocument(fields=["article"], name="idx_distillation_usage_article"),
            NamedByTheDocument(fields=["-used_at"], name="idx_distillation_usage_used_at"),
            models.Index(fields=["distillation", "-used_at", "-id"], name="distillation_usage_history"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["article"],
                name="unique_article_usage",
                violation_error_message=_("The use of this article is recorded already."),
            ),
        ]
        triggers: ClassVar = USES_ARE_COUNTED

    def __str__(self) -> str:
        return f"{self.distillation_id} → {self.article_id}"


class UsageCheck(models.Model):
    """One comparison of all counters with the rows they count: what the dashboard, /metrics and the doctor show."""

    checked_at = models.DateTimeField(_("checked at"), db_default=ClockTimestamp(), editable=False)
    drifted = models.PositiveIntegerField(_("drifted counters"))
    eligible = models.PositiveIntegerField(_("distillations with a topic"))
    uses = models.PositiveBigIntegerField(_("their uses"))
    # the newest check alone keeps these two: the distillations whose counters drifted, and the bars of spread.py
    drifted_ids = ExactJSONField(default=list, db_default=EMPTY_LIST, editable=False)
    spread = ExactJSONField(default=list, db_default=EMPTY_LIST, editable=False)

    class Meta:
        verbose_name = _("usage check")
        verbose_name_plural = _("usage checks")
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.checked_at}: {self.drifted}"
