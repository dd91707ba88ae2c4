"""Reviews, and what editors do with them, as programs see it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers import JSONField, Serializer
from exports.api.asking import PageSerializer, actor_field
from exports.choices import Region, ReviewStatus, Sentiment
from exports.models import ManualReview
from exports.numbering import MOST as MOST_NUMBER
from exports.review_lists import summary_of
from exports.review_rows import AT_MOST
from exports.reviewing import Edit
from exports.rows import MAX_ARTICLE_ID

_REGIONS = {Region.INTERNAL: True, Region.EXTERNAL: False}


class ReviewItemSerializer(Serializer):
    """An article under review, as an editor sees it; the queryset has its article."""

    article_id = serializers.CharField(read_only=True)
    title = serializers.CharField(source="article.title", read_only=True)
    summary = serializers.SerializerMethodField(help_text="The edited one, else the article's.")
    source = serializers.CharField(source="article.source", read_only=True)
    llm_source_display = serializers.SerializerMethodField(help_text="The edited source, else the article's.")
    llm_source_raw = serializers.CharField(source="article.source", read_only=True)
    llm_source_manual = serializers.CharField(source="manual_llm_source", read_only=True, allow_null=True)
    score = serializers.DecimalField(
        source="list_score", max_digits=6, decimal_places=3, read_only=True, allow_null=True,
        help_text="The edited one, else the article's.",
    )  # fmt: skip
    importance = serializers.DecimalField(
        source="article.importance", max_digits=6, decimal_places=3, read_only=True, allow_null=True
    )
    sentiment_label = serializers.ChoiceField(Sentiment.choices, source="sentiment", read_only=True)
    is_beijing_related = serializers.SerializerMethodField(help_text="Whether the region is internal; null: unknown.")
    region = serializers.ChoiceField(Region.choices, read_only=True)
    sentiment = serializers.ChoiceField(Sentiment.choices, read_only=True)
    section = serializers.CharField(source="article.section", read_only=True)
    url = serializers.CharField(source="article.url", read_only=True)
    published_at = serializers.DateTimeField(read_only=True, allow_null=True)
    bonus_keywords = JSONField(source="article.keywords", read_only=True)
    rank = serializers.FloatField(read_only=True, allow_null=True)
    status = serializers.ChoiceField(ReviewStatus.choices, read_only=True)
    notes = serializers.CharField(read_only=True)
    decided_by = serializers.CharField(read_only=True)
    decided_at = serializers.DateTimeField(read_only=True, allow_null=True)
    version = serializers.IntegerField(read_only=True, help_text="Send it back with a decision to guard others'.")

    def get_summary(self, review: ManualReview) -> str:
        """What would be printed."""
        return summary_of(review)

    def get_llm_source_display(self, review: ManualReview) -> str:
        """What would be printed."""
        return review.manual_llm_source or review.article.source

    @extend_schema_field(serializers.BooleanField(allow_null=True))
    def get_is_beijing_related(self, review: ManualReview) -> bool | None:
        """The region in the console's words."""
        return _REGIONS.get(Region(review.region))


class ReviewPageSerializer(PageSerializer):
    """A page of reviews."""

    items = ReviewItemSerializer(many=True)


class ClusterSerializer(Serializer):
    """Articles that are one story."""

    cluster_id = serializers.CharField(help_text="The best article's id.")
    region = serializers.ChoiceField(Region.choices)
    sentiment = serializers.ChoiceField(Sentiment.choices)
    size = serializers.IntegerField(min_value=1)
    representative = ReviewItemSerializer()
    items = ReviewItemSerializer(many=True, help_text="The representative first.")


class CandidatePageSerializer(PageSerializer):
    """A page of candidates; with `cluster=true` of clusters. `total` counts articles either way."""

    items = ReviewItemSerializer(many=True, required=False)
    clusters = ClusterSerializer(many=True, required=False)
    total_clusters = serializers.IntegerField(required=False, help_text="What `offset` counts with `cluster=true`.")
    clustered = serializers.IntegerField(
        required=False, help_text="How many of the articles were compared: the first ones of the list."
    )


class StatsSerializer(Serializer):
    """How many reviews there are in each status."""

    pending = serializers.IntegerField()
    selected = serializers.IntegerField()
    backup = serializers.IntegerField()
    discarded = serializers.IntegerField()
    exported = serializers.IntegerField()
    estimated = serializers.ListField(
        child=serializers.ChoiceField(ReviewStatus.choices), help_text="Those too many to be counted."
    )


def _ids(help_text: str) -> serializers.ListField:
    child = serializers.CharField(max_length=MAX_ARTICLE_ID, trim_whitespace=False)
    return serializers.ListField(child=child, default=list, max_length=AT_MOST, help_text=help_text)


def _versions() -> serializers.DictField:
    child = serializers.IntegerField(min_value=1, max_value=MOST_NUMBER)
    return serializers.DictField(
        child=child, default=dict, help_text="By article id: the version you have seen; another one is a 409."
    )


class DecideSerializer(Serializer):
    """What becomes of articles. An id may be in one group only, once."""

    selected_ids = _ids("To the end of the selected, in this order.")
    backup_ids = _ids("To the end of the backup, in this order.")
    discarded_ids = _ids("Never exported by the worker either.")
    pending_ids = _ids("Undecided again.")
    versions = _versions()
    actor = actor_field()


class DecidedSerializer(Serializer):
    """How many articles each group named, and how many changed."""

    selected = serializers.IntegerField()
    backup = serializers.IntegerField()
    discarded = serializers.IntegerField()
    pending = serializers.IntegerField()
    updated_rows = serializers.IntegerField()


class OrderSerializer(Serializer):
    """How the lists begin; what they hold beside follows behind."""

    selected_order = _ids("The first of the selected.")
    backup_order = _ids("The first of the backup.")
    versions = _versions()
    actor = actor_field()


class OrderedSerializer(Serializer):
    """How many articles each list named, and how many have another place now."""

    selected = serializers.IntegerField()
    backup = serializers.IntegerField()
    updated_rows = serializers.IntegerField()


class RestoreSerializer(Serializer):
    """Exported articles that become pending again."""

    ids = _ids("All of them are exported.")
    versions = _versions()


class RestoredSerializer(Serializer):
    """How many became pending."""

    restored = serializers.IntegerField()


class ScoreField(serializers.DecimalField):
    """A score; empty text means none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=6, decimal_places=3, **kwargs)

    def to_internal_value(self, data: Any) -> Decimal | None:
        """None for empty text."""
        return None if isinstance(data, str) and not data.strip() else super().to_internal_value(data)


class EditSerializer(Serializer):
    """New values of one review. What is left out stays; null or empty text gives the article's own back."""

    summary = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    llm_source = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    notes = serializers.CharField(required=False, allow_null=True, allow_blank=True, trim_whitespace=False)
    score = ScoreField(required=False, allow_null=True)
    version = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MOST_NUMBER)


class EditsSerializer(Serializer):
    """Edits by article id."""

    edits = serializers.DictField(child=EditSerializer())
    actor = actor_field()

    def as_edits(self) -> dict[str, Edit]:
        """The validated wish in the service's words."""
        return {article_id: Edit(**values) for article_id, values in self.validated_data["edits"].items()}


class EditedSerializer(Serializer):
    """How many reviews changed."""

    updated = serializers.IntegerField()
