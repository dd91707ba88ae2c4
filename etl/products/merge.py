"""The writes of one page: products, change log and rejects, each by one statement.

Called inside the batch's transaction. COPY goes through Django's own connection, so it is part of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import DataError, IntegrityError, connection, transaction

from api.codec import encode_text
from etl.products.choices import RejectReason, Resolution
from etl.products.decisions import Accepted, Decision, Refused
from etl.products.models import RejectedRow
from etl.products.normalise import RawProduct, RowRejected

CELL_KEPT_OF_REJECT = 2000

# One per connection, its rows never compressed: they live for one statement. Emptied by every
# commit, so a batch that is rolled back leaves nothing behind
CREATE_INCOMING = """
    CREATE TEMPORARY TABLE IF NOT EXISTS product_incoming (
        brand_code text, sku text, name text, price numeric(12,2), on_sale boolean,
        colors jsonb, tags jsonb, attributes jsonb, description text, image_url text,
        data_version text, src_updated_at timestamptz, src_id bigint, source_fingerprint bigint
    ) WITH (toast_tuple_target = 8160) ON COMMIT DELETE ROWS
"""

COPY_INCOMING = """
    COPY product_incoming (brand_code, sku, name, price, on_sale, colors, tags, attributes,
                           description, image_url, data_version, src_updated_at, src_id,
                           source_fingerprint) FROM STDIN (FORMAT binary)
"""

# In binary a jsonb is the number of its format and then its text, so it is written as bytea. As text the
# client took half as long again for a row, to escape it and to write out the timestamp
COPIED_AS = (
    "text", "text", "text", "numeric", "bool", "bytea", "bytea", "bytea",
    "text", "text", "text", "timestamptz", "int8", "int8",
)  # fmt: skip
JSONB = b"\x01"

BUSINESS_FIELDS = (
    "name", "price", "on_sale", "colors", "tags", "attributes", "description", "image_url",
)  # fmt: skip

_changed_fields = " || ".join(
    f"CASE WHEN o.{name} IS DISTINCT FROM i.{name}"
    f" THEN jsonb_build_object('{name}', jsonb_build_array(o.{name}, i.{name})) ELSE '{{}}' END"
    for name in BUSINESS_FIELDS
)

# `old` sees the table as it was before this statement, so old values are right. Its LIMIT cuts nothing: it
# tells the planner how few rows there are, who would else read the whole of products for each page. The
# log's id is drawn after the product's lock is held, so ids of one product rise in the order of its changes;
# within a page they follow the source, whatever the plan.
MERGE = f"""
    WITH old AS (
        SELECT p.*
          FROM (SELECT brand_code, sku FROM product_incoming LIMIT %(rows)s) keys
          JOIN products p USING (brand_code, sku)
    ), written AS (
        INSERT INTO products AS p (brand_code, sku, {", ".join(BUSINESS_FIELDS)},
                                   data_version, src_updated_at, src_id, source_fingerprint)
        SELECT brand_code, sku, {", ".join(BUSINESS_FIELDS)},
               data_version, src_updated_at, src_id, source_fingerprint
          FROM product_incoming
         ORDER BY brand_code, sku
        ON CONFLICT (brand_code, sku) DO UPDATE
           SET {", ".join(f"{name} = excluded.{name}" for name in BUSINESS_FIELDS)},
               data_version = excluded.data_version, src_updated_at = excluded.src_updated_at,
               src_id = excluded.src_id, source_fingerprint = excluded.source_fingerprint,
               is_deleted = false, updated_at = clock_timestamp()
         WHERE (p.data_version <> excluded.data_version OR p.is_deleted)
           AND (p.is_deleted OR p.src_updated_at IS NULL OR p.src_id IS NULL
                OR (p.src_updated_at, p.src_id) <= (excluded.src_updated_at, excluded.src_id))
        RETURNING p.id, p.brand_code, p.sku
    ), logged AS (
        INSERT INTO product_change_log
               (product_id, brand_code, sku, change_type, old_version, new_version, changed_fields, run_id)
        SELECT w.id, w.brand_code, w.sku,
               CASE WHEN o.id IS NULL THEN 'CREATE' WHEN o.is_deleted THEN 'RESTORE' ELSE 'UPDATE' END,
               o.data_version, i.data_version,
               CASE WHEN o.id IS NULL THEN '{{}}' ELSE {_changed_fields} END,
               %(run_id)s
          FROM written w
          JOIN product_incoming i USING (brand_code, sku)
          LEFT JOIN old o USING (brand_code, sku)
         ORDER BY i.src_updated_at, i.src_id
        RETURNING change_type
    )
    SELECT count(*), count(*) FILTER (WHERE change_type = 'CREATE') FROM logged
"""

NOTE_REJECTS = """
    INSERT INTO etl_rejectedrow AS r (source, src_id, brand, sku, reason, field, detail, raw, run_id, resolution)
    SELECT %(source)s, n.src_id, n.brand, n.sku, n.reason, n.field, n.detail, n.raw, %(run_id)s, ''
      FROM jsonb_to_recordset(%(rows)s)
        AS n (src_id bigint, brand text, sku text, reason text, field text, detail text, raw jsonb)
     WHERE NOT EXISTS (  -- what was dismissed comes back only when the row says something else
               SELECT FROM etl_rejectedrow d
                WHERE d.source = %(source)s AND d.src_id = n.src_id AND d.resolution = 'dismissed'
                  AND d.raw - 'src_updated_at' = n.raw - 'src_updated_at' AND d.reason = n.reason)
    ON CONFLICT (source, src_id) WHERE resolved_at IS NULL DO UPDATE
       SET brand = excluded.brand, sku = excluded.sku, reason = excluded.reason, field = excluded.field,
           detail = excluded.detail, raw = excluded.raw, run_id = excluded.run_id
     WHERE (r.brand, r.sku, r.reason, r.field, r.detail, r.raw)
           IS DISTINCT FROM
           (excluded.brand, excluded.sku, excluded.reason, excluded.field, excluded.detail, excluded.raw)
"""


REMEMBER_FINGERPRINTS = """
    UPDATE products p SET source_fingerprint = seen.fingerprint
      FROM (SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS seen (id, data_version, fingerprint)
             ORDER BY id) seen
     WHERE p.id = seen.id AND p.data_version = seen.data_version
"""


class ConcurrentWrite(Exception):
    """Someone else wrote a product of this page since it was read; read the page again."""


def write(decision: Decision, *, source: str, run_id: int | None, gone: list[int] | None = None) -> None:
    """Write what was decided for one page. Must run inside a transaction.

    `gone` are rejected source rows that no longer exist. Raises ConcurrentWrite when a product changed
    since the page was read; the caller rolls back and reads again.
    """
    if decision.writes:
        merge_products(decision.writes, run_id=run_id)
    if decision.respelled:
        remember_fingerprints(decision.respelled)
    if decision.refused:
        note_rejects(decision.refused, source=source, run_id=run_id)
    if gone:
        RejectedRow.objects.resolve(source, gone, resolution=Resolution.GONE, run_id=run_id)
    if decision.good_ids and RejectedRow.objects.unresolved().filter(source=source).exists():
        RejectedRow.objects.resolve(source, decision.good_ids, resolution=Resolution.MENDED, run_id=run_id)


def merge_products(writes: list[Accepted], *, run_id: int | None) -> None:
    """Upsert new and changed products and log each; all of them or ConcurrentWrite."""
    with connection.cursor() as cursor:
        cursor.execute(CREATE_INCOMING)
        cursor.execute("DELETE FROM product_incoming")  # the caller's transaction may merge twice
        with cursor.copy(COPY_INCOMING) as copy:
            copy.set_types(COPIED_AS)
            for _raw, product, position, _stored, fingerprint in writes:
                copy.write_row(
                    (
                        product.brand_code, product.sku, product.name, Decimal(product.price), product.on_sale,
                        JSONB + product.colors_json, JSONB + product.tags_json, JSONB + product.attributes_json,
                        product.description, product.image_url, product.data_version, position.at, position.id,
                        fingerprint,
                    )
                )  # fmt: skip
        cursor.execute(MERGE, {"run_id": run_id, "rows": len(writes)})
        written, created = cursor.fetchone()
    if (written, created) != (len(writes), sum(each.stored is None for each in writes)):
        raise ConcurrentWrite


def remember_fingerprints(unchanged: list[Accepted]) -> None:
    """Let the next run see in the database that these rows need not be read; the products stay as they are.

    Needed once after the source wrote the same value in other letters, and for products that came here
    without a fingerprint.
    """
    known = [(each.stored.product_id, each.stored.data_version, each.fingerprint) for each in unchanged if each.stored]
    ids, versions, fingerprints = (list(column) for column in zip(*known, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(REMEMBER_FINGERPRINTS, [ids, versions, fingerprints])


def refuse_unstorable(decision: Decision) -> None:
    """Move writes that the database itself refuses to the refused, found by halving in savepoints."""
    for accepted, error in unstorable(decision.writes):
        decision.writes.remove(accepted)
        decision.good_ids.remove(accepted.position.id)
        decision.refused.append(Refused(accepted.raw, RowRejected(RejectReason.UNSTORABLE, "", str(error))))
        decision.counts.rejected += 1
        decision.take_back(accepted)


def unstorable(writes: list[Accepted]) -> list[tuple[Accepted, Exception]]:
    """The writes that fail on their own, each with the database's reason; nothing is written."""
    try:
        with transaction.atomic():
            merge_products(writes, run_id=None)
            transaction.set_rollback(True)
    except (DataError, IntegrityError) as error:
        if len(writes) == 1:
            return [(writes[0], error)]
        middle = len(writes) // 2
        return unstorable(writes[:middle]) + unstorable(writes[middle:])
    return []


def note_rejects(refused: list[Refused], *, source: str, run_id: int | None) -> None:
    """Put bad rows on the list, or bring their entries up to date; an entry that is true is not touched."""
    rows = [
        {
            "src_id": raw.src_id,
            "brand": printable(raw.brand)[:64],
            "sku": printable(raw.sku)[:64],
            "reason": str(why.slug),
            "field": why.field,
            "detail": printable(why.detail),
            "raw": raw_as_json(raw),
        }
        for raw, why in refused
    ]
    with connection.cursor() as cursor:
        cursor.execute(NOTE_REJECTS, {"source": source, "run_id": run_id, "rows": encode_text(rows)})


def raw_as_json(raw: RawProduct) -> dict[str, Any]:
    """The row as read, every cell as text that PostgreSQL can store, long cells cut."""
    return {
        name: cell if cell is None else printable(cell)[:CELL_KEPT_OF_REJECT]
        for name, cell in raw._asdict().items()
        if name not in ("row_bytes", "src_id")
    }


def printable(cell: Any) -> str:
    """Text without what jsonb refuses: NUL and lone surrogates are shown as escapes."""
    text = "" if cell is None else str(cell)
    return text.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()
