from django.db import migrations, models


class Migration(migrations.Migration):
    """Counters that outlive the processes that count."""

    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Counter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField(verbose_name="name")),
                ("labels", models.JSONField(default=dict, verbose_name="labels")),
                ("value", models.FloatField(default=0, verbose_name="value")),
            ],
            options={
                "verbose_name": "counter",
                "verbose_name_plural": "counters",
                "permissions": [("view_metrics", "Can read the metrics")],
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("name", "labels"), name="watch_counter_is_one_row")],
            },
        ),
    ]
