"""A migration that would stop a live system is refused."""

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader

from config import migration_lint
from config.migration_lint import faults_of, own_migrations, sql_of

pytestmark = pytest.mark.django_db(transaction=True)

INDEX = models.Index(fields=["src_id"], name="by_source_row")


def rules(*operations, atomic=True):
    """What is found wrong with a migration of these operations on top of etl's newest."""
    loader = MigrationLoader(connection, replace_migrations=False)
    (newest,) = loader.graph.leaf_nodes("etl")
    kind = type("Migration", (migrations.Migration,), {"operations": list(operations), "atomic": atomic})
    migration = kind("9999_unsafe", "etl")
    loader.graph.add_node(("etl", "9999_unsafe"), migration)
    loader.graph.add_dependency(migration, ("etl", "9999_unsafe"), newest)
    return {fault.rule for fault in faults_of(migration, sql_of(loader, ("etl", "9999_unsafe")))}


@pytest.mark.parametrize(
    ("operation", "rule"),
    [
        (migrations.AddIndex("product", INDEX), "require-concurrent-index-creation"),
        (migrations.AddField("product", "x", models.TextField(default="")), "ban-drop-default"),
        (
            migrations.AddConstraint("product", models.CheckConstraint(condition=~models.Q(name="x"), name="no_x")),
            "constraint-missing-not-valid",
        ),
        (
            migrations.AddConstraint("product", models.UniqueConstraint(fields=["src_id"], name="src_id_once")),
            "disallowed-unique-constraint",
        ),
        (migrations.RenameField("product", "name", "title"), "renaming-column"),
        (migrations.RemoveField("product", "description"), "ban-drop-column"),
        (migrations.AlterField("product", "src_id", models.TextField(null=True)), "changing-column-type"),
        (migrations.RunPython(print, migrations.RunPython.noop), "runs-python"),
        (migrations.RunSQL("UPDATE products SET name = ''"), "irreversible"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unsafe_migration_is_refused(operation, rule):
    assert rule in rules(operation)


@pytest.mark.parametrize(
    ("operation", "atomic"),
    [
        (AddIndexConcurrently("product", INDEX), False),
        (migrations.AddField("product", "x", models.TextField(null=True)), True),
        (migrations.AddField("product", "x", models.TextField(default="", db_default="")), True),
        (migrations.CreateModel("Fresh", [("id", models.BigAutoField(primary_key=True))]), True),
    ],
    ids=["concurrent index", "nullable column", "column with a default of the database", "new table"],
)
def test_the_safe_way_passes(operation, atomic):
    assert rules(operation, atomic=atomic) == set()


@pytest.mark.long
def test_our_migrations_are_safe_and_every_exception_has_a_reason():
    found = {fault.key for migration, sql in own_migrations() for fault in faults_of(migration, sql)}
    assert found == set(migration_lint.ALLOWED)
    assert all(migration_lint.ALLOWED.values())
