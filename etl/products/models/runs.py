"""The work: how far a source is read, the runs that read it, and what each page did."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from etl.products.choices import Mode, Phase, SyncError
from etl.products.positions import BEFORE_EVERY_ID, Cursor, Position
from etl.products.querysets import ProductSyncRunQuerySet, WatermarkQuerySet
from runs.models import Run, open_index, run_constraints
from runs.querysets import ClockTimestamp

EMPTY_LIST = models.Value([], output_field=ExactJSONField())


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
