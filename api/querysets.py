"""Questions about stored answers, by the database's clock."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import connections, models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Now


class IdempotencyKeyQuerySet(models.QuerySet):
    """Stored answers by age, and the lock that goes with a key."""

    def with_expired(self) -> IdempotencyKeyQuerySet:
        """Annotates `has_expired`: past IDEMPOTENCY_KEY_HOURS, no longer answered from."""
        age = timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS)
        return self.annotate(has_expired=Case(When(stored_before(age), then=True), default=False))

    def expired(self) -> IdempotencyKeyQuerySet:
        """The answers that are no longer given."""
        return self.stored_before(timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS))

    def stored_before(self, age: timedelta) -> IdempotencyKeyQuerySet:
        """Stored longer ago than `age`."""
        return self.filter(stored_before(age))

    def try_lock(self, number: int) -> bool:
        """Take an advisory lock until the transaction ends; False while another transaction holds it."""
        with connections[self.db].cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
            return bool(cursor.fetchone()[0])


def stored_before(age: timedelta) -> Q:
    """Whether an answer was stored longer ago than `age`."""
    return Q(created_at__lt=Now() - Value(age, output_field=models.DurationField()))
