"""Batches are numbered within their shard, without keeping running syncs from writing theirs."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models

OLD, NEW = "product_sync_batch_is_numbered_once", "product_sync_batch_of_a_shard_is_numbered_once"


def numbered_once(name: str, *fields: str) -> list[migrations.RunSQL]:
    """Statements that add the constraint by way of an index built beside the writers."""
    columns = ", ".join(fields)
    return [
        migrations.RunSQL(
            f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON etl_productsyncbatch ({columns})",
            f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        ),
        migrations.RunSQL(
            f"ALTER TABLE etl_productsyncbatch ADD CONSTRAINT {name} UNIQUE USING INDEX {name}",
            f"ALTER TABLE etl_productsyncbatch DROP CONSTRAINT {name}",
        ),
    ]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("etl", "0007_product_sync_runs_in_shards")]

    operations = [
        ValidateConstraint("productsyncrun", "product_sync_has_a_shard"),
        migrations.SeparateDatabaseAndState(
            numbered_once(NEW, "run_id", "shard", "number"),
            [
                migrations.AddConstraint(
                    model_name="productsyncbatch",
                    constraint=models.UniqueConstraint(fields=("run", "shard", "number"), name=NEW),
                )
            ],
        ),
        migrations.RemoveConstraint(model_name="productsyncbatch", name=OLD),
    ]
