from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Check the rows that were there before, without keeping anyone from writing."""

    dependencies = [("etl", "0004_product_sync_modes")]

    operations = [
        ValidateConstraint("productsyncrun", name)
        for name in (
            "product_sync_mode_is_known",
            "product_sync_replay_says_of_what",
            "product_sync_window_begins_before_it_ends",
            "product_sync_deletes_at_most_all",
        )
    ]
