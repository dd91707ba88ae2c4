"""The models of every noun in this app."""

from etl.products.models import (
    FeedConsumer,
    Product,
    ProductChange,
    ProductSyncBatch,
    ProductSyncRun,
    RejectedRow,
    StagingProduct,
    Watermark,
)

__all__ = [
    "FeedConsumer",
    "Product",
    "ProductChange",
    "ProductSyncBatch",
    "ProductSyncRun",
    "RejectedRow",
    "StagingProduct",
    "Watermark",
]
