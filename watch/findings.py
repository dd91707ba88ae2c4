"""What the doctor finds, and how the whole round is made.

An app names functions `(up: Up) → iterable of Finding` as `doctor` (a list of dotted paths) in its
AppConfig. Each asks only servers that are up, so that one that is down costs one line and no waiting.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.db import Error, connection
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from redis import Redis, RedisError

logger = structlog.get_logger(__name__)

# a doctor who waits for a table that is locked is of no use
PATIENCE_MS = 5_000


@dataclass(frozen=True)
class Finding:
    """One thing looked at: fine, or what is wrong, and the command that mends it.

    `check` groups findings and is stable for programs. `sql` are statements `doctor --mend` may run.
    """

    check: str
    ok: bool
    text: str
    mend: str = ""
    sql: tuple[str, ...] = ()


@dataclass(frozen=True)
class Up:
    """Which servers answer."""

    database: bool
    redis: bool


Examination = Callable[[Up], Iterable[Finding]]


def fine(check: str, text: str) -> Finding:
    """Something that is as it should be."""
    return Finding(check, True, text)


def problem(check: str, text: str, mend: str, *sql: str) -> Finding:
    """Something to mend."""
    return Finding(check, False, text, mend, sql)


def examine_everything() -> list[Finding]:
    """One round over servers, settings, schema and what every app wants looked at. Never raises for them."""
    found = [*_knock(_database, "database"), *_knock(_redis, "redis")]
    up = Up(*(any(each.ok and each.check == name for each in found) for name in ("database", "redis")))
    if not up.database:
        left_out = _("Schema, migrations, runs and data were not looked at, since the database does not answer.")
        found.append(problem("database", left_out, "manage.py doctor"))
    for config in apps.get_app_configs():
        for path in getattr(config, "doctor", []):
            found += _safely(import_string(path), up, config.label)
    return found


def _knock(probe: Callable[[], Finding], check: str) -> list[Finding]:
    try:
        return [probe()]
    except (Error, RedisError, OSError) as error:
        name = {"database": "DATABASE_URL", "redis": "REDIS_URL"}[check]
        facts = {"what": _server(check), "reason": in_one_line(error)}
        mend = _("Start it, or let %(name)s name one that runs.") % {"name": name}
        return [problem(check, _("%(what)s does not answer: %(reason)s") % facts, mend)]


def _server(check: str) -> str:
    return {"database": "PostgreSQL", "redis": "Redis"}[check]


def _database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {PATIENCE_MS}")
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0]
    return fine("database", _("PostgreSQL %(version)s answers") % {"version": version.split()[0]})


def _redis() -> Finding:
    client = Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2)
    try:
        facts: Any = client.info("server")
    finally:
        client.close()
    version = facts.get("valkey_version") or facts["redis_version"]
    name = "Valkey" if "valkey_version" in facts else "Redis"
    return fine("redis", _("%(name)s %(version)s answers") % {"name": name, "version": version})


def _safely(examination: Examination, up: Up, label: str) -> list[Finding]:
    """What an app finds. An app whose tables are missing, say, must not keep the others from being looked at."""
    found: list[Finding] = []
    try:
        found.extend(examination(up))
    except (Error, RedisError, OSError) as error:
        logger.info("doctor.failed", app=label, exc_info=error)
        facts = {"app": label, "reason": in_one_line(error)}
        found.append(problem(label, _("%(app)s cannot be looked at: %(reason)s") % facts, "manage.py migrate"))
    return found


def in_one_line(error: Exception) -> str:
    """The reason without the rest of a server's long explanation."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
