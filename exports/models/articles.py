"""What may be exported, and what an editor thinks of it."""

from typing import ClassVar

import pgtrigger
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length, Upper
from django.db.models.lookups import GreaterThan, LessThan
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from exports.choices import Region, ReviewStatus, Sentiment
from exports.querysets import ArticleQuerySet, ManualReviewQuerySet
from runs.querysets import ClockTimestamp

# a key of an index has to fit in 2,700 bytes, and a character may take four
MAX_ARTICLE_ID = 512
EMPTY_LIST = models.Value([], output_field=ExactJSONField())


# The order of a review list comes from its own index only if what it is ordered and filtered by lies in its own
# table. The database keeps these copies, so that no writer can forget them, rows copied in by SQL included.
_COPY_FROM_ARTICLE = """
    SELECT coalesce(NEW.score, a.score), a.published_at, a.region, a.sentiment
      INTO NEW.list_score, NEW.published_at, NEW.region, NEW.sentiment
      FROM news_articles a WHERE a.article_id = NEW.article_id;
    RETURN NEW;
"""
_COPY_TO_REVIEW = """
    UPDATE manual_reviews r SET list_score = coalesce(r.score, NEW.score), published_at = NEW.published_at,
                                region = NEW.region, sentiment = NEW.sentiment
     WHERE r.article_id = NEW.article_id;
    RETURN NULL;
"""


class Article(models.Model):
    """A story of the news pipeline, under the id that the pipeline gave it."""

    article_id = models.TextField(_("article id"), unique=True)
    title = models.TextField(_("title"))
    source = models.TextField(_("source"), blank=True, default="", db_default="")
    url = models.TextField(_("address"), blank=True, default="", db_default="")
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    content = models.TextField(_("text"), blank=True, default="", db_default="")
    summary = models.TextField(_("summary"), blank=True, default="", db_default="")
    keywords = ExactJSONField(_("keywords"), default=list, db_default=EMPTY_LIST, blank=True)
    score = models.DecimalField(_("score"), max_digits=6, decimal_places=3, null=True, blank=True)
    importance = models.DecimalField(_("importance"), max_digits=6, decimal_places=3, null=True, blank=True)
    region = models.CharField(
        _("region"), max_length=8, choices=Region, default=Region.UNKNOWN, db_default=Region.UNKNOWN
    )
    sentiment = models.CharField(
        _("sentiment"), max_length=8, choices=Sentiment, default=Sentiment.UNKNOWN, db_default=Sentiment.UNKNOWN
    )
    section = models.TextField(
        _("section"),
        blank=True,
        default="",
        db_default="",
        help_text=_("Overrides region and sentiment in templates that have a section of this name."),
    )
    ingested_at = models.DateTimeField(_("came in at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    objects = ArticleQuerySet.as_manager()

    class Meta:
        db_table = "news_articles"
        verbose_name = _("article")
        verbose_name_plural = _("articles")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("export_article", _("Can export the list of articles"))]
        indexes: ClassVar = [
            models.Index(fields=["ingested_at", "id"], name="article_by_arrival"),
            GinIndex(OpClass(Upper("title"), name="gin_trgm_ops"), name="article_title_parts"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(GreaterThan(Length("article_id"), 0), LessThan(Length("article_id"), MAX_ARTICLE_ID + 1)),
                name="article_id_has_a_length_an_index_can_hold",
                violation_error_message=_("An article id has 1 to 512 characters."),
            ),
            models.CheckConstraint(
                condition=Q(region__in=Region.values),
                name="article_region_is_known",
                violation_error_message=_("A region is internal, external or unknown."),
            ),
            models.CheckConstraint(
                condition=Q(sentiment__in=Sentiment.values),
                name="article_sentiment_is_known",
                violation_error_message=_("A sentiment is positive, negative or unknown."),
            ),
        ]

        triggers: ClassVar = [
            pgtrigger.Trigger(
                name="article_copies_to_its_review",
                when=pgtrigger.After,
                operation=pgtrigger.UpdateOf("score", "published_at", "region", "sentiment"),
                condition=pgtrigger.AnyChange("score", "published_at", "region", "sentiment"),
                func=_COPY_TO_REVIEW,
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.article_id


class ManualReview(models.Model):
    """An editor's decision about one article. Made with the article, pending."""

    article = models.OneToOneField(
        Article, on_delete=models.CASCADE, to_field="article_id", related_name="review", verbose_name=_("article")
    )
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=ReviewStatus,
        default=ReviewStatus.PENDING,
        db_default=ReviewStatus.PENDING,
    )
    summary = models.TextField(_("edited summary"), null=True, blank=True)  # noqa: DJ001 - null: as the article has it
    manual_llm_source = models.TextField(_("edited source"), null=True, blank=True)  # noqa: DJ001 - likewise
    score = models.DecimalField(_("edited score"), max_digits=6, decimal_places=3, null=True, blank=True)
    rank = models.FloatField(_("place in the list"), null=True, blank=True)
    notes = models.TextField(_("notes"), blank=True, default="", db_default="")
    decided_by = models.TextField(_("decided by"), blank=True, default="", db_default="")
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1, db_default=1)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=ClockTimestamp(), editable=False)

    list_score = models.DecimalField(_("score"), max_digits=6, decimal_places=3, null=True, editable=False)
    published_at = models.DateTimeField(_("published at"), null=True, editable=False)
    region = models.CharField(max_length=8, choices=Region, db_default=Region.UNKNOWN, editable=False)
    sentiment = models.CharField(max_length=8, choices=Sentiment, db_default=Sentiment.UNKNOWN, editable=False)

    objects = ManualReviewQuerySet.as_manager()

    class Meta:
        db_table = "manual_reviews"
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("decide_manualreview", _("Can pick and discard articles")),
            ("export_brief", _("Can export briefs")),
        ]
        indexes: ClassVar = [
            models.Index(
                "status",
                F("rank").asc(nulls_last=True),
                F("list_score").desc(nulls_last=True),
                F("published_at").desc(nulls_last=True),
                "article",
                name="review_in_order",
            ),
            models.Index(
                "status",
                "region",
                "sentiment",
                F("rank").asc(nulls_last=True),
                F("list_score").desc(nulls_last=True),
                F("published_at").desc(nulls_last=True),
                "article",
                name="review_of_a_bucket_in_order",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(status__in=ReviewStatus.values),
                name="review_status_is_known",
                violation_error_message=_("This status does not exist."),
            ),
            models.CheckConstraint(
                condition=Q(version__gte=1),
                name="review_version_counts_from_one",
                violation_error_message=_("A version is a positive number."),
            ),
            models.CheckConstraint(
                condition=Q(rank=None) | Q(status__in=[ReviewStatus.SELECTED, ReviewStatus.BACKUP, "exported"]),
                name="only_picked_reviews_have_a_place",
                violation_error_message=_("Only selected, backup and exported articles have a place in a list."),
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Trigger(
                name="review_copies_from_its_article",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("score", "article_id"),
                func=_COPY_FROM_ARTICLE,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.article_id}: {self.get_status_display()}"
