from django.db import migrations


class Migration(migrations.Migration):
    """One sequence for all kinds of runs: a token is never given out twice, not even across tables."""

    initial = True
    dependencies = []

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE runs_fencing_token AS bigint",
            "DROP SEQUENCE runs_fencing_token",
        ),
    ]
