"""The models of every noun in this app."""

from etl.products.models import (
    Product,
    ProductChange,
    ProductSyncBatch,
    ProductSyncRun,
    RejectedRow,
    StagingProduct,
    Watermark,
)

__all__ = [
    "Product",
    "ProductChange",
    "ProductSyncBatch",
    "ProductSyncRun",
    "RejectedRow",
    "StagingProduct",
    "Watermark",
]
