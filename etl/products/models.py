"""Nouns of product sync: source rows, products, their changes, runs, rejects and the watermark."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex, GinIndex, OpClass
from django.db import models
from django.db.models import Func, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from etl.products.choices import ChangeType, Mode, Phase, RejectReason, Resolution, SyncError
from etl.products.positions import BEFORE_EVERY_ID, Cursor, Position
from etl.products.querysets import (
    ProductChangeQuerySet,
    ProductQuerySet,
    ProductSyncRunQuerySet,
    RejectedRowQuerySet,
    WatermarkQuerySet,
)
from runs.models import Run, open_index, run_constraints
from runs.querysets import ClockTimestamp

EMPTY_LIST = models.Value([], output_field=ExactJSONField())


class StagingProduct(models.Model):
    """A row of the source as the feed delivers it: loosely typed, and read-only for us.

    Only the sample writes it. Payload columns are text, as real feeds are.
    """

    id = models.BigAutoField(primary_key=True)
    style_brand_no = models.TextField(null=True)  # noqa: DJ001 - absent and empty differ in a source
    style_no = models.TextField(null=True)  # noqa: DJ001
    name = models.TextField(null=True)  # noqa: DJ001
    price = models.TextField(null=True)  # noqa: DJ001
    colors_concat = models.TextField(null=True)  # noqa: DJ001
    tags_json = models.TextField(null=True)  # noqa: DJ001
    attrs_json = models.TextField(null=True)  # noqa: DJ001
    description = models.TextField(null=True)  # noqa: DJ001
    image_url = models.TextField(null=True)  # noqa: DJ001
    on_sale = models.TextField(null=True)  # noqa: DJ001
    src_updated_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "products_staging"
        verbose_name = _("source row")
        verbose_name_plural = _("source rows")
        indexes: ClassVar = [models.Index(fields=["src_updated_at", "id"], name="idx_products_staging_cursor")]

    def __str__(self) -> str:
        return f"{self.style_brand_no} {self.style_no}"


class Product(models.Model):
    """A product as the newest good source row tells it; only product sync writes it."""

    brand_code = models.CharField(_("brand"), max_length=64)
    sku = models.CharField(_("SKU"), max_length=64)
    name = models.CharField(_("name"), max_length=255)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2)
    on_sale = models.BooleanField(_("on sale"))
    colors = ExactJSONField(_("colours"))
    tags = ExactJSONField(_("tags"))
    attributes = ExactJSONField(_("attributes"))
    description = models.TextField(_("description"), null=True)  # noqa: DJ001 - the version tells null from ''
    image_url = models.CharField(_("image"), max_length=512, null=True)  # noqa: DJ001
    data_version = models.CharField(_("data version"), max_length=80)
    src_updated_at = models.DateTimeField(_("changed at source"), null=True)
    src_id = models.BigIntegerField(_("source row"), null=True)
    # tells the text of the source row it was last written from; null while unknown
    source_fingerprint = models.BigIntegerField(null=True, editable=False)
    is_deleted = models.BooleanField(_("deleted at source"), default=False, db_default=False)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp())
    updated_at = models.DateTimeField(_("updated at"), db_default=ClockTimestamp())

    objects = ProductQuerySet.as_manager()

    class Meta:
        db_table = "products"
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering: ClassVar = ["id"]
        permissions: ClassVar = [("export_product", _("Can export products"))]
        # each for a filter or search of a list; where the list's order can come from the index, id is in it
        indexes: ClassVar = [
            models.Index(fields=["brand_code", "id"], name="product_by_brand"),
            models.Index(fields=["sku", "id"], opclasses=["text_pattern_ops", "int8_ops"], name="product_by_sku"),
            models.Index(fields=["id"], condition=Q(on_sale=True), name="product_on_sale"),
            models.Index(fields=["id"], condition=Q(on_sale=False), name="product_not_on_sale"),
            models.Index(fields=["id"], condition=Q(is_deleted=True), name="product_deleted"),
            models.Index(fields=["price"], name="product_by_price"),
            models.Index(fields=["updated_at"], name="product_by_change"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="product_name_parts"),
            GinIndex(fields=["tags"], opclasses=["jsonb_path_ops"], name="product_by_tag"),
            GinIndex(fields=["attributes"], opclasses=["jsonb_path_ops"], name="product_by_attribute"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["brand_code", "sku"],
                name="idx_products_brand_sku",
                violation_error_message=_("This brand already has a product with this SKU."),
            ),
            models.CheckConstraint(
                # NaN compares greater than every number, so both bounds are needed
                condition=Q(price__gte=0, price__lt=10_000_000_000),
                name="product_price_is_a_finite_amount",
                violation_error_message=_("A price is a number from 0 to 9,999,999,999.99."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand_code} {self.sku}"


class TransactionId(models.Field):
    """PostgreSQL's xid8: the transaction that wrote a row, comparable with snapshots. A number in Python."""

    def db_type(self, connection: object) -> str:
        return "xid8"

    def get_prep_value(self, value: Any) -> Any:
        # xid8 compares with no integer; a text of unknown type becomes what it is compared with
        return str(value) if isinstance(value, int) else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value if value is None else int(value)


class ProductChange(models.Model):
    """One real change of one product. Append-only; the trusted queue for downstream consumers."""

    # no index of their own: the indexes below begin with these columns
    product = models.ForeignKey(
        Product,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="changes",
        verbose_name=_("product"),
    )
    brand_code = models.CharField(_("brand"), max_length=64)
    sku = models.CharField(_("SKU"), max_length=64)
    change_type = models.CharField(_("type"), max_length=8, choices=ChangeType)
    old_version = models.CharField(_("old version"), max_length=80, null=True)  # noqa: DJ001 - a CREATE has none
    new_version = models.CharField(_("new version"), max_length=80)
    changed_fields = ExactJSONField(_("changed fields"), help_text=_("Field → [old, new]; empty for a CREATE."))
    run = models.ForeignKey(
        "etl.ProductSyncRun",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="changes",
        verbose_name=_("run"),
    )
    xid = TransactionId(db_default=Func(function="pg_current_xact_id"), editable=False)
    created_at = models.DateTimeField(_("at"), db_default=ClockTimestamp())

    objects = ProductChangeQuerySet.as_manager()

    class Meta:
        db_table = "product_change_log"
        verbose_name = _("product change")
        verbose_name_plural = _("product changes")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("export_productchange", _("Can export product changes"))]
        indexes: ClassVar = [
            models.Index(fields=["brand_code", "id"], name="product_change_by_brand"),
            models.Index(fields=["sku", "id"], name="product_change_by_sku"),
            # one per type: of an index that begins with the type the planner would rather read the whole log
            *(
                models.Index(fields=["id"], condition=Q(change_type=each), name=f"product_change_{each.lower()}")
                for each in ChangeType.values
            ),
            models.Index(fields=["product", "id"], name="product_change_by_product"),
            models.Index(fields=["run", "id"], name="product_change_by_run"),
            models.Index(fields=["xid"], name="product_change_by_xid"),
            # the log grows in the order of time, so a few pages of BRIN find a day among millions
            BrinIndex(fields=["created_at"], name="product_change_by_day", autosummarize=True),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="change_log_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.change_type} {self.brand_code} {self.sku}"


class FeedConsumer(models.Model):
    """A program that follows the change feed and keeps its place here, beside the effects of what it read."""

    name = models.CharField(_("consumer"), max_length=64, unique=True)
    cursor = models.TextField(_("cursor"))
    received = models.PositiveBigIntegerField(_("changes received"), default=0, db_default=0)
    last_change_id = models.BigIntegerField(_("last change"), null=True)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp())
    updated_at = models.DateTimeField(_("moved at"), db_default=ClockTimestamp())

    class Meta:
        verbose_name = _("feed consumer")
        verbose_name_plural = _("feed consumers")
        ordering: ClassVar = ["name"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name


class Watermark(models.Model):
    """How far a source has been read: strictly the ordered pair (time, id)."""

    table_name = models.CharField(_("source"), max_length=64, unique=True)
    last_processed_at = models.DateTimeField(_("read up to"))
    last_processed_id = models.BigIntegerField(_("row"))
    updated_at = models.DateTimeField(_("moved at"), db_default=ClockTimestamp())

    objects = WatermarkQuerySet.as_manager()

    class Meta:
        db_table = "etl_watermark"
        verbose_name = _("watermark")
        verbose_name_plural = _("watermarks")
        permissions: ClassVar = [("rewind_watermark", _("Can rewind the watermark"))]

    def __str__(self) -> str:
        return self.table_name


# what `max_batches` counts: if retried rejects did, a long list of them would keep a run with few batches
# from ever reading on
COUNTED_PHASES = (Phase.PAGES, Phase.KEYS)
MOST_SHARDS = 64


class ProductSyncRun(Run):
    """One piece of work on the products. Statuses and transitions are those of runs.models.Run.

    A run reads in phases (Phase); `phase`, `cursor_at` and `cursor_id` say how far, and move in the
    same transaction as what was read, so a run that is killed goes on exactly there.
    """

    TASK: ClassVar[str] = "etl.tasks.run_product_sync"
    QUEUE: ClassVar[str] = "etl"
    ERRORS: ClassVar[type[models.TextChoices]] = SyncError

    source = models.CharField(_("source"), max_length=64)
    batch_size = models.PositiveIntegerField(_("rows per batch"), default=1000)
    resume = models.BooleanField(
        _("resume"), default=True, help_text=_("Start at the watermark, not at the first row.")
    )
    dry_run = models.BooleanField(_("dry run"), default=False)
    lookback = models.DurationField(_("look-back"), default=timedelta(minutes=5))
    max_batches = models.PositiveIntegerField(_("batches at most"), null=True, blank=True)
    max_rejects = models.PositiveIntegerField(_("rejects at most"), null=True, blank=True)
    mode = models.CharField(_("mode"), max_length=8, choices=Mode, default=Mode.SYNC, db_default=Mode.SYNC)
    since = models.DateTimeField(_("rows changed since"), null=True, blank=True)
    until = models.DateTimeField(_("rows changed until"), null=True, blank=True)
    keys = ExactJSONField(
        _("keys"),
        default=list,
        db_default=EMPTY_LIST,
        blank=True,
        help_text=_("[brand, SKU] of the products to read; empty for all."),
    )
    shards = models.PositiveSmallIntegerField(
        _("shards"), default=1, db_default=1, help_text=_("Parts of the keys that workers read side by side.")
    )
    max_delete_percent = models.PositiveSmallIntegerField(_("percent deleted at most"), default=10, db_default=10)

    read_until = models.DateTimeField(_("reads rows up to"), null=True, editable=False)
    rows_expected = models.PositiveBigIntegerField(_("rows expected"), null=True, editable=False)
    phase = models.CharField(_("phase"), max_length=8, choices=Phase, default=Phase.REJECTS)
    cursor_at = models.DateTimeField(_("cursor"), null=True, editable=False)
    cursor_id = models.BigIntegerField(_("cursor row"), null=True, editable=False)

    read = models.PositiveBigIntegerField(_("read"), default=0)
    created = models.PositiveBigIntegerField(_("created"), default=0)
    updated = models.PositiveBigIntegerField(_("updated"), default=0)
    unchanged = models.PositiveBigIntegerField(_("unchanged"), default=0)
    superseded = models.PositiveBigIntegerField(_("superseded"), default=0)
    rejected = models.PositiveBigIntegerField(_("rejected"), default=0)
    deleted = models.PositiveBigIntegerField(_("deleted"), default=0)
    waiting = models.PositiveBigIntegerField(
        _("waiting"), default=0, help_text=_("Rows stamped in the future; a later run reads them.")
    )
    batches = models.PositiveIntegerField(_("batches"), default=0)
    seconds = models.FloatField(_("seconds of work"), default=0)
    watermark_before_at = models.DateTimeField(_("watermark before"), null=True, editable=False)
    watermark_before_id = models.BigIntegerField(_("watermark row before"), null=True, editable=False)
    watermark_after_at = models.DateTimeField(_("watermark after"), null=True, editable=False)
    watermark_after_id = models.BigIntegerField(_("watermark row after"), null=True, editable=False)
    differences = ExactJSONField(_("first differences"), default=list, blank=True, help_text=_("Of a dry run."))
    keys_not_found = models.PositiveIntegerField(_("keys not found"), default=0, db_default=0)
    first_keys_not_found = ExactJSONField(_("first keys not found"), default=list, db_default=EMPTY_LIST, blank=True)

    objects = ProductSyncRunQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        verbose_name = _("product sync run")
        verbose_name_plural = _("product sync runs")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("run_product_sync", _("Can run product sync")),
            ("export_productsyncrun", _("Can export product sync runs")),
        ]
        indexes: ClassVar = [
            open_index(Run.STATUSES),
            models.Index(fields=["status", "id"], name="productsyncrun_by_status"),
        ]
        constraints: ClassVar = [
            *run_constraints(Run.STATUSES),
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(status__in=sorted(Run.STATUSES.open), dry_run=False),
                name="one_open_product_sync_per_source",
                violation_error_message=_("Product sync is already running."),
            ),
            models.CheckConstraint(
                condition=Q(
                    read=models.F("created")
                    + models.F("updated")
                    + models.F("unchanged")
                    + models.F("superseded")
                    + models.F("rejected")
                ),
                name="product_sync_accounts_for_every_row_read",
                violation_error_message=_("Every row read is counted exactly once."),
            ),
            models.CheckConstraint(
                condition=Q(batch_size__gte=1),
                name="product_sync_batch_has_a_row",
                violation_error_message=_("A batch has at least one row."),
            ),
            models.CheckConstraint(
                condition=Q(mode__in=Mode.values),
                name="product_sync_mode_is_known",
                violation_error_message=_("This mode does not exist."),
            ),
            models.CheckConstraint(
                # a replay of everything would be a sync that loses its watermark
                condition=Q(mode=Mode.REPLAY) & ~Q(since=None, until=None, keys=EMPTY_LIST)
                | ~Q(mode=Mode.REPLAY) & Q(since=None, until=None, keys=EMPTY_LIST),
                name="product_sync_replay_says_of_what",
                violation_error_message=_("A replay, and nothing else, says which rows to read."),
            ),
            models.CheckConstraint(
                condition=Q(since=None) | Q(until=None) | Q(since__lte=models.F("until")),
                name="product_sync_window_begins_before_it_ends",
                violation_error_message=_("The end lies before the beginning."),
            ),
            models.CheckConstraint(
                condition=Q(shards__gte=1, shards__lte=MOST_SHARDS),
                name="product_sync_has_a_shard",
                violation_error_message=_("A run has 1 to 64 shards."),
            ),
            models.CheckConstraint(
                condition=Q(max_delete_percent__lte=100),
                name="product_sync_deletes_at_most_all",
                violation_error_message=_("A share lies between 0 and 100 percent."),
            ),
        ]

    @property
    def rows_per_second(self) -> float:
        """Rows read per second of work, waiting and dead time left out."""
        return round(self.read / self.seconds, 1) if self.seconds else 0.0

    @property
    def cursor(self) -> Cursor:
        """How far this run has read."""
        return Cursor(self.phase, self.cursor_at, BEFORE_EVERY_ID if self.cursor_id is None else self.cursor_id)

    @property
    def started_from(self) -> Position | None:
        """Where the source's watermark stood when the run began; None for never read."""
        return position(self.watermark_before_at, self.watermark_before_id)

    @property
    def watermark(self) -> Position | None:
        """The source's watermark as this run left it."""
        return position(self.watermark_after_at, self.watermark_after_id)

    @property
    def first_phase(self) -> Phase:
        """Where a run of this mode begins."""
        if self.mode == Mode.REHASH:
            return Phase.REHASH
        if self.mode == Mode.REPLAY:
            return Phase.KEYS if self.keys else Phase.PAGES
        return Phase.REJECTS

    @property
    def reads_to_the_end(self) -> bool:
        """Whether what is left unread is what waits."""
        return self.mode in (Mode.SYNC, Mode.FULL)

    def begin(self, *, watermark: Position | None, until: datetime) -> None:
        """Fix in memory where the run starts and what it reads up to."""
        self.read_until = until if self.until is None else min(self.until, until)
        if watermark is not None:
            self.watermark_before_at, self.watermark_before_id = watermark
            self.watermark_after_at, self.watermark_after_id = watermark

    def fixed_at_start(self) -> dict[str, Any]:
        """What begin() fixed, by field."""
        names = ("read_until", "watermark_before_at", "watermark_before_id", "watermark_after_at", "watermark_after_id")
        return {name: getattr(self, name) for name in names}

    def has_enough(self, pages: int) -> bool:
        """Whether `pages` of COUNTED_PHASES are all that was asked for."""
        return self.max_batches is not None and pages >= self.max_batches

    def progress_after(self, rows: int) -> int:
        """Percent once `rows` more are read; 100 is kept for the end."""
        return min(99, (self.read + rows) * 100 // max(1, self.rows_expected or 0))


def position(at: datetime | None, row_id: int | None) -> Position | None:
    """A place in a source from its two columns."""
    return None if at is None or row_id is None else Position(at, row_id)


class ProductSyncBatch(models.Model):
    """What one page of a run did."""

    run = models.ForeignKey(
        ProductSyncRun, on_delete=models.CASCADE, db_index=False, related_name="batch_log", verbose_name=_("run")
    )
    shard = models.PositiveSmallIntegerField(_("shard"), default=0, db_default=0)  # 0: the run itself
    number = models.PositiveIntegerField(_("batch"))
    phase = models.CharField(_("phase"), max_length=8, choices=Phase)
    read = models.PositiveIntegerField(_("read"))
    created = models.PositiveIntegerField(_("created"))
    updated = models.PositiveIntegerField(_("updated"))
    unchanged = models.PositiveIntegerField(_("unchanged"))
    superseded = models.PositiveIntegerField(_("superseded"))
    rejected = models.PositiveIntegerField(_("rejected"))
    deleted = models.PositiveIntegerField(_("deleted"), default=0, db_default=0)
    seconds = models.FloatField(_("seconds"))
    cursor_at = models.DateTimeField(_("up to"), null=True)
    cursor_id = models.BigIntegerField(_("row"))
    created_at = models.DateTimeField(_("at"), db_default=ClockTimestamp())

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering: ClassVar = ["run", "shard", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "shard", "number"], name="product_sync_batch_of_a_shard_is_numbered_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.number}"


class RejectedRow(models.Model):
    """A source row that could not be taken over, kept until it is mended or gone."""

    source = models.CharField(_("source"), max_length=64)
    src_id = models.BigIntegerField(_("source row"))
    brand = models.CharField(_("brand"), max_length=64, blank=True)
    sku = models.CharField(_("SKU"), max_length=64, blank=True)
    reason = models.CharField(_("reason"), max_length=32, choices=RejectReason)
    field = models.CharField(_("field"), max_length=32, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    raw = ExactJSONField(_("row as read"))
    run = models.ForeignKey(
        ProductSyncRun, on_delete=models.SET_NULL, null=True, related_name="rejects", verbose_name=_("run")
    )
    created_at = models.DateTimeField(_("rejected at"), db_default=ClockTimestamp())
    resolved_at = models.DateTimeField(_("resolved at"), null=True)
    resolved_by_run = models.ForeignKey(
        ProductSyncRun,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("resolved by run"),
    )
    resolution = models.CharField(_("resolution"), max_length=16, choices=Resolution, blank=True, default="")

    objects = RejectedRowQuerySet.as_manager()

    class Meta:
        verbose_name = _("rejected row")
        verbose_name_plural = _("rejected rows")
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("retry_rejectedrow", _("Can retry rejected rows")),
            ("dismiss_rejectedrow", _("Can dismiss rejected rows")),
            ("export_rejectedrow", _("Can export rejected rows")),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(resolved_at=None), name="rejected_row_open"),
            models.Index(fields=["reason", "id"], name="rejected_row_by_reason"),
            models.Index(fields=["field", "id"], name="rejected_row_by_field"),
            models.Index(fields=["brand", "id"], name="rejected_row_by_brand"),
            models.Index(fields=["sku", "id"], name="rejected_row_by_sku"),
            models.Index(fields=["src_id", "id"], name="rejected_row_by_source_row"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "src_id"],
                condition=Q(resolved_at=None),
                name="one_unresolved_reject_per_source_row",
                violation_error_message=_("This source row is already on the list."),
            ),
            models.CheckConstraint(
                condition=Q(resolved_at=None, resolution="") | Q(~Q(resolution=""), resolved_at__isnull=False),
                name="resolved_reject_says_how",
                violation_error_message=_("A resolved row says how it was resolved."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.src_id}: {self.reason}"
