"""The doctor looks at settings: of PostgreSQL, Redis and Django, and at migrations."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import WARNING, run_checks
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _
from redis import Redis

from config import embedded
from watch.findings import Finding, Up, fine, problem

OLDEST_VERSION = 150000
CROWDED = 0.8  # of the connections there are

# a page that waits for ever, or a frozen worker that keeps its locks, is what each of these prevents
MUST_NOT_BE_OFF = (
    "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "client_connection_check_interval",
)  # fmt: skip
DURABLE = {"fsync": "on", "full_page_writes": "on"}


def examine(up: Up) -> Iterator[Finding]:
    """Everything about the set-up that is no data."""
    yield from _django()
    if up.database:
        yield from _postgres()
        yield from _migrations()
    if up.redis:
        yield from _redis()


def _django() -> Iterator[Finding]:
    if settings.DEBUG and not embedded.is_private(settings.VAR_DIR):
        text = _("DEBUG is on, although DATABASE_URL names a server of your own: errors show secrets to everybody.")
        yield problem("settings", text, "DEBUG=0")
    for message in run_checks(include_deployment_checks=not settings.DEBUG):
        if message.level >= WARNING and not message.is_silenced():
            hint = str(message.hint or "manage.py check --deploy")
            yield problem("settings", f"{message.msg.splitlines()[0]} ({message.id})", hint.splitlines()[0])
    manifest = settings.STATIC_ROOT and settings.STATIC_ROOT / "staticfiles.json"
    if manifest and not manifest.exists():
        yield problem("settings", _("Static files are not collected."), "manage.py collectstatic --noinput")


def _postgres() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting, unit FROM pg_settings")
        actual = {name: value for name, value, _unit in cursor.fetchall()}
        cursor.execute("SELECT current_user, pg_is_in_recovery(), (SELECT sum(numbackends) FROM pg_stat_database)")
        user, standby, used = cursor.fetchone()
    role = connection.ops.quote_name(user)
    if int(actual["server_version_num"]) < OLDEST_VERSION:
        text = _("PostgreSQL %(version)s is too old.") % {"version": actual["server_version"]}
        yield problem("database", text, _("Move to PostgreSQL 15 or later."))
    if standby:
        text = _("The database is a standby, which cannot be written to.")
        yield problem("database", text, _("Let DATABASE_URL name the primary."))
    yield from _timeouts(role)
    if actual["default_transaction_isolation"] != "read committed":
        text = _("Transactions begin as %(level)s; Pressroom is made for read committed.")
        level = actual["default_transaction_isolation"]
        yield _by_sql(
            "database",
            text % {"level": level},
            f"ALTER ROLE {role} SET default_transaction_isolation = 'read committed'",
        )
    if actual["server_encoding"] != "UTF8":
        text = _("The database's encoding is %(encoding)s.") % {"encoding": actual["server_encoding"]}
        yield problem("database", text, "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0")
    yield from _search()
    if not settings.DEBUG:
        for name, wanted in DURABLE.items():
            if actual[name] != wanted:
                text = _("%(name)s is off: a crash of the machine destroys data.") % {"name": name}
                yield _by_sql("database", text, f"ALTER SYSTEM SET {name} = {wanted}", "SELECT pg_reload_conf()")
    room = int(actual["max_connections"]) - int(actual["superuser_reserved_connections"])
    facts = {"used": int(used), "room": room}
    if used > CROWDED * room:
        text = _("%(used)s of %(room)s connections are in use.") % facts
        yield problem("database", text, _("Raise max_connections or put pgbouncer in between (docs/operations.md)."))
    else:
        yield fine("database", _("%(used)s of %(room)s connections are in use") % facts)


def _search() -> Iterator[Finding]:
    """Under LC_CTYPE C a Chinese character is no letter to pg_trgm, so a search by part of a name finds nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT true FROM pg_extension WHERE extname = 'pg_trgm'")
        if cursor.fetchone() is None:
            return  # its migration is missing, which is said elsewhere
        cursor.execute("SELECT show_trgm('中文搜索') <> '{}'")
        if cursor.fetchone()[0]:
            yield fine("database", _("a part of a Chinese name can be searched for"))
            return
    text = _("A part of a Chinese name finds nothing: the database was made with LC_CTYPE C.")
    yield problem("database", text, "CREATE DATABASE … LC_CTYPE 'C.UTF-8' TEMPLATE template0")


def _timeouts(role: str) -> Iterator[Finding]:
    """As this session has them, whether by its own start-up options or by its role in PostgreSQL."""
    with connection.cursor() as cursor:
        # the doctor's own patience stands in the session; what a worker would have is what RESET gives back
        cursor.execute("SELECT name, reset_val::bigint FROM pg_settings WHERE name = ANY(%s)", [list(MUST_NOT_BE_OFF)])
        actual = dict(cursor.fetchall())
    off = [name for name in MUST_NOT_BE_OFF if not actual[name]]
    for name in off:
        text = _("%(name)s is off: one stuck client can hold up everybody.") % {"name": name}
        wanted = settings.DB_SESSION_SETTINGS.get(name) or 60_000
        yield _by_sql("database", text, f"ALTER ROLE {role} SET {name} = {wanted}")
    if not off:
        yield fine("database", _("waiting and idling are limited"))


def _redis() -> Iterator[Finding]:
    client = Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2)
    try:
        memory: Any = client.info("memory")
    finally:
        client.close()
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        yield fine("redis", _("nothing is evicted from Redis"))
        return
    text = _("Redis may throw messages away when its memory is full (maxmemory-policy %(policy)s).")
    yield problem("redis", text % {"policy": policy}, "redis-cli CONFIG SET maxmemory-policy noeviction")


def unapplied_migrations() -> list[tuple[str, str]]:
    """(app, name) of each migration the database still lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [(migration.app_label, migration.name) for migration, _backwards in plan]


def _migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    waiting = unapplied_migrations()
    if waiting:
        names = ", ".join(f"{app}.{name}" for app, name in waiting)
        yield problem("migrations", _("Not applied: %(names)s") % {"names": names}, "manage.py migrate")
    known = {app for app, _name in executor.loader.graph.nodes}
    newer = sorted(
        f"{app}.{name}"
        for app, name in executor.loader.applied_migrations
        if app in known and (app, name) not in executor.loader.disk_migrations and not _is_squashed(executor, app, name)
    )
    if newer:
        text = _("The database is newer than this code: %(names)s") % {"names": ", ".join(newer)}
        yield problem("migrations", text, _("Deploy the code these migrations belong to."))
    if not (waiting or newer):
        yield fine("migrations", _("every migration is applied"))


def _is_squashed(executor: MigrationExecutor, app: str, name: str) -> bool:
    return any((app, name) in migration.replaces for migration in executor.loader.disk_migrations.values())


def _by_sql(check: str, text: str, *sql: str) -> Finding:
    """A problem whose cure is a statement for the database's owner."""
    return problem(check, text, "; ".join(sql))
