"""The nouns of product sync."""

from etl.products.models.changes import FeedConsumer, ProductChange, TransactionId
from etl.products.models.products import Product, StagingProduct
from etl.products.models.rejects import RejectedRow
from etl.products.models.runs import (
    COUNTED_PHASES,
    MOST_SHARDS,
    ProductSyncBatch,
    ProductSyncRun,
    Watermark,
    position,
)

__all__ = [
    "COUNTED_PHASES",
    "MOST_SHARDS",
    "FeedConsumer",
    "Product",
    "ProductChange",
    "ProductSyncBatch",
    "ProductSyncRun",
    "RejectedRow",
    "StagingProduct",
    "TransactionId",
    "Watermark",
    "position",
]
