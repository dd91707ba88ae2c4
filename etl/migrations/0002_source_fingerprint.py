"""Lets a sync see in the database which rows it need not read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("etl", "0001_products")]

    operations = [
        migrations.AddField(
            model_name="product",
            name="source_fingerprint",
            field=models.BigIntegerField(editable=False, null=True),
        ),
    ]
