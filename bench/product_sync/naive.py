"""The naive way: each row by itself through the ORM: get() the product, compare, save(), note the change."""

from decimal import Decimal

from django.db import transaction

from bench.measure import Meter, Sample
from bench.product_sync.checks import check
from bench.scenarios import REPEATED_EVERY, ProductSource
from etl.models import Product, ProductChange, StagingProduct
from etl.products.choices import ChangeType
from etl.products.merge import BUSINESS_FIELDS
from etl.products.normalise import RawProduct, normalise

MOST_ROWS = 3000  # per row it costs the same however many there are
ROWS_PER_TRANSACTION = 1000  # as many as ours has in a batch


def sync(design: str, kind: str, source: ProductSource) -> Sample:
    """The whole source in the order of its timestamps."""
    created = updated = 0
    with Meter() as meter:
        rows = StagingProduct.objects.order_by("src_updated_at", "id")
        for start in range(0, source.rows, ROWS_PER_TRANSACTION):
            with transaction.atomic():
                for row in rows[start : start + ROWS_PER_TRANSACTION]:
                    change = _save_by_itself(row)
                    created += change == ChangeType.CREATE
                    updated += change == ChangeType.UPDATE
    # without a look at the page as a whole, a repeated key is written each time
    repeated = source.rows // REPEATED_EVERY
    check(design, kind, source, created=created, updated=updated - repeated * (1 if kind == "initial" else 2))
    return meter.sample(design, kind, source.rows)


def _save_by_itself(row: StagingProduct) -> ChangeType | None:
    values = normalise(_raw(row))
    try:
        product = Product.objects.get(brand_code=values.brand_code, sku=values.sku)
    except Product.DoesNotExist:
        product = Product(brand_code=values.brand_code, sku=values.sku)
    if product.data_version == values.data_version:
        return None
    change = ChangeType.UPDATE if product.pk else ChangeType.CREATE
    old_version, changed = product.data_version or None, {}
    new = {name: getattr(values, name) for name in BUSINESS_FIELDS} | {"price": Decimal(values.price)}
    for name in BUSINESS_FIELDS:
        if change == ChangeType.UPDATE and getattr(product, name) != new[name]:
            changed[name] = [getattr(product, name), new[name]]
        setattr(product, name, new[name])
    product.data_version, product.src_updated_at, product.src_id = values.data_version, row.src_updated_at, row.id
    product.save()
    ProductChange.objects.create(
        product=product,
        brand_code=product.brand_code,
        sku=product.sku,
        change_type=change,
        old_version=old_version,
        new_version=product.data_version,
        changed_fields=changed,
    )
    return change


def _raw(row: StagingProduct) -> RawProduct:
    return RawProduct(
        row.id, row.style_brand_no, row.style_no, row.name, row.price, row.colors_concat, row.tags_json,
        row.attrs_json, row.description, row.image_url, row.on_sale, row.src_updated_at, row_bytes=0,
    )  # fmt: skip
