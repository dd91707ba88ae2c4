"""The models of every noun in this app."""

from etl.documents.models import DocumentStep, ETLRule, ETLTask, Project, Table, TableMount
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
    "DocumentStep",
    "ETLRule",
    "ETLTask",
    "FeedConsumer",
    "Product",
    "ProductChange",
    "ProductSyncBatch",
    "ProductSyncRun",
    "ProductSyncShard",
    "Project",
    "RejectedRow",
    "StagingProduct",
    "Table",
    "TableMount",
    "Watermark",
]
