"""An export by hand as programs see it: the wish, and the brief it became."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.serializers import Serializer
from exports import archive
from exports.api.asking import actor_field
from exports.briefs import Brief
from exports.choices import NotPrinted, Region, Sentiment
from exports.numbering import MOST as MOST_NUMBER
from exports.review_rows import AT_MOST
from exports.rows import MAX_ARTICLE_ID


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
    actor = actor_field()


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
