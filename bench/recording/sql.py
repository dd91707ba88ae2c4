"""The limit: the same locks, constraints and effects in SQL, through psycopg alone.

Left out, and so in the limit's favour: checks of tag, template and file name, the editor's order, retries,
signals and hooks.
"""

import hashlib
import json
from datetime import date
from functools import cache
from typing import Any

import psycopg
from django.db import connection as of_django
from psycopg.types.json import Jsonb

from bench.recording.ways import Way, metadata_of, summary_of

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
FIND = "SELECT id FROM manual_export_batches WHERE report_tag = %s AND report_date = %s"
MAKE = """
    INSERT INTO manual_export_batches (report_tag, report_date, sequence_no, generated_by)
    SELECT %(tag)s::text, %(date)s::date, coalesce(max(sequence_no), 0) + 1, %(tag)s::text
      FROM manual_export_batches WHERE report_date = %(date)s RETURNING id
"""
INSERT = """
    WITH incoming AS MATERIALIZED (
        SELECT n.* FROM unnest(%(ids)s::text[], %(sections)s::text[], %(summaries)s::text[], %(metadata)s::jsonb[])
               WITH ORDINALITY AS n (article_id, section, final_summary, metadata, place)
          JOIN news_articles a USING (article_id)
         WHERE NOT EXISTS (SELECT FROM manual_export_items i
                            WHERE i.manual_export_batch_id = %(batch)s AND i.article_id = n.article_id)
           AND NOT EXISTS (SELECT FROM brief_items i JOIN brief_batches b ON b.id = i.brief_batch_id
                            WHERE b.report_tag = %(tag)s AND b.source = 'manual' AND i.source = 'manual'
                              AND i.article_id = n.article_id)
    )
    INSERT INTO manual_export_items (manual_export_batch_id, article_id, section, order_index, final_summary, metadata)
    SELECT %(batch)s, article_id, section,
           (SELECT coalesce(max(order_index), 0) FROM manual_export_items WHERE manual_export_batch_id = %(batch)s)
               + row_number() OVER (ORDER BY place), final_summary, metadata
      FROM incoming ORDER BY place
    ON CONFLICT ON CONSTRAINT an_article_once_per_manual_batch DO NOTHING
    RETURNING article_id, order_index
"""
UPDATE = """
    UPDATE manual_export_batches SET template = 'brief', export_payload = %(payload)s, content = %(content)s,
           sha256 = %(sha256)s, updated_at = clock_timestamp()
     WHERE id = %(batch)s
"""
SELECTED = """
    SELECT r.id, r.article_id, coalesce(r.summary, a.summary), a.title, coalesce(r.manual_llm_source, a.source), a.url,
           a.published_at, coalesce(r.score, a.score), a.importance, a.region, a.sentiment, a.section, a.keywords
      FROM manual_reviews r JOIN news_articles a USING (article_id)
     WHERE r.status = 'selected' AND (%(ids)s::text[] IS NULL OR r.article_id = ANY (%(ids)s)) ORDER BY r.id
       FOR NO KEY UPDATE OF r
"""
RUN = """
    INSERT INTO exports_exportrun (status, progress, attempt, max_attempts, started_at, finished_at, error, error_text,
                                   kind, report_tag, report_date, template, dry_run, mark_exported, skip_exported,
                                   funnel, payload, content, sha256, printed, recorded, skipped_duplicates,
                                   manual_batch_id)
    VALUES ('completed', 100, 0, 5, now(), clock_timestamp(), '', '', 'manual', %(tag)s, %(date)s, 'brief', false,
            %(mark)s, false, %(funnel)s, %(payload)s, %(content)s, %(sha256)s, %(printed)s, %(recorded)s,
            %(duplicates)s, %(batch)s)
    RETURNING id
"""
MARK = """
    UPDATE manual_reviews SET status = 'exported', version = version + 1, updated_at = clock_timestamp()
     WHERE id = ANY (%s)
"""
AUDIT = """
    INSERT INTO access_auditevent (actor_name, action, object_type, object_id, object_name, after, request_id)
    VALUES ('bench', 'brief.exported', 'exports.manualexportbatch', %s, %s, %s, '')
"""


@cache
def _connection() -> psycopg.Connection[Any]:
    place = of_django.settings_dict
    return psycopg.connect(
        host=place["HOST"], port=place["PORT"] or None, user=place["USER"] or None,
        password=place["PASSWORD"] or None, dbname=place["NAME"],
    )  # fmt: skip


def disconnect() -> None:
    """End the session, if there is one."""
    if _connection.cache_info().currsize:
        _connection().close()
        _connection.cache_clear()


def _backend() -> int:
    return _connection().info.backend_pid


def _record(tag: str, day: date, article_ids: list[str]) -> tuple[int, str]:
    content, payload = "\n".join(article_ids), {"report_tag": tag, "printed": article_ids}
    summaries, metadata = list(map(summary_of, article_ids)), list(map(metadata_of, article_ids))
    with _connection().transaction():
        batch = _held(tag, day)
        sha256, _batch, items = _written(batch, tag, article_ids, summaries, metadata, payload, content)
    return len(items), sha256


def _held(tag: str, day: date) -> int:
    connection = _connection()
    connection.execute(LOCK, [f"exports:manual:{tag}"])
    found = connection.execute(FIND, [tag, day]).fetchone()
    if found is None:
        connection.execute(LOCK, [f"exports:manual_export_batches:{day}"])
        found = connection.execute(MAKE, {"tag": tag, "date": day}).fetchone()
    assert found is not None
    return int(found[0])


def _written(
    batch: int, tag: str, ids: list[str], summaries: list[str], metadata: list[Any], payload: Any, content: str
) -> tuple[str, int, list[Any]]:
    values = {
        "batch": batch, "tag": tag, "ids": ids, "sections": ["jingnei_positive"] * len(ids), "summaries": summaries,
        "metadata": [json.dumps(each, ensure_ascii=False) for each in metadata],
    }  # fmt: skip
    items = _connection().execute(INSERT, values).fetchall()
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    _connection().execute(UPDATE, {"batch": batch, "payload": Jsonb(payload), "content": content, "sha256": sha256})
    return sha256, batch, items


def _export(tag: str, day: date, article_ids: list[str] | None, *, mark: bool) -> tuple[int, str]:
    connection = _connection()
    with connection.transaction():
        batch = _held(tag, day)
        rows = connection.execute(SELECTED, {"ids": article_ids}).fetchall()
        ids = [row[1] for row in rows]
        names = ("title", "source", "original_url", "published_at", "score", "importance", "region", "sentiment")
        metadata = [
            dict(
                zip(names, (row[3], row[4], row[5], str(row[6]), float(row[7]), float(row[8]), *row[9:11]), strict=True)
            )
            | {"keywords": row[12]}
            for row in rows
        ]
        content = "\n\n".join(f"{row[3]}\n{row[2]}（{row[4]}）（external_importance={row[8]}）" for row in rows)
        payload = {"report_tag": tag, "output_path": "", "template": "brief", "printed": {"jingnei_positive": ids}}
        sha256, _batch, items = _written(batch, tag, ids, [row[2] for row in rows], metadata, payload, content)
        recorded = {row[0] for row in items}
        duplicates = [each for each in ids if each not in recorded]
        funnel = {"selected": len(ids), "printed": len(ids), "recorded": len(items), "duplicates": len(duplicates)}
        values = {
            "tag": tag, "date": day, "mark": mark, "funnel": Jsonb(funnel), "payload": Jsonb(payload),
            "content": content, "sha256": sha256, "printed": len(ids), "recorded": len(items),
            "duplicates": Jsonb(duplicates), "batch": batch,
        }  # fmt: skip
        connection.execute(RUN, values)
        if mark:
            connection.execute(MARK, [[row[0] for row in rows]])
        connection.execute(AUDIT, [str(batch), tag, Jsonb(funnel)])
    return len(items), sha256


def _by_hand(tag: str, day: date, article_ids: list[str]) -> tuple[int, str]:
    return _export(tag, day, article_ids, mark=False)


def everything_selected(tag: str, day: date) -> tuple[int, str]:
    """A whole export of all there is, and all of it is marked."""
    return _export(tag, day, None, mark=True)


BY_HAND, RECORD = Way(_by_hand, _backend), Way(_record, _backend)
