"""The noun and the questions of a shard: one part of the keys of a source, read by one worker."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Max, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from etl.products.choices import Phase, SyncError
from etl.products.models import ProductSyncRun, position
from etl.products.positions import BEFORE_EVERY_ID, Cursor, Position
from runs.models import Run, open_index, run_constraints
from runs.querysets import ClockTimestamp, RunQuerySet

COUNTS = ("read", "created", "updated", "unchanged", "superseded", "rejected")


class ProductSyncShardQuerySet(RunQuerySet):
    """Shards of runs."""

    def claimable(self) -> ProductSyncShardQuerySet:
        """Queued and due, or left by a dead worker."""
        due = Q(not_before=None) | Q(not_before__lte=ClockTimestamp())
        expired = Q(status__in=self.statuses.active, lease_until__lt=ClockTimestamp())
        return self.filter(Q(due, status=self.statuses.queued) | expired, attempt__lt=F("max_attempts"))

    def totals(self) -> dict[str, int]:
        """The sums of what these have counted so far."""
        return self.aggregate(**{name: Coalesce(Sum(name), 0) for name in (*COUNTS, "batches")})

    def furthest(self) -> Position | None:
        """The last row of the source that any of these has read; each reads on to the last."""
        at = self.aggregate(at=Max("cursor_at"))["at"]
        if at is None:
            return None
        return position(at, self.filter(cursor_at=at).aggregate(id=Max("cursor_id"))["id"])


class ProductSyncShard(Run):
    """One of the shards of a run: it reads the whole source in order and takes the rows of its own keys.

    Statuses and transitions are those of runs.models.Run; each shard has a lease and a token of its own.
    It is opened and ended by its run.
    """

    TASK: ClassVar[str] = "etl.tasks.run_product_sync_shard"
    QUEUE: ClassVar[str] = "etl"
    ERRORS: ClassVar[type[models.TextChoices]] = SyncError
    PART_OF: ClassVar[str] = "run"

    run = models.ForeignKey(
        ProductSyncRun, on_delete=models.CASCADE, db_index=False, related_name="parts", verbose_name=_("run")
    )
    number = models.PositiveSmallIntegerField(_("shard"))
    of = models.PositiveSmallIntegerField(_("of"))
    cursor_at = models.DateTimeField(_("cursor"), null=True, editable=False)
    cursor_id = models.BigIntegerField(_("cursor row"), null=True, editable=False)
    read = models.PositiveBigIntegerField(_("read"), default=0)
    created = models.PositiveBigIntegerField(_("created"), default=0)
    updated = models.PositiveBigIntegerField(_("updated"), default=0)
    unchanged = models.PositiveBigIntegerField(_("unchanged"), default=0)
    superseded = models.PositiveBigIntegerField(_("superseded"), default=0)
    rejected = models.PositiveBigIntegerField(_("rejected"), default=0)
    batches = models.PositiveIntegerField(_("batches"), default=0)
    seconds = models.FloatField(_("seconds of work"), default=0)

    objects = ProductSyncShardQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        verbose_name = _("product sync shard")
        verbose_name_plural = _("product sync shards")
        ordering: ClassVar = ["run", "number"]
        indexes: ClassVar = [open_index(Run.STATUSES)]
        constraints: ClassVar = [
            *run_constraints(Run.STATUSES),
            models.UniqueConstraint(fields=["run", "number"], name="product_sync_shard_is_numbered_once"),
            models.CheckConstraint(
                condition=Q(number__gte=1, number__lte=F("of")), name="product_sync_shard_is_one_of_its_number"
            ),
            models.CheckConstraint(
                condition=Q(read=F("created") + F("updated") + F("unchanged") + F("superseded") + F("rejected")),
                name="product_sync_shard_accounts_for_every_row_read",
                violation_error_message=_("Every row read is counted exactly once."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.number}/{self.of}"

    @property
    def cursor(self) -> Cursor:
        """How far this shard has read."""
        return Cursor(Phase.PAGES, self.cursor_at, BEFORE_EVERY_ID if self.cursor_id is None else self.cursor_id)


def open_shards(run: ProductSyncRun) -> list[ProductSyncShard]:
    """The shards of a run, made on the first call. Must run inside the run's fenced transaction."""
    wanted = [ProductSyncShard(run=run, number=number, of=run.shards) for number in range(1, run.shards + 1)]
    ProductSyncShard.objects.bulk_create(wanted, ignore_conflicts=True)
    return list(run.parts.order_by("number"))
