"""Who tries too many passwords is locked out for a while; a user nobody has is treated alike."""

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_ipv46_address
from django.db import models, transaction
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from access.services import Actor, record
from api.codec import encode
from api.problems import CONTENT_TYPE, Problem

LONGEST_NAME = 150


class Lockout(AxesDatabaseHandler):
    """Beside the pair of user and address, also the user alone, from wherever: a wider limit against many addresses."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Too many failures of the pair, or of the user from everywhere."""
        if super().is_locked(request, credentials):
            return True
        of_user = AccessAttempt.objects.filter(username=name_of(request, credentials))
        failures = recent(of_user).aggregate(all=Sum("failures_since_start"))["all"] or 0
        return failures >= settings.LOCKOUT_FAILURES_OF_USER


def recent(attempts: models.QuerySet[AccessAttempt]) -> models.QuerySet[AccessAttempt]:
    """Those that still count."""
    return attempts.filter(attempt_time__gte=timezone.now() - settings.AXES_COOLOFF_TIME)


def locked_out(attempts: models.QuerySet[AccessAttempt]) -> list[tuple[str, str]]:
    """The pairs of user and address that are locked out now."""
    pairs = recent(attempts).order_by().values("username", "ip_address").annotate(failures=Sum("failures_since_start"))
    return [(pair["username"], pair["ip_address"]) for pair in pairs if pair["failures"] >= settings.LOCKOUT_FAILURES]


@transaction.atomic
def unlock(username: str, *, actor: Actor) -> int:
    """Forget the failed sign-ins of a user name, from every address; how many there were."""
    attempts = AccessAttempt.objects.filter(username=username)
    failures = attempts.aggregate(all=Sum("failures_since_start"))["all"] or 0
    addresses = sorted({str(each) for each in attempts.values_list("ip_address", flat=True)})
    attempts.delete()
    record(
        actor=actor, action="user.unlocked", after={"username": username, "failures": failures, "addresses": addresses}
    )
    return failures


def name_of(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """The user name that was tried, cut to what a user can be called: the form lets through what no column holds."""
    name = (credentials or {}).get("username")
    return name[:LONGEST_NAME].replace("\0", "") if isinstance(name, str) else None


def address_of(request: HttpRequest) -> str | None:
    """Where a request comes from; only our own proxies are believed (NUM_PROXIES)."""
    address = request.META.get("REMOTE_ADDR") or None
    if not settings.NUM_PROXIES:
        return address
    forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    named = forwarded[-min(settings.NUM_PROXIES, len(forwarded))] if forwarded else address
    return named if named and _is_address(named) else address


def refuse(request: HttpRequest, original: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """The answer to somebody locked out: the same for every name, whether anybody has it or not."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    minutes = max(1, seconds // 60)
    advice = ngettext(
        "Wait %(minutes)s minute, or ask an administrator to unlock the user.",
        "Wait %(minutes)s minutes, or ask an administrator to unlock the user.",
        minutes,
    )
    facts = {"title": _("Too many failed attempts"), "advice": advice % {"minutes": minutes}}
    if request.path.startswith("/api/"):
        problem = Problem("throttled", status=429, detail=facts["advice"])
        response = HttpResponse(encode(problem.body(request.path)), status=429, content_type=CONTENT_TYPE)
    else:
        response = render(request, "access/locked_out.html", facts, status=429)
    response["Retry-After"] = str(seconds)
    return response


def _is_address(text: str) -> bool:
    try:
        validate_ipv46_address(text)
    except ValidationError:
        return False
    return True
