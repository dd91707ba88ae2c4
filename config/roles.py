"""What a process may ask of the database, by what it is: a page must not wait, a batch may, a migration must.

A request that waits for a lock keeps its thread from everybody else, so the web process gives up soon; a
worker's page is longer; a migration waits only briefly for a lock, since all who come later queue up behind
it, but may then work as long as it needs.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

WEB, WORKER, MIGRATE, SCRIPT = "web", "worker", "migrate", "script"
ROLES = (WEB, WORKER, MIGRATE, SCRIPT)

# commands that change the schema, and those that serve requests; every other one works like a worker
MIGRATING = frozenset({"migrate", "pgtrigger", "flush", "sqlflush"})
SERVING = frozenset({"runserver"})

SECOND = 1000


def role_of_process(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """What the process with this command line is. PRESSROOM_ROLE decides where it is set.

    A program nobody knows (a test run, a bench, somebody's script) is a script, which nothing cuts short.
    """
    if named := environment.get("PRESSROOM_ROLE"):
        return named
    program = Path(arguments[0]) if arguments else Path()
    name = program.parent.name if program.name == "__main__.py" else program.name
    if name == "gunicorn":
        return WEB
    if name == "celery":
        return WORKER
    if name == "manage.py":
        command = arguments[1] if len(arguments) > 1 else ""
        return MIGRATE if command in MIGRATING else WEB if command in SERVING else WORKER
    return SCRIPT


def session_settings(role: str, *, lease_seconds: float) -> dict[str, int]:
    """PostgreSQL's settings for a session of this role, all in milliseconds.

    Whatever it is, a transaction idle for longer than the lease belongs to nobody (a frozen worker would
    keep its run's row locked and nobody could take over), and a backend looks every second whether its
    client still lives.
    """
    lease = int(lease_seconds * SECOND)
    common = {"idle_in_transaction_session_timeout": lease, "client_connection_check_interval": SECOND}
    return (
        common
        | {
            WEB: {
                "lock_timeout": 3 * SECOND,
                "statement_timeout": 15 * SECOND,
                "idle_in_transaction_session_timeout": 30 * SECOND,
            },
            WORKER: {"lock_timeout": 5 * SECOND, "statement_timeout": 120 * SECOND},
            MIGRATE: {"lock_timeout": 2 * SECOND, "statement_timeout": 0},
            SCRIPT: {},
        }[role]
    )


def as_startup_options(settings: Mapping[str, int]) -> str:
    """The settings as libpq sends them when a session begins."""
    return " ".join(f"-c {name}={value}" for name, value in settings.items())
