from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Every filter and search of the audit list by an index; the log is written to while they are built."""

    atomic = False
    dependencies = [
        ("access", "0003_pruning"),
    ]

    operations = [
        AddIndexConcurrently("auditevent", models.Index(fields=["action", "id"], name="audit_event_by_action")),
        AddIndexConcurrently("auditevent", models.Index(fields=["actor_name", "id"], name="audit_event_by_actor")),
        AddIndexConcurrently("auditevent", models.Index(fields=["object_id", "id"], name="audit_event_by_object")),
        AddIndexConcurrently(
            "auditevent",
            models.Index(
                fields=["request_id", "id"],
                name="audit_event_by_request",
                condition=models.Q(("request_id", ""), _negated=True),
            ),
        ),
    ]
