"""Counters that belong to the database: they equal their rows on every path, raw SQL and cascades included.

Statement triggers with transition tables: however many rows one statement touches, each counter is written once.
Each trigger first locks the rows it will write in the order of their ids, distillations before topics; without
that, tasks deleted side by side end in deadlocks.

Whatever else writes a counter (a stale form, a PATCH, an import that brings numbers along) is put right without a
word. Only who sets `pressroom.counters` to 'mend' for the transaction may write them: reset and repair.
"""

from __future__ import annotations

import pgtrigger

HOLDING = "('reserved', 'generating')"  # choices.HOLDING, as SQL
MENDING = "current_setting('pressroom.counters', true) IS NOT DISTINCT FROM 'mend'"


def _counted(counter: str, table: str, key: str, condition: str) -> list[pgtrigger.Trigger]:
    """Triggers that keep `table`.`counter` equal to how many rows have its id in `key` and fulfil `condition`."""
    return [
        pgtrigger.Trigger(
            name=f"{table}_{counter}_{word}",
            when=pgtrigger.After,
            operation=operation,
            level=pgtrigger.Statement,
            referencing=pgtrigger.Referencing(old="old_rows" if old else None, new="new_rows" if new else None),
            declare=[("drifted", "bigint")],
            func=_moved(counter, table, key, condition, old=old, new=new),
        )
        for word, operation, old, new in (
            ("insert", pgtrigger.Insert, False, True),
            ("delete", pgtrigger.Delete, True, False),
            ("update", pgtrigger.Update, True, True),
        )
    ] + [
        pgtrigger.Trigger(
            name=f"{table}_{counter}_truncate",
            when=pgtrigger.After,
            operation=pgtrigger.Truncate,
            level=pgtrigger.Statement,
            func=f"UPDATE {table} SET {counter} = 0 WHERE {counter} <> 0; RETURN NULL;",
        )
    ]


def _moved(counter: str, table: str, key: str, condition: str, *, old: bool, new: bool) -> str:
    """Add to each counter what came and take off what went."""
    parts = [
        f"SELECT {key} AS id, {sign} AS step FROM {rows} WHERE {condition} AND {key} IS NOT NULL"
        for is_there, rows, sign in ((old, "old_rows", "-1"), (new, "new_rows", "1"))
        if is_there
    ]
    moved = f"(SELECT id, sum(step)::integer AS step FROM ({' UNION ALL '.join(parts)}) each GROUP BY id) moved"
    return f"""
        PERFORM 1 FROM {table} WHERE id IN (SELECT id FROM {moved} WHERE step <> 0)
          ORDER BY id FOR NO KEY UPDATE;
        SELECT {table}.id INTO drifted FROM {table} JOIN {moved} ON moved.id = {table}.id
         WHERE {table}.{counter} + moved.step < 0 LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'The counter {counter} of {table} % has drifted: run manage.py repair_usage.', drifted
                USING ERRCODE = 'check_violation';
        END IF;
        UPDATE {table} SET {counter} = {table}.{counter} + moved.step
          FROM {moved} WHERE moved.id = {table}.id AND moved.step <> 0;
        RETURN NULL;
    """


def _owned(*counters: str) -> list[pgtrigger.Trigger]:
    """Triggers that undo what a statement outside of the triggers above writes into counters."""
    restore = " ".join(f"NEW.{counter} := OLD.{counter};" for counter in counters)
    empty = " ".join(f"NEW.{counter} := 0;" for counter in counters)
    return [
        pgtrigger.Trigger(
            name="counters_are_not_written_by_hand",
            when=pgtrigger.Before,
            operation=pgtrigger.UpdateOf(*counters),
            # this trigger is one level, the one that counts another
            func=f"IF pg_trigger_depth() < 2 AND NOT ({MENDING}) THEN {restore} END IF; RETURN NEW;",
        ),
        pgtrigger.Trigger(
            name="counters_begin_at_zero",
            when=pgtrigger.Before,
            operation=pgtrigger.Insert,
            func=f"{empty} RETURN NEW;",
        ),
    ]


COUNTERS_ARE_THE_DATABASES = _owned("usage_count", "reserved_count", "topic_count")
TOPIC_COUNTERS = _owned("usage_count")
TOPICS_ARE_COUNTED = _counted("topic_count", "distillations", "distillation_id", "true")
RESERVATIONS_ARE_COUNTED = _counted("reserved_count", "distillations", "distillation_id", f"status IN {HOLDING}")
# distillations first: the names decide in which order PostgreSQL fires them
USES_ARE_COUNTED = [
    *_counted("usage_count", "distillations", "distillation_id", "true"),
    *_counted("usage_count", "topics", "topic_id", "true"),
]
