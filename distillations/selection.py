"""Which distillations and topics the articles of a task take: always the least used, and nobody else's.

Every pick is one short transaction under one lock. A slot that is reserved counts in its distillation's own row, so
the next pick sees it; one that is written moves from reserved to used, which leaves the load as it was, so a pick
need not wait for those who save articles. From equal loads, any number of picks therefore leaves loads that differ
by one at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext_lazy as _

from distillations.choices import Mode, TaskError
from distillations.locks import lock_pick
from distillations.models import GenerationSlot, GenerationTask
from distillations.models.counters import HOLDING
from runs.errors import RunFailed

LIVE = "('reserved', 'generating', 'done')"

NOT_ENOUGH_DISTILLATIONS = _(
    "Not enough distillations can be used: only %(available)s are available, but %(requested)s articles were asked for"
)
NOT_ENOUGH_TOPICS = _(
    "Not enough topics can be used: this distillation has only %(available)s, but %(requested)s articles were asked for"
)

# A topic that others reserve counts as used once more, so two tasks on one distillation take different ones.
LEAST_USED_TOPICS = f"""
    SELECT t.id, t.question,
           t.usage_count + (SELECT count(*) FROM distillations_generationslot h
                             WHERE h.topic_id = t.id AND h.status IN {HOLDING}) AS taken
      FROM topics t
     WHERE t.distillation_id = %s
"""

# What a task takes, for a pick and for a preview alike: position, distillation, keyword, load, topic, question.
LEAST_USED = f"""
    SELECT row_number() OVER (ORDER BY d.load, d.created_at, d.id) AS position, d.id AS distillation_id, d.keyword,
           d.load, t.id AS topic_id, t.question
      FROM (SELECT id, keyword, load, created_at FROM distillations
             WHERE topic_count > 0
             ORDER BY load, created_at, id LIMIT %(requested)s) d
     CROSS JOIN LATERAL ({LEAST_USED_TOPICS.replace("%s", "d.id")} ORDER BY taken, t.id LIMIT 1) t
"""

TOPICS_OF_ONE = f"""
    SELECT row_number() OVER (ORDER BY t.taken, t.id) AS position, d.id AS distillation_id, d.keyword,
           d.load, t.id AS topic_id, t.question
      FROM distillations d
     CROSS JOIN LATERAL ({LEAST_USED_TOPICS.replace("%s", "d.id")} ORDER BY taken, t.id LIMIT %(requested)s) t
     WHERE d.id = %(distillation)s
"""

PICK_LEAST_USED = f"""
    WITH least AS MATERIALIZED ({LEAST_USED}), taken AS (
        INSERT INTO distillations_generationslot
               (task_id, position, distillation_id, keyword, topic_id, question, is_auto, status)
        SELECT %(task)s, position, distillation_id, keyword, topic_id, question, true, 'reserved' FROM least
        RETURNING position, distillation_id, keyword
    ), named AS (
        UPDATE generation_tasks SET distillation_id = taken.distillation_id, keyword = taken.keyword
          FROM taken WHERE generation_tasks.id = %(task)s AND taken.position = 1
    )
    SELECT (SELECT count(*) FROM taken), (SELECT distillation_id FROM taken WHERE position = 1),
           (SELECT keyword FROM taken WHERE position = 1)
"""

PICK_TOPICS = f"""
    INSERT INTO distillations_generationslot
           (task_id, position, distillation_id, keyword, topic_id, question, is_auto, status)
    SELECT %(task)s, position, distillation_id, keyword, topic_id, question, false, 'reserved'
      FROM ({TOPICS_OF_ONE}) picked
"""

PICK_ANEW = f"""
    WITH source AS MATERIALIZED (
        SELECT id, keyword FROM distillations
         WHERE topic_count > 0
           AND CASE WHEN %(own)s::bigint IS NULL
                    THEN %(is_auto)s AND NOT EXISTS (
                         SELECT FROM distillations_generationslot s
                          WHERE s.task_id = %(task)s AND s.distillation_id = distillations.id AND s.status IN {LIVE})
                    ELSE id = %(own)s END
         ORDER BY load, created_at, id LIMIT 1
    )
    UPDATE distillations_generationslot slot
       SET distillation_id = picked.distillation_id, keyword = picked.keyword,
           topic_id = picked.topic_id, question = picked.question, updated_at = clock_timestamp()
      FROM (SELECT source.id AS distillation_id, source.keyword, t.id AS topic_id, t.question
              FROM source
             CROSS JOIN LATERAL (
                   SELECT * FROM ({LEAST_USED_TOPICS.replace("%s", "source.id")}) every
                    WHERE NOT EXISTS (SELECT FROM distillations_generationslot s
                                       WHERE s.task_id = %(task)s AND s.topic_id = every.id AND s.status IN {LIVE})
                    ORDER BY taken, id LIMIT 1) t) picked
     WHERE slot.id = %(slot)s
"""


def pick(task: GenerationTask) -> None:
    """Reserve a slot for each article of a task that was just inserted, in the caller's transaction.

    Automatic: as many different distillations, least load first, then the oldest, each with its least used topic; the
    task is named after the first. By hand: as many different topics of the task's distillation, least used first.
    Raises ValidationError when there are fewer than asked for; the caller rolls back.
    """
    lock_pick()  # a statement of its own: the next one must see what the last pick committed
    with connection.cursor() as cursor:
        facts = {"task": task.pk, "requested": task.requested_count, "distillation": task.distillation_id}
        if task.mode == Mode.MANUAL:
            cursor.execute(PICK_TOPICS, facts)
            available = cursor.rowcount
        else:
            cursor.execute(PICK_LEAST_USED, facts)
            available, task.distillation_id, keyword = cursor.fetchone()
            task.keyword = keyword or ""
    if available < task.requested_count:
        raise not_enough(available, task.requested_count, mode=task.mode)


@dataclass(frozen=True)
class Choice:
    """What one article would take."""

    position: int
    distillation_id: int
    keyword: str
    load: int
    topic_id: int
    question: str


def preview(requested: int, distillation_id: int | None = None) -> list[Choice]:
    """What a task would take if it were asked for now, in the order of pick(); fewer where there are fewer.

    Nothing is locked or reserved, so another task may take some of it first.
    """
    with connection.cursor() as cursor:
        facts = {"requested": requested, "distillation": distillation_id}
        chosen = LEAST_USED if distillation_id is None else TOPICS_OF_ONE
        cursor.execute(f"SELECT * FROM ({chosen}) chosen ORDER BY position", facts)
        return [Choice(*row) for row in cursor.fetchall()]


class NotEnough(ValidationError):
    """The refusal of a task that asks for more articles than there is to make them from."""

    def __init__(self, error: ValidationError, *, available: int, requested: int, mode: str) -> None:
        super().__init__({"requested_count": error})
        self.available, self.requested, self.mode = available, requested, mode


def not_enough(available: int, requested: int, *, mode: str) -> NotEnough:
    """The refusal in words."""
    manual = mode == Mode.MANUAL
    error = ValidationError(
        NOT_ENOUGH_TOPICS if manual else NOT_ENOUGH_DISTILLATIONS,
        code="not-enough-topics" if manual else "not-enough-distillations",
        params={"available": available, "requested": requested},
    )
    return NotEnough(error, available=available, requested=requested, mode=mode)


def pick_anew(slot: GenerationSlot) -> None:
    """Give a slot whose distillation or topic is gone another, in the caller's transaction, which holds lock_pick().

    Another topic of the same distillation where there is one, otherwise (automatic) the least used distillation that
    its task does not have. Raises RunFailed ("nothing-left") when nothing is left.
    """
    own: Any = slot.distillation_id
    sources = [own, None] if own and slot.is_auto else [own]
    for source in sources:
        facts = {"slot": slot.pk, "task": slot.task_id, "own": source, "is_auto": slot.is_auto}
        with connection.cursor() as cursor:
            cursor.execute(PICK_ANEW, facts)
            if cursor.rowcount:
                slot.refresh_from_db()
                return
    raise RunFailed(TaskError.NOTHING_LEFT)
