"""Keeps products of 2 to 4 KB in the table as they are.

PostgreSQL starts to compress at 2 KB, which is where products with their attributes lie; compressing took
an eighth of the time of a first load, and every reader would pay for the reverse.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("etl", "0002_source_fingerprint")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE products SET (toast_tuple_target = 4080)",
            "ALTER TABLE products RESET (toast_tuple_target)",
        ),
    ]
