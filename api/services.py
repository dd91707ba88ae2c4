"""The verbs of this room."""

from datetime import timedelta

from api.models import IdempotencyKey


def forget_expired_keys(older_than: timedelta) -> int:
    """Delete stored answers of that age that have expired; how many.

    A key that still protects its request is never deleted, however short `older_than` is.
    """
    deleted, _by_model = IdempotencyKey.objects.expired().stored_before(older_than).delete()
    return deleted
