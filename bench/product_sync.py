"""Product sync: a first load, a pass in which nothing changed, and one in which every tenth row did.

Every pass reads all rows, newly stamped. The limit is a server-side COPY of the same rows into a logged
table without an index; the naive way is get() and save() per row through the ORM.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from django.db import connection, transaction

from bench.measure import Meter, Sample
from etl.models import Product, ProductChange, ProductSyncRun, StagingProduct
from etl.products import services, sync
from etl.products.choices import ChangeType
from etl.products.merge import BUSINESS_FIELDS
from etl.products.normalise import RawProduct, normalise

PASSES = ("initial", "unchanged", "changed10")
ROWS_OF_NAIVE = 3000  # per row it costs the same however many there are
ROWS_PER_TRANSACTION_OF_NAIVE = 1000  # as many as ours has in a batch
REPEATED_EVERY, CHANGED_EVERY = 50, 10

# 1.5 to 2 KB of text. `k` is the row whose key this row has: every 50th row repeats the key of an earlier
# one. `c` varies the content. Ties of 37 rows per timestamp.
FILL = """
    INSERT INTO products_staging (id, style_brand_no, style_no, name, price, colors_concat, tags_json, attrs_json,
                                  description, image_url, on_sale, src_updated_at)
    SELECT g,
           (ARRAY['BRIMOAK', 'QINGZHU', 'VELTORRA', 'MUSHENG', 'OCÉLUNE', 'LANFERN', 'TUOMIR', 'YUNBEI'])[1 + k %% 8],
           'S' || lpad(k::text, 8, '0'),
           '云纹系带休闲鞋 Cloudline Lace-up Casual Shoe ' || c,
           (59 + c %% 1900) || (ARRAY['', '.0', '.00', '.50', '.9'])[1 + c %% 5],
           (ARRAY['经典黑||米白', '雾蓝||墨绿||焦糖棕', 'Rose Grey', 'Sand||Ink||经典黑'])[1 + c %% 4],
           '["新品", "热卖", "轻便", "commute", "c' || c %% 97 || '"]',
           replace(replace(%(attributes)s, '@a', (c %% 1000)::text), '@b', (c %% 37)::text),
           left(%(description)s, 80 + g %% 160),
           'https://img.example.com/' || k %% 8 || '/S' || k || '.jpg',
           (ARRAY['true', 'false', '1', '0', 'Y', 'N', '是', '否'])[1 + c %% 8],
           date_trunc('day', now()) - interval '30 days' + %(passes)s * interval '7 days' + g / 37 * interval '1 s'
      FROM (SELECT g, CASE WHEN g %% %(repeated)s = 0 THEN g - 25 ELSE g END AS k,
                   g + CASE WHEN %(changed)s AND g %% %(changed_every)s = 3 THEN 500009 ELSE 0 END AS c
              FROM generate_series(1, %(rows)s) AS g) numbered
"""
ATTRIBUTES = """
{"品类": "鞋", "材质": "头层牛皮", "适用季节": "春季||秋季", "weight_g": @a, "高度cm": 4.@b0, "waterproof": true,
 "产地": "无", "尺码": [{"eu": 38, "cn": "240", "stock": @b}, {"eu": 39, "cn": "245", "stock": 12},
 {"eu": 40, "cn": "250", "stock": @a}, {"eu": 41, "cn": "255", "stock": 3}],
 "care": {"zh": "软布擦拭，避免暴晒与高温烘烤", "steps": ["擦拭", "阴干", "上油"], "machine_wash": null},
 "说明": {"fit": "true to size", "特点": ["轻便", "防滑", "透气"], "评分": 4.50,
 "测评": {"人数": @a, "摘要": "鞋面柔软亲肤，橡胶大底防滑耐磨，适合通勤与短途出行", "source": "panel-@b"}},
 "supplier": {"code": "SUP-@a", "name": "东海鞋业有限公司", "contact": {"city": "温州", "lead_days": 14}},
 "详情": [{"部位": "鞋面", "工艺": "手工缝线", "图": "a@b.jpg"}, {"部位": "大底", "工艺": "热压成型", "图": "b@b.jpg"}],
 "洗护": {"水温": "不高于三十度", "notes": ["do not bleach", "不可熨烫"], "level": 2}, "barcode": "6901234@a5678@b"}
""".strip()
# The columns of products in the table's order
AS_PRODUCTS = """
    SELECT id, style_brand_no, style_no, name, price::numeric(12, 2), on_sale IN ('true', '1', 'Y', '是'),
           to_jsonb(string_to_array(colors_concat, '||')), tags_json::jsonb, attrs_json::jsonb, description,
           image_url, 'v1:' || encode(sha256(attrs_json::bytea), 'hex'), src_updated_at, id, false, now(), now(),
           hashtextextended(attrs_json, 0)
      FROM products_staging
"""
DESCRIPTION = (
    "鞋面柔软亲肤，透气排汗，橡胶大底防滑耐磨，适合通勤与短途出行。版型宽松不挑身材，面料经过防泼水处理，"
    "小雨天也能安心出门。收纳分区清晰，肩带加宽减轻负担。Padded collar and a removable insole; made for long days "
    "on hard floors. A quiet everyday piece: matte hardware, hidden pocket, easy to clean. 保养简单。"
) * 2


def run(design: str, rows: int) -> Iterator[Sample]:
    """One round of a design on an empty database: its passes in order, each measured."""
    rows = min(rows, ROWS_OF_NAIVE) if design == "naive" else rows
    for kind in PASSES:
        stage(kind, rows)
        yield DESIGNS[design](design, kind, rows)


def stage(kind: str, rows: int) -> None:
    """Fill the source for a pass; tables as a quiet night leaves them: vacuumed, analysed, on disk."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE products_staging")
        cursor.execute(
            FILL,
            {
                "rows": rows,
                "passes": PASSES.index(kind),
                "changed": kind == "changed10",
                "repeated": REPEATED_EVERY,
                "changed_every": CHANGED_EVERY,
                "attributes": ATTRIBUTES,
                "description": DESCRIPTION,
            },
        )
        cursor.execute("VACUUM (ANALYZE) products_staging, products, product_change_log")
        cursor.execute("CHECKPOINT")


# --- Designs -------------------------------------------------------------------------------------


def ours(design: str, kind: str, rows: int) -> Sample:
    """A run in this process with the default options."""
    with Meter() as meter:
        created = services.start_sync_here(services.SyncOptions(), actor="bench")
        sync.run_product_sync(created.pk)
    done = ProductSyncRun.objects.get(pk=created.pk)
    check(design, kind, rows, created=done.created, updated=done.updated)
    return meter.sample(design, kind, rows)


def copy(design: str, kind: str, rows: int) -> Sample:
    """The rows as the products they become, typed and with a version, into a table without an index."""
    return _copied(design, kind, rows, AS_PRODUCTS, "products")


def copy_text(design: str, kind: str, rows: int) -> Sample:
    """The rows as the source has them, all text: less than any design does, since no JSON is parsed."""
    return _copied(design, kind, rows, "SELECT * FROM products_staging", "products_staging")


def _copied(design: str, kind: str, rows: int, query: str, table: str) -> Sample:
    """A server-side COPY from a file into a new table with the columns of another."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")  # a place the server may write and read, whoever it runs as
        file = f"'{cursor.fetchone()[0]}/bench-rows'"
        cursor.execute(f"COPY ({query}) TO {file}")
        cursor.execute(f"CREATE TABLE bench_copied (LIKE {table})")
        with Meter() as meter:
            cursor.execute(f"COPY bench_copied FROM {file}")
        cursor.execute("DROP TABLE bench_copied")
    return meter.sample(design, kind, rows)


def naive(design: str, kind: str, rows: int) -> Sample:
    """Each row by itself: get() the product, compare, save(), note the change."""
    created = updated = 0
    with Meter() as meter:
        source = StagingProduct.objects.order_by("src_updated_at", "id")
        for start in range(0, rows, ROWS_PER_TRANSACTION_OF_NAIVE):
            with transaction.atomic():
                for row in source[start : start + ROWS_PER_TRANSACTION_OF_NAIVE]:
                    change = _save_by_itself(row)
                    created += change == ChangeType.CREATE
                    updated += change == ChangeType.UPDATE
    # without a look at the page as a whole, a repeated key is written each time
    repeated = rows // REPEATED_EVERY
    check(design, kind, rows, created=created, updated=updated - repeated * (1 if kind == "initial" else 2))
    return meter.sample(design, kind, rows)


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
    new = values._asdict() | {"price": Decimal(values.price)}
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


def check(design: str, kind: str, rows: int, **counted: int) -> None:
    """Stop the bench when a design did not do the work it is measured for."""
    expected = {
        "initial": {"created": rows - rows // REPEATED_EVERY, "updated": 0},
        "unchanged": {"created": 0, "updated": 0},
        "changed10": {"created": 0, "updated": len(range(3, rows + 1, CHANGED_EVERY))},
    }[kind]
    if counted != expected:
        raise AssertionError(f"{design}, {kind}: expected {expected}, counted {counted}")


# Further designs of the same passes (shards, one statement of SQL, another tool) are further entries
DESIGNS: dict[str, Callable[[str, str, int], Sample]] = {
    "copy": copy,
    "copy-text": copy_text,
    "ours": ours,
    "naive": naive,
}
