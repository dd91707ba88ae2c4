"""The verbs of this room."""

from datetime import datetime

from api.models import IdempotencyKey
from api.querysets import IdempotencyKeyQuerySet


def expired_keys(before: datetime) -> IdempotencyKeyQuerySet:
    """Stored answers from before that moment that have expired: what `manage.py prune` may delete.

    A key that still protects its request is never among them.
    """
    return IdempotencyKey.objects.expired().filter(created_at__lt=before)
