"""Which Celery workers are alive, told by themselves through the cache."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from celery import current_app
from celery.signals import heartbeat_sent
from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from api.shared_cache import server

logger = structlog.get_logger(__name__)

QUEUES = ("control", "default", "etl", "llm")
FORGET_AFTER_SECONDS = 30
REAPED = "beat:reaped"  # in the cache as long as beat's shortest schedule is kept


@dataclass
class Worker:
    """A worker that gave a sign of life within FORGET_AFTER_SECONDS; `seen_at` is its own clock."""

    name: str
    seen_at: float
    queues: list[str] = field(default_factory=list)


@heartbeat_sent.connect
def note_heartbeat(sender: Any, **kwargs: Any) -> None:
    """Celery's event heartbeat (every 2 s) leaves a trace that can be read without a broadcast."""
    try:
        note_sign_of_life(sender.eventer.hostname, current_app.amqp.queues.consume_from)
    except RedisError as error:
        logger.warning("worker.heartbeat_lost", reason=str(error))


def note_sign_of_life(name: str, queues: Iterable[str]) -> None:
    """A worker lives that serves these queues.

    One sorted set per queue, by the time of the sign, because a cache cannot list its keys.
    """
    now = time.time()
    with server().pipeline() as together:
        for key in map(_key, queues):
            together.zadd(key, {name: now})
            together.zremrangebyscore(key, "-inf", now - FORGET_AFTER_SECONDS)
            together.expire(key, FORGET_AFTER_SECONDS)
        together.execute()


def note_reaped() -> None:
    """Leave a trace that beat rang and the queue `control` heard; it fades after some missed rounds."""
    try:
        cache.set(REAPED, True, int(4 * settings.REAPER_SECONDS) + FORGET_AFTER_SECONDS)
    except RedisError as error:
        logger.warning("beat.trace_lost", reason=str(error))


def living() -> list[Worker]:
    """The workers seen lately, with the queues they serve. Raises RedisError when the cache is down."""
    workers: dict[str, Worker] = {}
    for queue in QUEUES:
        for name, seen_at in _seen(queue):
            workers.setdefault(name, Worker(name, seen_at)).queues.append(queue)
    return list(workers.values())


def serving(queue: str) -> list[str]:
    """The names of the living workers of one queue. Raises RedisError when the cache is down."""
    return [name for name, _seen_at in _seen(queue)]


def _seen(queue: str) -> list[tuple[str, float]]:
    found: Any = server().zrange(_key(queue), time.time() - FORGET_AFTER_SECONDS, "+inf", byscore=True, withscores=True)
    return [(name.decode(), seen_at) for name, seen_at in found]


def _key(queue: str) -> str:
    return str(cache.make_key(f"worker:{queue}"))
