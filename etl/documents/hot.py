"""Where a document stands right now, in Redis: what changes too often for the database (document 002, decision 3).

Nothing is decided by what stands here. A reader that finds nothing, or no Redis, shows what the database says.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from redis.exceptions import RedisError

from api.codec import decode, encode
from api.shared_cache import ask, server
from etl.documents.choices import DocumentStatus, Stage
from etl.documents.models import ETLTask

TTL_SECONDS = 900
WRITE_EVERY_SECONDS = 0.5  # a page that is read faster is told with the next one

# a writer that was taken over has an older token; within one token the numbers rise
SET_IF_NEWER = """
local there = redis.call('GET', KEYS[1])
if there then
  local was = cjson.decode(there)
  if was.token > tonumber(ARGV[1]) or (was.token == tonumber(ARGV[1]) and was.seq >= tonumber(ARGV[2])) then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
return 1
"""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Hot:
    """What the worker said last."""

    token: int
    seq: int
    stage: str
    percent: int
    page: int | None = None
    pages: int | None = None

    @property
    def status(self) -> str:
        """Which of the two in-between statuses it is."""
        return DocumentStatus.PARSING if self.stage == Stage.PARSE else DocumentStatus.SHAPING


class Teller:
    """Says for one claimed task how far it is; a Redis that is away costs the telling and nothing else."""

    def __init__(self, pk: int, token: int) -> None:
        self.pk, self.token, self.seq = pk, token, 0
        self._told_at, self._told_stage = 0.0, ""

    def tell(self, stage: Stage, percent: int, page: int | None = None, pages: int | None = None) -> None:
        """Not more often than every half second, but for a new stage."""
        now = time.monotonic()
        if stage == self._told_stage and now - self._told_at < WRITE_EVERY_SECONDS:
            return
        self._told_at, self._told_stage = now, stage
        self.seq += 1
        hot = Hot(self.token, self.seq, stage.value, percent, page, pages)
        try:
            server().eval(SET_IF_NEWER, 1, _key(self.pk), self.token, self.seq, encode(asdict(hot)), TTL_SECONDS)
        except RedisError as error:
            logger.info("hot.not_told", task=self.pk, reason=str(error))


def overlay(tasks: Iterable[ETLTask]) -> dict[int, Hot]:
    """What is known of those of the tasks that a worker holds, by id: one round trip, and {} when Redis is away.

    What an earlier holder of a task said is left out.
    """
    held = {task.pk: task for task in tasks if task.status in task.STATUSES.active}
    if not held:
        return {}
    said: Any = ask(lambda: server().mget([_key(pk) for pk in held]), otherwise=None)
    if said is None:
        return {}
    found = {pk: Hot(**decode(text)) for pk, text in zip(held, said, strict=True) if text}
    return {pk: hot for pk, hot in found.items() if hot.token == held[pk].lease_token}


def _key(pk: int) -> str:
    return f"pressroom:document:{pk}"
