"""Which counters a check found drifted, and how evenly distillations were used."""

import api.codec
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('distillations', '0004_lists_of_distillations'),
    ]

    operations = [
        migrations.AddField(
            model_name='usagecheck',
            name='drifted_ids',
            field=api.codec.ExactJSONField(db_default=models.Value([], output_field=api.codec.ExactJSONField()), default=list, editable=False),
        ),
        migrations.AddField(
            model_name='usagecheck',
            name='spread',
            field=api.codec.ExactJSONField(db_default=models.Value([], output_field=api.codec.ExactJSONField()), default=list, editable=False),
        ),
    ]
