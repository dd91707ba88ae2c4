"""What this room tells /metrics."""

from collections.abc import Iterator

from axes.models import AccessAttempt
from django.db.models import Q
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from access.lockout import locked_out
from access.models import AccessToken


def collect() -> Iterator[Metric]:
    """Tokens that open a door, and who is locked out of it."""
    now = timezone.now()
    tokens = GaugeMetricFamily("pressroom_access_tokens", "API tokens that can be used.", None, ["access"])
    usable = AccessToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    tokens.add_metric(["read-only"], usable.filter(read_only=True).count())
    tokens.add_metric(["full"], usable.filter(read_only=False).count())
    yield tokens
    locked = GaugeMetricFamily("pressroom_sign_ins_locked", "Pairs of user and address that are locked out.", None, [])
    locked.add_metric([], len(locked_out(AccessAttempt.objects.all())))
    yield locked
