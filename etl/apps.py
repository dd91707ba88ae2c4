from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from runs.schedules import Schedule


class EtlConfig(AppConfig):
    name = "etl"
    verbose_name = _("Products and documents")

    api_urls = "etl.api.urls"
    home = "etl.home.home"
    metrics = "etl.metrics.collect"
    doctor = ["etl.checkup.examine"]
    prunable = {
        "changes": "etl.pruning.changes",
        "batches": "etl.pruning.batches",
        "rejects": "etl.pruning.rejects",
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
        ],
        "administrator": ["etl.rewind_watermark"],
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
        from etl.products.cursors import InvalidCursor
        from etl.products.databases import SourceUnreachable
        from etl.products.feed import CursorGone, FeedUnusable
        from etl.products.source import SourceUnusable

        register(SourceUnusable, status=409)
        register(SourceUnreachable, status=503)
        register(InvalidCursor, status=400)
        register(CursorGone, status=410)
        register(FeedUnusable, status=503)
