"""Which Celery workers are alive, told by themselves through the cache."""

import time
from dataclasses import dataclass, field
from typing import Any

import structlog
from celery import current_app
from celery.signals import heartbeat_sent
from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

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
    """Celery's event heartbeat (every 2 s) leaves a trace that can be read without a broadcast.

    One key per queue, because a cache cannot list its keys.
    """
    trace = {"name": sender.eventer.hostname, "seen_at": time.time()}
    try:
        for queue in current_app.amqp.queues.consume_from:
            cache.set(f"worker:{queue}", trace, FORGET_AFTER_SECONDS)
    except RedisError as error:
        logger.warning("worker.heartbeat_lost", reason=str(error))


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
        if trace := cache.get(f"worker:{queue}"):
            worker = workers.setdefault(trace["name"], Worker(trace["name"], trace["seen_at"]))
            worker.queues.append(queue)
    return list(workers.values())
