"""Product sync as programs see it."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers import JSONField, ModelSerializer, Serializer
from etl.products.choices import Resolution
from etl.products.models import MOST_SHARDS, Product, ProductChange, ProductSyncRun, RejectedRow
from etl.products.positions import Position
from etl.products.services import SyncOptions
from etl.products.wishes import KEYS_AT_MOST, keys_asked, mode_asked
from runs.api import RUN_FIELDS, RunSerializer

# fits the database's integer, and a day is longer than any source's transactions
MOST = 2_147_483_647
LONGEST_LOOKBACK_SECONDS = 10 * 365 * 86_400


class ProductKeySerializer(Serializer):
    """What makes it one product."""

    brand_code = serializers.CharField()
    sku = serializers.CharField()


class SyncRequestSerializer(Serializer):
    """A wish for a product sync; what is left out has the default of the command."""

    limit = serializers.IntegerField(min_value=1, max_value=1_000_000, default=1000, help_text="Rows per batch.")
    resume = serializers.BooleanField(default=True, help_text="Start at the watermark, not at the first row.")
    dry_run = serializers.BooleanField(default=False, help_text="Compare only; only the run's own row is written.")
    lookback = serializers.IntegerField(
        min_value=0, max_value=LONGEST_LOOKBACK_SECONDS, default=300, help_text="Seconds read again."
    )
    max_batches = serializers.IntegerField(min_value=1, max_value=MOST, default=None, allow_null=True)
    max_rejects = serializers.IntegerField(min_value=0, max_value=MOST, default=None, allow_null=True)
    full = serializers.BooleanField(
        default=False, help_text="Read everything, then delete the products that no source row is about."
    )
    max_delete_percent = serializers.IntegerField(
        min_value=0,
        max_value=100,
        default=10,
        help_text="With `full`: of the listed products; beyond it the run fails.",
    )
    since = serializers.DateTimeField(default=None, allow_null=True, help_text="Read only rows from here on again.")
    until = serializers.DateTimeField(default=None, allow_null=True, help_text="Read only rows up to here again.")
    keys = serializers.ListField(
        child=ProductKeySerializer(),
        default=None,
        allow_null=True,
        min_length=1,
        max_length=KEYS_AT_MOST,
        help_text="Read only rows of these products again.",
    )
    shards = serializers.IntegerField(
        min_value=1, max_value=MOST_SHARDS, default=1, help_text="Parts of the keys that workers read side by side."
    )
    rehash = serializers.BooleanField(default=False, help_text="Compute the versions of stored products anew.")

    def as_options(self) -> SyncOptions:
        """The validated wish in the service's words. Raises ValidationError where it contradicts itself."""
        wish = self.validated_data
        picked = {name: wish[name] for name in ("since", "until", "keys")}
        named = [(key["brand_code"], key["sku"]) for key in wish["keys"] or []]
        return SyncOptions(
            batch_size=wish["limit"],
            resume=wish["resume"],
            dry_run=wish["dry_run"],
            lookback=timedelta(seconds=wish["lookback"]),
            max_batches=wish["max_batches"],
            max_rejects=wish["max_rejects"],
            mode=mode_asked(full=wish["full"], rehash=wish["rehash"], **picked),
            max_delete_percent=wish["max_delete_percent"],
            shards=wish["shards"],
            **picked | {"keys": keys_asked(named)},
        )


class PositionSerializer(Serializer):
    """A place in the source."""

    at = serializers.DateTimeField()
    id = serializers.IntegerField()


class KeyPairSerializer(ProductKeySerializer):
    """A product's key as a run stores it: [brand, SKU]."""

    def to_representation(self, instance: list[str]) -> dict[str, str]:
        """By name."""
        return super().to_representation(dict(zip(("brand_code", "sku"), instance, strict=True)))


class ProductRunSerializer(RunSerializer):
    """A run of product sync."""

    limit = serializers.IntegerField(source="batch_size", read_only=True)
    lookback = serializers.SerializerMethodField(help_text="Seconds.")
    watermark_before = PositionSerializer(source="started_from", read_only=True, allow_null=True)
    watermark_after = PositionSerializer(source="watermark", read_only=True, allow_null=True)
    rows_per_second = serializers.FloatField(read_only=True)
    differences = JSONField(read_only=True, help_text="The first differences a dry run found.")
    first_keys_not_found = KeyPairSerializer(many=True, read_only=True)

    class Meta:
        model = ProductSyncRun
        fields = (
            *RUN_FIELDS, "source", "mode", "limit", "resume", "dry_run", "lookback", "max_batches", "max_rejects",
            "max_delete_percent", "shards", "since", "until", "keys_not_found", "first_keys_not_found", "phase",
            "rows_expected", "read", "created", "updated", "unchanged", "superseded", "rejected", "deleted", "waiting",
            "batches", "seconds", "rows_per_second", "watermark_before", "watermark_after", "differences",
        )  # fmt: skip
        read_only_fields = fields

    def get_lookback(self, run: ProductSyncRun) -> int:
        """Seconds read again before the watermark."""
        return int(run.lookback.total_seconds())


class ProductSerializer(ModelSerializer):
    """A product; its JSON is exactly what is stored."""

    class Meta:
        model = Product
        fields = (
            "id", "brand_code", "sku", "name", "price", "on_sale", "colors", "tags", "attributes", "description",
            "image_url", "data_version", "src_updated_at", "src_id", "is_deleted", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class ProductChangeSerializer(ModelSerializer):
    """A line of the change log."""

    product_id = serializers.IntegerField(read_only=True)
    run_id = serializers.IntegerField(read_only=True, allow_null=True)

    class Meta:
        model = ProductChange
        fields = (
            "id", "product_id", "brand_code", "sku", "change_type", "old_version", "new_version", "changed_fields",
            "run_id", "created_at",
        )  # fmt: skip
        read_only_fields = fields


class RejectedRowSerializer(ModelSerializer):
    """A source row that could not be taken over."""

    reason_text = serializers.CharField(source="get_reason_display", read_only=True)
    run_id = serializers.IntegerField(read_only=True, allow_null=True)
    resolved_by_run_id = serializers.IntegerField(read_only=True, allow_null=True)
    resolution = serializers.ChoiceField(
        [("", "Not resolved"), *Resolution.choices], read_only=True, help_text="Empty while it is open."
    )

    class Meta:
        model = RejectedRow
        fields = (
            "id", "source", "src_id", "brand", "sku", "reason", "reason_text", "field", "detail", "raw", "run_id",
            "created_at", "resolved_at", "resolved_by_run_id", "resolution",
        )  # fmt: skip
        read_only_fields = fields


class WatermarkSerializer(Serializer):
    """How far a source has been read; nulls when it never was."""

    source = serializers.CharField()
    position = PositionSerializer(allow_null=True)
    moved_at = serializers.DateTimeField(allow_null=True)
    lag_seconds = serializers.SerializerMethodField(help_text="Age of the newest row read.")

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_lag_seconds(self, facts: dict[str, Any]) -> float | None:
        """Database time less the watermark's time."""
        position: Position | None = facts["position"]
        return None if position is None else round((facts["now"] - position.at).total_seconds(), 3)
