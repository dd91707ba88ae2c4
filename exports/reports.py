"""A run as the command line tells it."""

from typing import Any

from exports.archive import key_of_run
from exports.models import ExportRun


def as_report(run: ExportRun) -> dict[str, Any]:
    """One flat object a script can read; `runId` is null for a dry run that left no row."""
    report = {
        "runId": run.pk,
        "status": str(run.status),
        "dryRun": run.dry_run,
        "reportTag": run.report_tag,
        "reportDate": run.report_date.isoformat(),
        "template": run.template,
        "batchId": key_of_run(run),
        "printed": run.printed,
        "recorded": run.recorded,
        "sha256": run.sha256,
        "funnel": run.funnel,
    }
    if run.error:
        report["error"] = run.error
    return report
