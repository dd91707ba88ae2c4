import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """How far each append-only log was cut off by age."""

    dependencies = [
        ("access", "0002_audit_event"),
    ]

    operations = [
        migrations.CreateModel(
            name="Pruning",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("table_name", models.CharField(max_length=64, unique=True, verbose_name="table")),
                ("up_to_id", models.BigIntegerField(verbose_name="highest id")),
                ("up_to_at", models.DateTimeField(verbose_name="older than")),
                ("updated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="pruned at")),
            ],
            options={
                "verbose_name": "pruned log",
                "verbose_name_plural": "pruned logs",
                "default_permissions": ("view",),
            },
        ),
    ]
