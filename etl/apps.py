from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from runs.schedules import Schedule


class EtlConfig(AppConfig):
    name = "etl"
    verbose_name = _("Products and documents")

    api_urls = "etl.api.urls"
    home = "etl.home.home"
    metrics = "etl.metrics.collect"
    doctor = ["etl.checkup.examine", "etl.documents.checkup.examine", "etl.documents.mineru.checkup.examine"]
    prunable = {
        "changes": "etl.pruning.changes",
        "batches": "etl.pruning.batches",
        "rejects": "etl.pruning.rejects",
        "uploads": "etl.pruning.uploads",
    }
    sample = "etl.sample.load"
    role_permissions = {
        "operator": [
            "etl.run_product_sync",
            "etl.retry_rejectedrow",
            "etl.dismiss_rejectedrow",
            "etl.export_product",
            "etl.export_productchange",
            "etl.export_productsyncrun",
            "etl.export_rejectedrow",
            "etl.add_project",
            "etl.change_project",
            "etl.delete_project",
            "etl.add_table",
            "etl.change_table",
            "etl.delete_table",
            "etl.mount_table",
            "etl.add_etlrule",
            "etl.change_etlrule",
            "etl.delete_etlrule",
            "etl.run_document",
            "etl.export_etltask",
        ],
        "administrator": ["etl.rewind_watermark", "etl.see_all_projects"],
    }
    schedules = [
        Schedule(
            name="Product sync",
            task="etl.tasks.run_product_sync",
            every_seconds=600,
            queue="etl",
            expires=600,
        )
    ]

    def ready(self) -> None:
        from api.problems import register
        from etl.documents.refusals import (
            FileKindRefused,
            FileRefused,
            FileTooLarge,
            NotThere,
            Outdated,
            PlaceRefused,
            QueueFull,
            TooLarge,
        )
        from etl.products.cursors import InvalidCursor
        from etl.products.databases import SourceUnreachable
        from etl.products.feed import CursorGone, FeedUnusable
        from etl.products.source import SourceUnusable

        register(SourceUnusable, status=409)
        register(SourceUnreachable, status=503)
        register(InvalidCursor, status=400)
        register(CursorGone, status=410)
        register(FeedUnusable, status=503)
        register(PlaceRefused, status=400)
        register(NotThere, status=404)
        register(Outdated, status=412)
        register(TooLarge, status=413)
        register(FileRefused, status=422)
        register(FileKindRefused, status=415)
        register(FileTooLarge, status=413)
        register(QueueFull, status=503)
