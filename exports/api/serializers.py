"""Articles, reviews and briefs as programs see them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from api.serializers import JSONField, Serializer
from exports import archive
from exports.api.asking import PageSerializer
from exports.briefs import Brief
from exports.choices import NotPrinted, Region, ReviewStatus, Sentiment, Source
from exports.ingest import ROWS_AT_MOST
from exports.models import ManualReview
from exports.numbering import MOST as MOST_NUMBER
from exports.review_lists import summary_of
from exports.review_rows import AT_MOST, TEXT_AUDITED
from exports.reviewing import Edit
from exports.rows import MAX_ARTICLE_ID

_REGIONS = {Region.INTERNAL: True, Region.EXTERNAL: False}


# --- lists of reviews -------------------------------------------------------------------------------


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


# --- what editors do --------------------------------------------------------------------------------


def _ids(help_text: str) -> serializers.ListField:
    child = serializers.CharField(max_length=MAX_ARTICLE_ID, trim_whitespace=False)
    return serializers.ListField(child=child, default=list, max_length=AT_MOST, help_text=help_text)


def _versions() -> serializers.DictField:
    child = serializers.IntegerField(min_value=1, max_value=MOST_NUMBER)
    return serializers.DictField(
        child=child, default=dict, help_text="By article id: the version you have seen; another one is a 409."
    )


def _actor() -> serializers.CharField:
    return serializers.CharField(
        default="", allow_blank=True, max_length=TEXT_AUDITED, help_text="Goes on record; who is signed in counts."
    )


class DecideSerializer(Serializer):
    """What becomes of articles. An id may be in one group only, once."""

    selected_ids = _ids("To the end of the selected, in this order.")
    backup_ids = _ids("To the end of the backup, in this order.")
    discarded_ids = _ids("Never exported by the worker either.")
    pending_ids = _ids("Undecided again.")
    versions = _versions()
    actor = _actor()


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
    actor = _actor()


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
    actor = _actor()

    def as_edits(self) -> dict[str, Edit]:
        """The validated wish in the service's words."""
        return {article_id: Edit(**values) for article_id, values in self.validated_data["edits"].items()}


class EditedSerializer(Serializer):
    """How many reviews changed."""

    updated = serializers.IntegerField()


# --- an export by hand ------------------------------------------------------------------------------


class ExportSerializer(Serializer):
    """A wish to print what is selected, and to record it unless `dryRun`."""

    report_tag = serializers.CharField(
        default="", allow_blank=True, trim_whitespace=False, help_text="Without one it is the date."
    )
    report_date = serializers.DateField(
        default=None, allow_null=True, help_text="Without one the date the tag begins with, else today."
    )
    template = serializers.CharField(default="zongbao", max_length=50)
    period = serializers.IntegerField(default=None, allow_null=True, min_value=1, max_value=MOST_NUMBER)
    total_period = serializers.IntegerField(default=None, allow_null=True, min_value=1, max_value=MOST_NUMBER)
    mark_exported = serializers.BooleanField(default=True)
    dry_run = serializers.BooleanField(default=False, help_text="A preview: nothing is written.")
    output_path = serializers.CharField(
        default="", allow_blank=True, allow_null=True, trim_whitespace=False,
        help_text="A file below the folder for exports.",
    )  # fmt: skip
    expected_sha256 = serializers.RegexField(
        "^[0-9a-f]{64}$", default="", allow_blank=True,
        help_text="Of a preview: 409 `preview-outdated` when the text would be another by now.",
    )  # fmt: skip
    article_ids = serializers.ListField(
        child=serializers.CharField(max_length=MAX_ARTICLE_ID, trim_whitespace=False),
        default=None, allow_null=True, max_length=AT_MOST, help_text="Only these of the selected.",
    )  # fmt: skip
    actor = _actor()


class ExportedItemSerializer(Serializer):
    """One printed article."""

    article_id = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    score = serializers.DecimalField(max_digits=6, decimal_places=3, allow_null=True)
    source = serializers.CharField()
    llm_source_display = serializers.CharField()
    published_at = serializers.DateTimeField(allow_null=True)
    sentiment = serializers.ChoiceField(Sentiment.choices)
    region = serializers.ChoiceField(Region.choices)
    section = serializers.CharField()


class NotPrintedSerializer(Serializer):
    """A selected article that is not in the text."""

    article_id = serializers.CharField()
    reason = serializers.ChoiceField(NotPrinted.choices)


class ExportedSerializer(Serializer):
    """A brief as it was, or would be, exported."""

    items = ExportedItemSerializer(many=True, help_text="In printed order.")
    count = serializers.IntegerField(help_text="How many were printed.")
    report_tag = serializers.CharField()
    report_date = serializers.DateField()
    output_path = serializers.CharField()
    category_counts = serializers.DictField(child=serializers.IntegerField())
    content = serializers.CharField()
    sha256 = serializers.CharField()
    period = serializers.IntegerField(allow_null=True)
    total_period = serializers.IntegerField(allow_null=True)
    template = serializers.CharField()
    dry_run = serializers.BooleanField()
    not_printed = NotPrintedSerializer(many=True)
    skipped_duplicates = serializers.ListField(
        child=serializers.CharField(), help_text="Printed, but the brief had recorded them already."
    )
    batch_id = serializers.CharField(allow_null=True)
    run_id = serializers.IntegerField(allow_null=True)
    recorded = serializers.IntegerField(help_text="How many articles the brief did not have before.")


def exported(brief: Brief, *, dry_run: bool) -> dict[str, Any]:
    """A brief as ExportedSerializer takes it."""
    numbers = brief.numbers or {}
    return {
        "items": [
            {
                "article_id": placed.story.article_id,
                "title": placed.story.title,
                "summary": placed.story.summary,
                "score": placed.story.score,
                "source": placed.story.source,
                "llm_source_display": placed.story.source,
                "published_at": placed.story.published_at,
                "sentiment": placed.story.sentiment,
                "region": placed.story.region,
                "section": placed.section,
            }
            for placed in brief.printed.placed
        ],
        "count": len(brief.printed.placed),
        "report_tag": brief.report_tag,
        "report_date": brief.report_date,
        "output_path": brief.output_path,
        "category_counts": brief.category_counts,
        "content": brief.content,
        "sha256": brief.sha256,
        "period": numbers.get("period"),
        "total_period": numbers.get("total_period"),
        "template": brief.template,
        "dry_run": dry_run,
        "not_printed": [{"article_id": each.article_id, "reason": each.reason} for each in brief.not_printed],
        "skipped_duplicates": brief.skipped_duplicates,
        "batch_id": None if brief.batch is None else archive.key_of(brief.batch),
        "run_id": None if brief.run is None else brief.run.pk,
        "recorded": brief.recorded,
    }


# --- articles coming in -----------------------------------------------------------------------------


class ArticlesSerializer(Serializer):
    """Articles by their own ids. Each is checked by itself, so a fault of one keeps no other out."""

    articles = serializers.ListField(
        child=JSONField(), min_length=1, max_length=ROWS_AT_MOST, help_text="See docs/api.md for the fields."
    )
    replace = serializers.BooleanField(default=False, help_text="Empty the fields an article does not name.")


class RowFaultSerializer(Serializer):
    """What is wrong with one row."""

    row = serializers.IntegerField(help_text="From zero.")
    pointer = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()
    article_id = serializers.CharField(help_text="Where it could be read.")


class IngestedSerializer(Serializer):
    """What became of the articles."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    errors = RowFaultSerializer(many=True, help_text="Of the rows that were left out.")


# --- briefs -----------------------------------------------------------------------------------------


class BatchItemSerializer(Serializer):
    """One article of a brief, with what it looked like then."""

    id = serializers.IntegerField()
    article_id = serializers.CharField()
    section = serializers.CharField()
    order_index = serializers.IntegerField()
    final_summary = serializers.CharField()
    metadata = JSONField()


class BatchRowSerializer(Serializer):
    """A brief in a list."""

    batch_id = serializers.SerializerMethodField(help_text="The table and the id there, as in manual-12.")
    source = serializers.SerializerMethodField()
    report_tag = serializers.CharField()
    report_date = serializers.DateField()
    sequence_no = serializers.IntegerField()
    generated_by = serializers.CharField()
    template = serializers.CharField()
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    item_count = serializers.IntegerField()

    def get_batch_id(self, batch: archive.Batch) -> str:
        """What to ask for it by."""
        return archive.key_of(batch)

    @extend_schema_field(serializers.ChoiceField(Source.choices))
    def get_source(self, batch: archive.Batch) -> str:
        """Which line made it."""
        return archive.source_of(batch)


class BatchSerializer(BatchRowSerializer):
    """A brief whole; its payload is exactly what is stored."""

    export_payload = JSONField()
    content = serializers.CharField(help_text="The newest text.")
    items = serializers.SerializerMethodField(help_text="Left out with includeItems=false.")

    def __init__(self, *args: Any, include_items: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.include_items = include_items

    @extend_schema_field(BatchItemSerializer(many=True))
    def get_items(self, batch: archive.Batch) -> Any:
        """In printed order."""
        items: models.QuerySet = archive.items_of(batch)
        return BatchItemSerializer(items, many=True).data if self.include_items else []


@extend_schema_serializer(many=False)  # it is the page, though what answers it is called list
class BatchPageSerializer(PageSerializer):
    """A page of briefs, newest first."""

    batches = BatchRowSerializer(many=True)
