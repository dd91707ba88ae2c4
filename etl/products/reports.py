"""A run as the command line tells it."""

from typing import Any

from etl.products.choices import Mode
from etl.products.models import ProductSyncRun
from etl.products.positions import Position


def as_report(run: ProductSyncRun) -> dict[str, Any]:
    """One flat object a script can read; `runId` is null for a dry run that left no row."""
    report = {
        "runId": run.pk,
        "status": str(run.status),
        "dryRun": run.dry_run,
        "read": run.read,
        "created": run.created,
        "updated": run.updated,
        "unchanged": run.unchanged,
        "superseded": run.superseded,
        "rejected": run.rejected,
        "deleted": run.deleted,
        "batches": run.batches,
        "watermarkBefore": as_place(run.started_from),
        "watermarkAfter": as_place(run.watermark),
        "seconds": round(run.seconds, 3),
        "rowsPerSecond": run.rows_per_second,
    }
    if run.mode != Mode.SYNC:
        report["mode"] = str(run.mode)
    if run.shards > 1:
        report["shards"] = run.shards
    if run.keys:
        report["keysNotFound"] = as_keys(run)
    if run.error:
        report["error"] = run.error
    if run.dry_run:
        report["differences"] = run.differences
    return report


def as_keys(run: ProductSyncRun) -> dict[str, Any]:
    """How many of the products asked for the source does not have, and the first of them."""
    return {"count": run.keys_not_found, "first": [f"{brand}/{sku}" for brand, sku in run.first_keys_not_found]}


def as_place(position: Position | None) -> dict[str, Any] | None:
    """A position as JSON; null for "never read"."""
    return None if position is None else {"at": position.at.isoformat(), "id": position.id}
