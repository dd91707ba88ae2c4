"""How often somebody may ask; for fairness, not against attackers (that is the lockout's and the proxy's job).

Requests are counted in fixed windows: one atomic increment of the shared cache, the same count for every
process. With a cache that is down everybody comes in, and the log says so.

This module is named in settings and must import no views: DRF imports it while they are being made.
"""

import hashlib
import time
from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from api.shared_cache import count

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Throttle(BaseThrottle):
    """At most so many requests of one caller; `scope` names the rate in DEFAULT_THROTTLE_RATES, None is no limit.

    A caller is a signed-in user, or an address that no X-Forwarded-For can forge (NUM_PROXIES).
    """

    scope: ClassVar[str]

    def __init__(self) -> None:
        rates: Any = api_settings.DEFAULT_THROTTLE_RATES
        limit, _, period = (rates[self.scope] or "0/s").partition("/")
        self.limit, self.seconds = int(limit), _SECONDS[period[0]]
        self.opens_again_in = 0.0

    def allow_request(self, request: Request | HttpRequest, view: Any) -> bool:
        """Count the request; whether it is within the rate."""
        if not self.limit:
            return True
        now = time.time()
        self.opens_again_in = self.seconds - now % self.seconds
        # hashed, because an address comes from a header that may hold anything
        caller = hashlib.sha256(self.caller(request).encode()).hexdigest()[:32]
        key = f"throttle:{self.scope}:{caller}:{int(now // self.seconds)}"
        return count(key, seconds=self.seconds + 1) <= self.limit

    def wait(self) -> float:
        """Seconds until the next window opens."""
        return self.opens_again_in

    def caller(self, request: Any) -> str:
        """Whose requests are counted together."""
        return f"user {request.user.pk}" if request.user.is_authenticated else self.address(request)

    def address(self, request: Any) -> str:
        """Where the request comes from, as far as our own proxies can tell."""
        return f"address {self.get_ident(request)}"


class SignedIn(Throttle):
    """Every request of a user."""

    scope = "user"


class Anonymous(Throttle):
    """Requests without credentials, or with wrong ones; asked before anybody is known."""

    scope = "anonymous"

    def caller(self, request: Any) -> str:
        return self.address(request)


class Login(Anonymous):
    """Attempts to sign in, of one address; the lockout counts by user name beside it."""

    scope = "login"


class ModelWork(Throttle):
    """Requests that start work of a language model."""

    scope = "model-work"


class ResetAll(Throttle):
    """Requests that set every counter back."""

    scope = "reset-all"
