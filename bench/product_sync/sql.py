"""All in SQL: the client only sends one statement per page of 10,000 rows and carries the cursor.

A fair reference for what moving the rules into the database would bring: it reads, normalises, compares,
upserts, logs and moves the watermark as ours does. What it leaves out, because SQL has no good way to it:

* rejects: one bad price or broken JSON aborts its page, and no row would be put on a list with a reason;
  limits of length, depth, size and number range, duplicate keys after trimming;
* text inside nested JSON is composed (NFC, over the cell as a whole) but not trimmed;
* the version is of jsonb's own text, in which 1.0 and 1.00 differ: no canonical numbers, and not the
  version the rest of the project and its golden bytes know;
* a lease, retries, run and batch rows, per-row counts.
"""

from datetime import datetime

from django.db import connection, transaction

from bench.measure import Meter, Sample
from bench.product_sync.checks import check
from bench.scenarios import ProductSource
from etl.products.merge import BUSINESS_FIELDS
from etl.products.positions import BEFORE_EVERY_ID, FIRST_MOMENT

ROWS_PER_PAGE = 10_000  # large, since each page is planned anew
MARKERS = "('', '无', '不适用', '空', '--')"


def _composed(text: str) -> str:
    """SQL: a text in NFC. Asking first costs a tenth of composing what is composed."""
    return f"CASE WHEN {text} IS NFC NORMALIZED THEN {text} ELSE normalize({text}, NFC) END"


def _parts(text: str, *, without: str) -> str:
    """SQL: the parts of a text between ||, trimmed, unique, by code point, as a jsonb list."""
    return f"""to_jsonb(ARRAY(
        SELECT DISTINCT btrim(part) COLLATE "C" FROM unnest(string_to_array({text}, '||')) part
         WHERE btrim(part) NOT IN {without} ORDER BY 1))"""


_fields = ", ".join(BUSINESS_FIELDS)
_changed_fields = " || ".join(
    f"CASE WHEN o.{name} IS DISTINCT FROM c.{name}"
    f" THEN jsonb_build_object('{name}', jsonb_build_array(o.{name}, c.{name})) ELSE '{{}}' END"
    for name in BUSINESS_FIELDS
)

# Probing products by LATERAL keeps the plan from reading the whole table for each page, however large it is.
# `newest` is sorted without the wide columns, which would not fit into work_mem.
SYNC_PAGE = f"""
    WITH page AS MATERIALIZED (
        SELECT s.*, {_composed("btrim(style_brand_no)")} AS brand_code, {_composed("btrim(style_no)")} AS sku
          FROM products_staging s
         WHERE (src_updated_at, id) > (%(at)s, %(id)s) AND src_updated_at <= %(until)s
         ORDER BY src_updated_at, id LIMIT %(limit)s
    ), newest AS (
        SELECT DISTINCT ON (brand_code, sku) id
          FROM (SELECT brand_code, sku, src_updated_at, id FROM page) keys
         ORDER BY brand_code, sku, src_updated_at DESC, id DESC
    ), normalised AS MATERIALIZED (
        SELECT id AS src_id, src_updated_at, brand_code, sku,
               {_composed("btrim(coalesce(name, ''))")} AS name,
               round(price::numeric, 2) AS price,
               CASE WHEN lower(btrim(on_sale)) IN ('true', '1', 'y', '是') THEN true
                    WHEN coalesce(lower(btrim(on_sale)), '') IN ('', 'false', '0', 'n', '否') THEN false
               END AS on_sale,
               {_parts(_composed("colors_concat"), without="('')")} AS colors,
               to_jsonb(ARRAY(
                   SELECT DISTINCT btrim(tag) COLLATE "C"
                     FROM jsonb_array_elements_text(({_composed("tags_json")})::jsonb) tag
                    WHERE btrim(tag) <> '' ORDER BY 1)) AS tags,
               (SELECT coalesce(jsonb_object_agg(btrim(key), CASE
                           WHEN jsonb_typeof(value) <> 'string' THEN value
                           WHEN strpos(value #>> '{{}}', '||') > 0 THEN {_parts("value #>> '{}'", without=MARKERS)}
                           ELSE to_jsonb(btrim(value #>> '{{}}')) END), '{{}}')
                  FROM jsonb_each(({_composed("attrs_json")})::jsonb)
                 WHERE jsonb_typeof(value) <> 'null'
                   AND (jsonb_typeof(value) <> 'string' OR btrim(value #>> '{{}}') NOT IN {MARKERS})) AS attributes,
               nullif({_composed("btrim(description)")}, '') AS description,
               nullif({_composed("btrim(image_url)")}, '') AS image_url
          FROM newest JOIN page USING (id)
    ), versioned AS (
        SELECT *, 'sql:' || encode(sha256(convert_to(jsonb_build_array(
                   brand_code, sku, {_fields})::text, 'UTF8')), 'hex') AS data_version
          FROM normalised
    ), changed AS MATERIALIZED (
        SELECT v.*
          FROM versioned v
          LEFT JOIN LATERAL (SELECT p.data_version, p.src_updated_at, p.src_id, p.is_deleted FROM products p
                              WHERE p.brand_code = v.brand_code AND p.sku = v.sku LIMIT 1) stored ON true
         WHERE stored.data_version IS NULL
            OR ((stored.data_version <> v.data_version OR stored.is_deleted)
                AND (stored.src_updated_at, stored.src_id) <= (v.src_updated_at, v.src_id))
    ), old AS (
        SELECT o.*
          FROM changed c
         CROSS JOIN LATERAL (SELECT * FROM products p
                              WHERE p.brand_code = c.brand_code AND p.sku = c.sku LIMIT 1) o
    ), written AS (
        INSERT INTO products AS p (brand_code, sku, {_fields}, data_version, src_updated_at, src_id)
        SELECT brand_code, sku, {_fields}, data_version, src_updated_at, src_id FROM changed ORDER BY brand_code, sku
        ON CONFLICT (brand_code, sku) DO UPDATE
           SET {", ".join(f"{name} = excluded.{name}" for name in BUSINESS_FIELDS)},
               data_version = excluded.data_version, src_updated_at = excluded.src_updated_at,
               src_id = excluded.src_id, is_deleted = false, updated_at = clock_timestamp()
        RETURNING p.id, p.brand_code, p.sku
    ), logged AS (
        INSERT INTO product_change_log
               (product_id, brand_code, sku, change_type, old_version, new_version, changed_fields)
        SELECT w.id, w.brand_code, w.sku,
               CASE WHEN o.id IS NULL THEN 'CREATE' WHEN o.is_deleted THEN 'RESTORE' ELSE 'UPDATE' END,
               o.data_version, c.data_version, CASE WHEN o.id IS NULL THEN '{{}}' ELSE {_changed_fields} END
          FROM written w JOIN changed c USING (brand_code, sku) LEFT JOIN old o USING (brand_code, sku)
         ORDER BY c.src_updated_at, c.src_id
        RETURNING change_type
    ), moved AS (
        INSERT INTO etl_watermark AS w (table_name, last_processed_at, last_processed_id)
        SELECT 'products_staging', src_updated_at, id FROM page ORDER BY src_updated_at DESC, id DESC LIMIT 1
        ON CONFLICT (table_name) DO UPDATE
           SET last_processed_at = excluded.last_processed_at, last_processed_id = excluded.last_processed_id,
               updated_at = clock_timestamp()
        RETURNING last_processed_at, last_processed_id
    )
    SELECT moved.*, (SELECT count(*) FROM logged WHERE change_type = 'CREATE'),
           (SELECT count(*) FROM logged WHERE change_type <> 'CREATE')
      FROM moved
"""


def sync(design: str, kind: str, source: ProductSource) -> Sample:
    """The source from the watermark to its end, a transaction per page."""
    created = updated = 0
    with Meter() as meter, connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        until = cursor.fetchone()[0]
        cursor.execute("SELECT last_processed_at, last_processed_id FROM etl_watermark")
        place: tuple[datetime, int] | None = cursor.fetchone() or (FIRST_MOMENT, BEFORE_EVERY_ID)
        while place:
            place, new, other = _page(*place, until)
            created += new
            updated += other
    check(design, kind, source, created=created, updated=updated)
    return meter.sample(design, kind, source.rows)


def _page(at: datetime, after: int, until: datetime) -> tuple[tuple[datetime, int] | None, int, int]:
    with transaction.atomic(), connection.cursor() as cursor:
        # a page fits into memory; and a table that is empty to the planner is probed by index all the same
        cursor.execute("SET LOCAL work_mem = '64MB'; SET LOCAL enable_seqscan = off")
        cursor.execute(SYNC_PAGE, {"at": at, "id": after, "until": until, "limit": ROWS_PER_PAGE})
        row = cursor.fetchone()
    return (row[:2], *row[2:]) if row else (None, 0, 0)
