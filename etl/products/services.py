"""What operators and clients want of product sync."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import pgtrigger
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from access.services import record
from etl.products.choices import Mode, Phase
from etl.products.decisions import Key, settle
from etl.products.merge import ConcurrentWrite, write
from etl.products.models import MOST_SHARDS, ProductChange, ProductSyncRun, RejectedRow, Watermark
from etl.products.pages import Page
from etl.products.positions import BEFORE_EVERY_ID, FIRST_MOMENT, Cursor
from etl.products.querysets import RejectedRowQuerySet
from etl.products.source import Source
from etl.products.staging import configured_source
from etl.products.wishes import refuse_contradictions
from runs.choices import RunError
from runs.errors import Conflict
from runs.querysets import ClockTimestamp
from runs.services import ring, take_over_expired
from runs.transactions import atomic_retried, retried

RETRY_AT_MOST = 1000
KEYS_AUDITED = 20
OLDEST_TRANSACTION = 3  # the first number PostgreSQL ever gives out


@dataclass(frozen=True)
class SyncOptions:
    """What a product sync is asked to do; the names are fields of ProductSyncRun."""

    batch_size: int = 1000
    resume: bool = True
    dry_run: bool = False
    lookback: timedelta = timedelta(minutes=5)
    max_batches: int | None = None
    max_rejects: int | None = None
    mode: Mode = Mode.SYNC
    since: datetime | None = None
    until: datetime | None = None
    keys: tuple[Key, ...] = ()
    max_delete_percent: int = 10
    shards: int = 1

    def unsaved_run(self, **values: Any) -> ProductSyncRun:
        """A run with these options that exists in memory only."""
        run = ProductSyncRun(source=configured_source().table, **self.as_fields(), **values)
        run.phase = run.first_phase
        return run

    def as_fields(self) -> dict[str, Any]:
        """What a run with these options stores."""
        resume = self.resume and self.mode == Mode.SYNC
        return asdict(self) | {"resume": resume, "keys": [list(key) for key in self.keys]}

    def check(self) -> None:
        """Raise ValidationError where options contradict each other, SourceUnusable where there is no source."""
        refuse_contradictions(self)
        if self.mode != Mode.REHASH:  # which reads only what is stored
            with configured_source() as source:
                source.check()


def as_many_shards_as_cores() -> int:
    """What "auto" means for the number of shards."""
    return min(MOST_SHARDS, os.cpu_count() or 1)


def request_sync(options: SyncOptions, *, actor: Any, requested_by: Any = None) -> ProductSyncRun:
    """Queue a product sync and ring for a worker.

    Raises Conflict ("run-active") while another run of the source is open, unless its worker is dead:
    such a run is ended in favour of this one. Raises as SyncOptions.check() does.
    """
    options.check()

    def create() -> ProductSyncRun:
        run = _create(options, actor=actor, requested_by=requested_by)
        ring(run)
        return run

    return atomic_retried(create)


def start_sync_here(options: SyncOptions, *, actor: Any) -> ProductSyncRun:
    """A run for the caller to work on itself: a queued one with the same options, or a new one.

    Raises as request_sync() does. No bell is rung; the reaper would find the run should the caller die.
    """
    options.check()

    def find_or_create() -> ProductSyncRun:
        waiting = ProductSyncRun.objects.of_source(configured_source().table).filter(
            Q(status=ProductSyncRun.STATUSES.queued)
            | Q(status=ProductSyncRun.STATUSES.running, lease_until__lt=ClockTimestamp()),
            **options.as_fields(),
            attempt__lt=F("max_attempts"),
        )
        waiting.update(not_before=None)  # whoever starts it has seen to what it waited for
        return waiting.first() or _create(options, actor=actor, dispatched_at=ClockTimestamp())

    return atomic_retried(find_or_create)


def _create(options: SyncOptions, *, actor: Any, **values: Any) -> ProductSyncRun:
    """Insert the run, taking over from dead workers; the partial unique index decides who is first."""
    run = options.unsaved_run(**values)
    abandoned = [] if run.dry_run else _end_abandoned(run.source)  # a dry run waits for nobody
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError as error:
        if "one_open_product_sync_per_source" not in str(error):
            raise
        raise already_running(run.source) from error
    ProductSyncRun.objects.filter(pk__in=abandoned).update(superseded_by=run)
    record(actor=actor, action="product-sync.requested", target=run, after=_as_audited(options))
    return run


def _end_abandoned(source: str) -> list[int]:
    """End what dead workers left of this source and what is out of attempts; the keys.

    A command may be all there is: without a reaper nobody else would ever end a hopeless run.
    """
    runs = ProductSyncRun.objects.of_source(source)
    hopeless = runs.fail_exhausted(error=RunError.WORKER_LOST)
    expired = list(runs.expired().values_list("pk", flat=True))
    take_over_expired(ProductSyncRun.objects.filter(pk__in=expired))
    ProductSyncRun.objects.end_parts(expired)
    return hopeless + expired


def already_running(source: str) -> Conflict:
    """The refusal of a second start, naming the run that is in the way."""
    active = ProductSyncRun.objects.of_source(source).open().order_by("-id").first()
    if active is None:
        return Conflict("run-active", _("Product sync is already running."))
    message = _("Product sync is already running: run %(id)s is %(status)s.")
    facts = {"id": active.pk, "status": active.get_status_display().lower()}
    return Conflict("run-active", message % facts, runId=active.pk)


@dataclass(frozen=True)
class RetryOutcome:
    """What became of rejected rows that were tried again."""

    resolved: int
    still_rejected: int


def retry_rejected_rows(ids: list[int], *, actor: Any) -> RetryOutcome:
    """Read these rejected rows from the source again and take over those that are good now.

    At most RETRY_AT_MOST at once; rows that are resolved already are left alone. Safe beside a running
    sync. Raises ValidationError for too many.
    """
    if len(ids) > RETRY_AT_MOST:
        raise ValidationError(
            _("At most %(most)s rows can be retried at once; the next run retries them all."),
            code="too-many",
            params={"most": RETRY_AT_MOST},
        )
    return retried(lambda: _retry(ids, actor=actor), also=(ConcurrentWrite,))


def _retry(ids: list[int], *, actor: Any) -> RetryOutcome:
    with configured_source() as source:
        return _retry_from(source, ids, actor=actor)


def _retry_from(source: Source, ids: list[int], *, actor: Any) -> RetryOutcome:
    unresolved = RejectedRow.objects.unresolved().filter(source=source.table, pk__in=ids)
    src_ids = sorted(unresolved.values_list("src_id", flat=True))
    rows = source.rows(src_ids)
    gone = sorted(set(src_ids) - {row.raw.src_id for row in rows})
    page = Page(rows, Cursor(Phase.REJECTS, None, BEFORE_EVERY_ID), gone)
    decision = settle(page, source)
    with transaction.atomic():
        write(decision, source=source.table, run_id=None, gone=gone)
        outcome = RetryOutcome(len(src_ids) - len(decision.refused), len(decision.refused))
        record(
            actor=actor,
            action="rejected-rows.retried",
            after={"rows": src_ids, "resolved": outcome.resolved, "stillRejected": outcome.still_rejected},
        )
    return outcome


def dismiss_rejected_rows(rows: RejectedRowQuerySet) -> int:
    """Take the open ones of these rows off the list; how many. One statement, whatever their number.

    A dismissed row comes back when its source row changes. The caller opens the transaction and writes
    the audit event, as it knows by which filter they were selected.
    """
    return rows.dismiss()


def rewind_watermark(to: datetime, *, reason: str, actor: Any) -> Watermark:
    """Set the watermark back so that the next run reads again from `to` on.

    Harmless for data, since unchanged rows are not written. Raises ValidationError when there is no
    watermark, no reason, or `to` lies ahead of it or before every row; Conflict while a run is open.
    """
    source = configured_source().table
    if not reason.strip():
        raise ValidationError(_("Say why the watermark is rewound."), code="reason-missing")
    if to < FIRST_MOMENT:
        raise ValidationError(_("No row is that old: choose a later time."), code="too-early")
    with transaction.atomic():
        watermark = Watermark.objects.select_for_update(no_key=True).filter(table_name=source).first()
        if watermark is None:
            raise ValidationError(_("This source was never read; there is no watermark yet."), code="no-watermark")
        if to >= watermark.last_processed_at:
            raise ValidationError(
                _("The watermark only moves back by hand: choose a time before %(at)s."),
                code="not-backward",
                params={"at": watermark.last_processed_at.isoformat()},
            )
        if ProductSyncRun.objects.of_source(source).open().exists():
            raise already_running(source)
        before = {"at": watermark.last_processed_at, "id": watermark.last_processed_id}
        watermark.last_processed_at, watermark.last_processed_id = to, BEFORE_EVERY_ID
        watermark.updated_at = ClockTimestamp()
        watermark.save(update_fields=["last_processed_at", "last_processed_id", "updated_at"])
        watermark.refresh_from_db(fields=["updated_at"])
        record(
            actor=actor,
            action="watermark.rewound",
            target=watermark,
            before=before,
            after={"at": to, "id": BEFORE_EVERY_ID, "reason": reason},
        )
    return watermark


def restart_change_feed(*, reason: str, actor: Any) -> int:
    """Make the log of a restored dump readable as a feed again; how many changes were adopted.

    A dump carries the transaction numbers of the server it came from. Ours would reach them later and the feed
    would take new changes for old ones, so whatever lies ahead of us becomes older than everything. Cursors of
    the other server are gone all the same. Raises ValidationError without a reason.
    """
    if not reason.strip():
        raise ValidationError(_("Say why the change feed is restarted."), code="reason-missing")
    with transaction.atomic(), pgtrigger.ignore("etl.ProductChange:change_log_is_append_only"):
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE product_change_log IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
            next_xid = int(cursor.fetchone()[0])
        adopted: int = ProductChange.objects.filter(xid__gte=next_xid).update(xid=OLDEST_TRANSACTION)
        record(actor=actor, action="change-feed.restarted", after={"changes": adopted, "reason": reason})
    return adopted


def _as_audited(options: SyncOptions) -> dict[str, Any]:
    keys = {"count": len(options.keys), "first": options.keys[:KEYS_AUDITED]}
    return options.as_fields() | {"lookback": options.lookback.total_seconds(), "keys": keys}
