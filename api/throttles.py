"""How often somebody may ask; for fairness, not against attackers (that is the lockout's and the proxy's job).

Requests are counted in fixed windows: one atomic increment of the shared cache, the same count for every
process. With a cache that is down everybody comes in, and the log says so.

This module is named in settings and must import no views: DRF imports it while they are being made.
"""

import hashlib
import time
from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle

from api.shared_cache import count


class Throttle(SimpleRateThrottle):
    """At most `rate` requests of one caller; `scope` names the rate in DEFAULT_THROTTLE_RATES.

    A caller is a signed-in user, or an address that no X-Forwarded-For can forge (NUM_PROXIES).
    """

    def get_rate(self) -> str | None:
        # read when asked: DRF's own attribute is fixed when the class is made
        rate: str | None = api_settings.DEFAULT_THROTTLE_RATES[self.scope]
        return rate

    def get_cache_key(self, request: Request | HttpRequest, view: Any) -> str:
        return self._key(f"user {request.user.pk}" if request.user.is_authenticated else self._address(request))

    def allow_request(self, request: Request | HttpRequest, view: Any) -> bool:
        """Count the request; whether it is within the rate."""
        if self.rate is None:
            return True
        now = time.time()
        window = int(now // self.duration)
        self._open_again_in = self.duration - now % self.duration
        key = f"{self.get_cache_key(request, view)}:{window}"
        return count(key, seconds=int(self.duration) + 1) <= self.num_requests

    def wait(self) -> float:
        """Seconds until the next window opens."""
        return self._open_again_in

    def _address(self, request: Any) -> str:
        return f"address {self.get_ident(request)}"

    def _key(self, caller: str) -> str:
        # hashed, because an address comes from a header that may hold anything
        return f"throttle:{self.scope}:{hashlib.sha256(caller.encode()).hexdigest()[:32]}"


class SignedIn(Throttle):
    """Every request of a user."""

    scope = "user"


class Anonymous(Throttle):
    """Requests without credentials, or with wrong ones; asked before anybody is known."""

    scope = "anonymous"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return self._key(self._address(request))


class Login(Anonymous):
    """Attempts to sign in, of one address; the lockout counts by user name beside it."""

    scope = "login"


class ModelWork(Throttle):
    """Requests that start work of a language model."""

    scope = "model-work"


class ResetAll(Throttle):
    """Requests that set every counter back."""

    scope = "reset-all"
