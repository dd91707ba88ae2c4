"""How it went wrong before: read what there is, then insert, numbers by max + 1, no lock and no constraint.

On tables of its own, since ours would refuse. Not a design of the bench: tests show that the scenario catches it.
"""

from datetime import date

from django.db import connection, transaction

from bench.recording.ways import Way, of_django

TABLES = """
    CREATE TABLE unsafe_batches (id bigserial PRIMARY KEY, report_tag text, report_date date, sequence_no int);
    CREATE TABLE unsafe_items (batch_id bigint, article_id text, order_index int);
"""


def _export(tag: str, day: date, article_ids: list[str]) -> tuple[int, str]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT min(id) FROM unsafe_batches WHERE report_tag = %s", [tag])
        (batch,) = cursor.fetchone()
        if batch is None:
            cursor.execute("SELECT coalesce(max(sequence_no), 0) FROM unsafe_batches WHERE report_date = %s", [day])
            (last,) = cursor.fetchone()
            cursor.execute(
                "INSERT INTO unsafe_batches (report_tag, report_date, sequence_no) VALUES (%s, %s, %s) RETURNING id",
                [tag, day, last + 1],
            )
            (batch,) = cursor.fetchone()
        cursor.execute("SELECT article_id, order_index FROM unsafe_items WHERE batch_id = %s", [batch])
        there = dict(cursor.fetchall())
        new = [each for each in article_ids if each not in there]
        last = max(there.values(), default=0)
        rows = [(batch, article_id, last + place) for place, article_id in enumerate(new, start=1)]
        cursor.executemany("INSERT INTO unsafe_items VALUES (%s, %s, %s)", rows)
    return len(new), ""


READ_THEN_INSERT = Way(_export, of_django)
