"""Refuse migrations that would stop a live system: python -m config.migration_lint (part of `make check`).

Looks at every migration of our own apps but the first of each, which only creates what nobody uses yet:
squawk reads its SQL, and two rules of ours look at what SQL does not show.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.db.migrations import Migration, RunPython

BASE_DIR = Path(__file__).resolve().parent.parent
SQUAWK = Path(sys.executable).with_name("squawk")

# What was looked at and is safe where it stands: "app.migration: rule" → why
NEW_ROOM = "these tables came a moment before, with the first migration of the room, and are empty"

ALLOWED: dict[str, str] = {
    "exports.0002_shipped_templates: runs-python": "adds four templates, and nothing else is in these tables then",
    "etl.0008_batches_numbered_within_their_shard: ban-drop-constraint": "a wider constraint takes its place",
    "distillations.0002_usage_tracking: adding-field-with-default": NEW_ROOM,
    "distillations.0002_usage_tracking: adding-foreign-key-constraint": NEW_ROOM,
    "distillations.0002_usage_tracking: adding-not-nullable-field": NEW_ROOM,
    "distillations.0002_usage_tracking: adding-required-field": NEW_ROOM,
    "distillations.0002_usage_tracking: ban-drop-constraint": NEW_ROOM,
    "distillations.0002_usage_tracking: constraint-missing-not-valid": NEW_ROOM,
    "distillations.0002_usage_tracking: require-concurrent-index-creation": NEW_ROOM,
    "roadmaps.0002_quiz_attempts_name_their_writer: ban-drop-default": NEW_ROOM,
    "roadmaps.0002_quiz_attempts_name_their_writer: constraint-missing-not-valid": NEW_ROOM,
    "roadmaps.0002_quiz_attempts_name_their_writer: require-concurrent-index-creation": NEW_ROOM,
}


class Fault(NamedTuple):
    """What is wrong with a migration."""

    where: str
    rule: str
    text: str

    @property
    def key(self) -> str:
        """How ALLOWED names it."""
        return f"{self.where}: {self.rule}"


def main() -> int:
    """Print every fault; 1 when there are any."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    found = [fault for migration, sql in own_migrations() for fault in faults_of(migration, sql)]
    refused = [fault for fault in found if fault.key not in ALLOWED]
    stale = sorted(set(ALLOWED) - {fault.key for fault in found})
    lines = [f"{fault.key}: {fault.text}" for fault in refused]
    lines += [f"{key}: allowed in config/migration_lint.py, but no longer there" for key in stale]
    print("\n".join(lines) or "Every migration is safe on a live system.")
    return 1 if lines else 0


def own_migrations() -> Iterator[tuple[Migration, str]]:
    """Our migrations after the first of each app, with their SQL."""
    from django.apps import apps
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    ours = [config.label for config in apps.get_app_configs() if Path(config.path).parent == BASE_DIR]
    loader: Any = MigrationLoader(connection, replace_migrations=False)
    for key in sorted(loader.graph.nodes):
        if key[0] in ours and key not in loader.graph.root_nodes(key[0]):
            yield loader.graph.nodes[key], sql_of(loader, key)


def sql_of(loader: Any, key: tuple[str, str]) -> str:
    """What `manage.py sqlmigrate` would print."""
    return "\n".join(loader.collect_sql([(loader.graph.nodes[key], False)]))


def faults_of(migration: Migration, sql: str) -> list[Fault]:
    """Everything that would lock a table for long, break the running code or could not be undone."""
    where = f"{migration.app_label}.{migration.name}"
    faults = [Fault(where, *found) for found in _read_by_squawk(sql, where, in_transaction=migration.atomic)]
    for operation in migration.operations:
        if isinstance(operation, RunPython):
            text = "Move rows by a command that can be stopped and resumed, not inside a migration."
            faults.append(Fault(where, "runs-python", text))
        if not operation.reversible:
            faults.append(Fault(where, "irreversible", f"{operation.describe()} cannot be undone."))
    return faults


def _read_by_squawk(sql: str, where: str, *, in_transaction: bool) -> list[tuple[str, str]]:
    assume = "--assume-in-transaction" if in_transaction else "--no-assume-in-transaction"
    command = [str(SQUAWK), "--config", str(BASE_DIR / ".squawk.toml"), "--reporter", "json", assume]
    done = subprocess.run(  # noqa: S603 - the locked linter, with our own SQL
        [*command, "--stdin-filepath", f"{where}.sql"], input=sql, capture_output=True, text=True, check=False
    )
    try:
        found = json.loads(done.stdout or "[]")
    except ValueError:
        found = None
    if not isinstance(found, list) or (done.returncode and not found):
        raise RuntimeError(f"squawk failed on {where}: {done.stderr or done.stdout}")
    return [(each["rule_name"], each["message"]) for each in found]


if __name__ == "__main__":
    sys.exit(main())
