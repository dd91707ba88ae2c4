"""What the source has, and what it becomes."""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from api.codec import ExactJSONField
from etl.products.querysets import ProductQuerySet
from runs.querysets import ClockTimestamp


class StagingProduct(models.Model):
    """A row of the source as the feed delivers it: loosely typed, and read-only for us.

    Only the sample writes it. Payload columns are text, as real feeds are.
    """

    id = models.BigAutoField(primary_key=True)
    style_brand_no = models.TextField(null=True)  # noqa: DJ001 - absent and empty differ in a source
    style_no = models.TextField(null=True)  # noqa: DJ001
    name = models.TextField(null=True)  # noqa: DJ001
    price = models.TextField(null=True)  # noqa: DJ001
    colors_concat = models.TextField(null=True)  # noqa: DJ001
    tags_json = models.TextField(null=True)  # noqa: DJ001
    attrs_json = models.TextField(null=True)  # noqa: DJ001
    description = models.TextField(null=True)  # noqa: DJ001
    image_url = models.TextField(null=True)  # noqa: DJ001
    on_sale = models.TextField(null=True)  # noqa: DJ001
    src_updated_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "products_staging"
        verbose_name = _("source row")
        verbose_name_plural = _("source rows")
        indexes: ClassVar = [models.Index(fields=["src_updated_at", "id"], name="idx_products_staging_cursor")]

    def __str__(self) -> str:
        return f"{self.style_brand_no} {self.style_no}"


class Product(models.Model):
    """A product as the newest good source row tells it; only product sync writes it."""

    brand_code = models.CharField(_("brand"), max_length=64)
    sku = models.CharField(_("SKU"), max_length=64)
    name = models.CharField(_("name"), max_length=255)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2)
    on_sale = models.BooleanField(_("on sale"))
    colors = ExactJSONField(_("colours"))
    tags = ExactJSONField(_("tags"))
    attributes = ExactJSONField(_("attributes"))
    description = models.TextField(_("description"), null=True)  # noqa: DJ001 - the version tells null from ''
    image_url = models.CharField(_("image"), max_length=512, null=True)  # noqa: DJ001
    data_version = models.CharField(_("data version"), max_length=80)
    src_updated_at = models.DateTimeField(_("changed at source"), null=True)
    src_id = models.BigIntegerField(_("source row"), null=True)
    # tells the text of the source row it was last written from; null while unknown
    source_fingerprint = models.BigIntegerField(null=True, editable=False)
    is_deleted = models.BooleanField(_("deleted at source"), default=False, db_default=False)
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp())
    updated_at = models.DateTimeField(_("updated at"), db_default=ClockTimestamp())

    objects = ProductQuerySet.as_manager()

    class Meta:
        db_table = "products"
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering: ClassVar = ["id"]
        permissions: ClassVar = [("export_product", _("Can export products"))]
        # each for a filter or search of a list; where the list's order can come from the index, id is in it
        indexes: ClassVar = [
            models.Index(fields=["brand_code", "id"], name="product_by_brand"),
            models.Index(fields=["sku", "id"], opclasses=["text_pattern_ops", "int8_ops"], name="product_by_sku"),
            models.Index(fields=["id"], condition=Q(on_sale=True), name="product_on_sale"),
            models.Index(fields=["id"], condition=Q(on_sale=False), name="product_not_on_sale"),
            models.Index(fields=["id"], condition=Q(is_deleted=True), name="product_deleted"),
            models.Index(fields=["price"], name="product_by_price"),
            models.Index(fields=["updated_at"], name="product_by_change"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="product_name_parts"),
            GinIndex(fields=["tags"], opclasses=["jsonb_path_ops"], name="product_by_tag"),
            GinIndex(fields=["attributes"], opclasses=["jsonb_path_ops"], name="product_by_attribute"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["brand_code", "sku"],
                name="idx_products_brand_sku",
                violation_error_message=_("This brand already has a product with this SKU."),
            ),
            models.CheckConstraint(
                # NaN compares greater than every number, so both bounds are needed
                condition=Q(price__gte=0, price__lt=10_000_000_000),
                name="product_price_is_a_finite_amount",
                violation_error_message=_("A price is a number from 0 to 9,999,999,999.99."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand_code} {self.sku}"
