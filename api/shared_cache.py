"""The cache that all processes share, asked so that nothing depends on it."""

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.core.cache import cache
from redis import Redis

# a Redis that hangs costs its timeout once, not at every question of every request
PAUSE_SECONDS = 5

logger = structlog.get_logger("pressroom.cache")

T = TypeVar("T")


class _Pause:
    """When this process may ask again, by the monotonic clock."""

    until = 0.0


def ask(question: Callable[[], T], *, otherwise: T) -> T:
    """What the cache says to `question`; `otherwise` while it is down, and for a moment after."""
    if time.monotonic() < _Pause.until:
        return otherwise
    try:
        return question()
    except Exception as error:  # every backend has errors of its own; none may break a request
        _Pause.until = time.monotonic() + PAUSE_SECONDS
        logger.warning("cache.unavailable", error=str(error))
        return otherwise


def resume() -> None:
    """Ask again at once: the outage is over, or it was that of another cache."""
    _Pause.until = 0.0


def server() -> Redis:
    """The cache's own server, for what Django's cache cannot do; with the cache's own patience.

    Keys are named by cache.make_key().
    """
    place = settings.CACHES["default"]
    return _server(place["LOCATION"], tuple(place["OPTIONS"].items()))


@functools.cache
def _server(location: str, options: tuple[tuple[str, Any], ...]) -> Redis:
    return Redis.from_url(location, **dict(options))


def count(key: str, *, seconds: int) -> int:
    """Add one to a counter that lives for `seconds` from its first use; its new value, 0 when unknown."""

    def add_one() -> int:
        try:
            return int(cache.incr(key))
        except ValueError:  # the first to count makes it; of two first ones, one counts on
            return 1 if cache.add(key, 1, seconds) else int(cache.incr(key))

    return ask(add_one, otherwise=0)
