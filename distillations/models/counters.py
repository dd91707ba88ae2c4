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
OPEN = "('pending', 'running')"  # choices.TASK_STATUSES.open, as SQL
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
            declare=[("moved_ids", "bigint[]"), ("steps", "integer[]"), ("drifted", "bigint")],
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
            func=f"""
                PERFORM 1 FROM {table} WHERE {counter} <> 0 ORDER BY id FOR NO KEY UPDATE;
                UPDATE {table} SET {counter} = 0 WHERE {counter} <> 0;
                RETURN NULL;
            """,
        )
    ]


def _moved(counter: str, table: str, key: str, condition: str, *, old: bool, new: bool) -> str:
    """Add to each counter what came and take off what went."""
    parts = [
        f"SELECT {key} AS id, {sign} AS step FROM {rows} WHERE {condition} AND {key} IS NOT NULL"
        for is_there, rows, sign in ((old, "old_rows", "-1"), (new, "new_rows", "1"))
        if is_there
    ]
    refuse_drift = f"""
        SELECT counted.id INTO drifted FROM {table} counted JOIN unnest(moved_ids, steps) AS moved (id, step)
            ON moved.id = counted.id
         WHERE counted.{counter} + moved.step < 0 LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'The counter {counter} of {table} % has drifted: run manage.py repair_usage.', drifted
                USING ERRCODE = 'check_violation', TABLE = '{table}', COLUMN = '{counter}';
        END IF;
    """
    return f"""
        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps
          FROM (SELECT id, sum(step)::integer AS step FROM ({" UNION ALL ".join(parts)}) each_row
                 GROUP BY id HAVING sum(step) <> 0) moved;
        IF moved_ids IS NULL THEN
            RETURN NULL;
        END IF;
        PERFORM 1 FROM {table} WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;
        {refuse_drift if old else ""}
        UPDATE {table} counted SET {counter} = counted.{counter} + moved.step
          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;
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

# Whoever ends a task (its worker, the reaper, a cancel, SQL), its slots reserve nothing any more. Distillations are
# locked before the slots, in the order of their ids, as everywhere.
ENDED_TASKS_RESERVE_NOTHING = pgtrigger.Trigger(
    name="ended_tasks_reserve_nothing",
    when=pgtrigger.After,
    operation=pgtrigger.Update,
    level=pgtrigger.Statement,
    referencing=pgtrigger.Referencing(old="old_rows", new="new_rows"),
    declare=[("ended", "bigint[]")],
    func=f"""
        SELECT array_agg(new_rows.id) INTO ended FROM new_rows JOIN old_rows ON old_rows.id = new_rows.id
         WHERE new_rows.status NOT IN {OPEN} AND old_rows.status IN {OPEN};
        IF ended IS NULL THEN
            RETURN NULL;
        END IF;
        PERFORM 1 FROM distillations
          WHERE id IN (SELECT distillation_id FROM distillations_generationslot
                        WHERE task_id = ANY (ended) AND status IN {HOLDING})
          ORDER BY id FOR NO KEY UPDATE;
        UPDATE distillations_generationslot
           SET status = 'released', token = NULL, updated_at = clock_timestamp()
         WHERE task_id = ANY (ended) AND status IN {HOLDING};
        RETURN NULL;
    """,
)
# The room `runs` fails whatever its worker gave up; a task that made some of its articles has not failed.
FAILED_WITH_ARTICLES_IS_PARTIAL = pgtrigger.Trigger(
    name="failed_with_articles_is_partial",
    when=pgtrigger.Before,
    operation=pgtrigger.UpdateOf("status"),
    condition=pgtrigger.Q(new__status="failed", new__generated_count__gt=0),
    func="NEW.status := 'partial'; RETURN NEW;",
)
