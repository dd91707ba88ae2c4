"""The limit: what PostgreSQL takes to store the rows at all."""

from django.db import connection

from bench.measure import Meter, Sample
from bench.scenarios import ProductSource

AS_PRODUCTS = """
    SELECT id, style_brand_no, style_no, name, price::numeric(12, 2), on_sale IN ('true', '1', 'Y', '是'),
           to_jsonb(string_to_array(colors_concat, '||')), tags_json::jsonb, attrs_json::jsonb, description,
           image_url, 'v1:' || encode(sha256(attrs_json::bytea), 'hex'), src_updated_at, id, false, now(), now(),
           hashtextextended(attrs_json, 0)
      FROM products_staging
"""
COLUMNS_OF_PRODUCTS = (
    "id, brand_code, sku, name, price, on_sale, colors, tags, attributes, description, image_url, data_version, "
    "src_updated_at, src_id, is_deleted, created_at, updated_at, source_fingerprint"
)


def copy(design: str, kind: str, source: ProductSource) -> Sample:
    """The rows as the products they become, typed and with a version, into a table without an index."""
    return _copied(design, kind, source, AS_PRODUCTS, "products", COLUMNS_OF_PRODUCTS)


def copy_text(design: str, kind: str, source: ProductSource) -> Sample:
    """The rows as the source has them, all text: less than any design does, since no JSON is parsed."""
    columns = "id, style_brand_no, style_no, name, price, colors_concat, tags_json, attrs_json, description, "
    columns += "image_url, on_sale, src_updated_at"
    return _copied(design, kind, source, f"SELECT {columns} FROM products_staging", "products_staging", columns)


def _copied(design: str, kind: str, source: ProductSource, query: str, table: str, columns: str) -> Sample:
    """A server-side COPY from a file into a new table with the columns of another."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")  # a place the server may write and read, whoever it runs as
        file = f"'{cursor.fetchone()[0]}/bench-rows'"
        cursor.execute(f"COPY ({query}) TO {file}")
        cursor.execute(f"CREATE TABLE bench_copied AS SELECT {columns} FROM {table} WITH NO DATA")
        with Meter() as meter:
            cursor.execute(f"COPY bench_copied ({columns}) FROM {file}")
        cursor.execute("SELECT count(*) FROM bench_copied")
        assert cursor.fetchone()[0] == source.rows
        cursor.execute("DROP TABLE bench_copied")
    return meter.sample(design, kind, source.rows)
