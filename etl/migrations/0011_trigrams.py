"""The extension behind "contains" searches."""

from django.db import migrations

from config.extensions import Trigrams


class Migration(migrations.Migration):

    dependencies = [
        ('etl', '0010_list_permissions'),
    ]

    operations = [
        Trigrams(),
    ]
