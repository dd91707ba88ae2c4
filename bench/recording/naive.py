"""The plain way through the ORM: lock the batch's row, then look and save article by article."""

import hashlib
from datetime import date

from django.db import IntegrityError, transaction
from django.db.models import Max

from bench.recording.ways import Way, metadata_of, of_django, summary_of
from exports.models import ExportRun, ManualExportBatch, ManualExportItem, ManualReview
from runs.querysets import ClockTimestamp


def _record(tag: str, day: date, article_ids: list[str]) -> tuple[int, str]:
    while True:
        try:
            with transaction.atomic():
                return _recorded(tag, day, article_ids)
        except IntegrityError:  # another made the batch, or one of the same number
            continue


def _recorded(tag: str, day: date, article_ids: list[str]) -> tuple[int, str]:
    batches = ManualExportBatch.objects.select_for_update()
    batch = batches.filter(report_tag=tag).first()
    if batch is None:
        last = ManualExportBatch.objects.filter(report_date=day).aggregate(last=Max("sequence_no"))["last"] or 0
        batch = ManualExportBatch.objects.create(
            report_tag=tag, report_date=day, sequence_no=last + 1, generated_by=tag
        )
    last = batch.items.aggregate(last=Max("order_index"))["last"] or 0
    recorded = 0
    for article_id in article_ids:
        _item, is_new = ManualExportItem.objects.get_or_create(
            batch=batch,
            article_id=article_id,
            defaults={
                "section": "jingnei_positive",
                "order_index": last + recorded + 1,
                "final_summary": summary_of(article_id),
                "metadata": metadata_of(article_id),
            },
        )
        recorded += is_new
    batch.content = "\n".join(article_ids)
    batch.sha256 = hashlib.sha256(batch.content.encode()).hexdigest()
    batch.export_payload = {"report_tag": tag, "printed": article_ids}
    batch.save(update_fields=["content", "sha256", "export_payload"])
    return recorded, batch.sha256


def everything_selected(tag: str, day: date) -> tuple[int, str]:
    """A whole export of all there is, review by review."""
    with transaction.atomic():
        reviews = list(ManualReview.objects.select_related("article").filter(status="selected").order_by("id"))
        recorded, sha256 = _recorded(tag, day, [review.article_id for review in reviews])
        for review in reviews:
            review.status = "exported"
            review.version += 1
            review.save(update_fields=["status", "version"])
        batch = ManualExportBatch.objects.get(report_tag=tag)
        ExportRun.objects.create(
            kind="manual", status="completed", progress=100, report_tag=tag, report_date=day, template="brief",
            content=batch.content, sha256=sha256, printed=len(reviews), recorded=recorded, manual_batch=batch,
            finished_at=ClockTimestamp(),
        )  # fmt: skip
    return recorded, sha256


RECORD = Way(_record, of_django)
