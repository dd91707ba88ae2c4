"""Runs know how many shards they have, and batches which of them they are of."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("etl", "0006_product_sync_shards")]

    operations = [
        migrations.AddField(
            model_name="productsyncrun",
            name="shards",
            field=models.PositiveSmallIntegerField(
                db_default=1,
                default=1,
                help_text="Parts of the keys that workers read side by side.",
                verbose_name="shards",
            ),
        ),
        migrations.AddField(
            model_name="productsyncbatch",
            name="shard",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="shard"),
        ),
        migrations.AlterModelOptions(
            name="productsyncbatch",
            options={
                "ordering": ["run", "shard", "number"],
                "verbose_name": "batch",
                "verbose_name_plural": "batches",
            },
        ),
        AddConstraintNotValid(
            model_name="productsyncrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("shards__gte", 1), ("shards__lte", 64)),
                name="product_sync_has_a_shard",
                violation_error_message="A run has 1 to 64 shards.",
            ),
        ),
    ]
