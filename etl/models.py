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
from etl.products.shards import ProductSyncShard

__all__ = [
    "FeedConsumer",
    "Product",
    "ProductChange",
    "ProductSyncBatch",
    "ProductSyncRun",
    "ProductSyncShard",
    "RejectedRow",
    "StagingProduct",
    "Watermark",
]
