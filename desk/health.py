"""Probes for the machine that watches this one: no login, no session, no secrets in the answer."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

# by name, because runs builds on desk and not the other way round
LIVING_WORKERS = "runs.workers.living"


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    detail: str


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers; says nothing about the servers behind it."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when work sent here would be done; 503 naming what stands in the way."""
    checks = readiness()
    ready = all(check.ok for check in checks)
    body = {"status": "ok" if ready else "unavailable", "checks": [asdict(check) for check in checks]}
    return JsonResponse(body, status=200 if ready else 503)


def readiness() -> list[Check]:
    probes = {"database": _database, "redis": _redis, "migrations": _migrations, "workers": _workers}
    return [_probe(name, probe) for name, probe in probes.items()]


def _probe(name: str, probe: Callable[[], tuple[bool, str]]) -> Check:
    try:
        return Check(name, *probe())
    except (Error, redis.RedisError, OSError) as error:
        # the reason goes to the log: its text may name hosts and users
        logger.warning("Readiness check %s failed: %s", name, error)
        return Check(name, False, type(error).__name__)


def _database() -> tuple[bool, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True, "answers"


def _redis() -> tuple[bool, str]:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1)
    try:
        client.ping()
    finally:
        client.close()
    return True, "answers"


def _migrations() -> tuple[bool, str]:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return not waiting, f"{len(waiting)} unapplied" if waiting else "applied"


def _workers() -> tuple[bool, str]:
    try:
        living: Callable[[], list[Any]] = import_string(LIVING_WORKERS)
    except ImportError:
        return True, "not watched"
    names = sorted(worker.name for worker in living())
    return bool(names), ", ".join(names) or "no heartbeat"
