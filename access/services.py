"""The verbs of this room: write down what happened; make, check and revoke tokens."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from structlog.contextvars import get_contextvars

from access.models import AccessToken, AuditEvent

TOKEN_START = "pr_"
SHOWN_CHARACTERS = 8
MAX_TOKEN_DAYS = 3650
_USE_IS_NOTED_EVERY = timedelta(minutes=1)  # a busy script must not write one row per request

Actor = AbstractBaseUser | AnonymousUser | str | None


def record(
    *,
    actor: Actor,
    action: str,
    target: models.Model | None = None,
    before: Any = None,
    after: Any = None,
    reference: tuple[str, str] = ("", ""),
) -> AuditEvent:
    """Write one audit event in the caller's transaction.

    `actor` is a user, None, or a word for what is no person ("schedule", "command"). `reference` is what
    finds an event that is about no single object: its type and a key.
    """
    user = actor if isinstance(actor, AbstractBaseUser) else None
    return AuditEvent.objects.create(
        actor_id=user.pk if user else None,
        actor_name=(user.get_username() if user else str(actor or ""))[:150],
        action=action,
        object_type=target._meta.label_lower if target is not None else reference[0],
        object_id=str(target.pk) if target is not None and target.pk is not None else reference[1],
        object_name=str(target) if target is not None else "",
        before=before,
        after=after,
        request_id=str(get_contextvars().get("request_id", ""))[:64],
    )


def timeline(target: models.Model) -> models.QuerySet[AuditEvent]:
    """What happened to one object, newest first."""
    return AuditEvent.objects.filter(object_type=target._meta.label_lower, object_id=str(target.pk)).order_by("-id")


@transaction.atomic
def create_token(
    user: Any, *, name: str = "", read_only: bool = False, days: int | None = None, actor: Actor = None
) -> tuple[AccessToken, str]:
    """Make a token for `user`; the plaintext is returned here and can never be read again.

    `actor` is whoever makes it, the user themselves unless named. ValidationError for what cannot be.
    """
    if not user.is_active:
        raise ValidationError({"user": ValidationError(_("An inactive user cannot have a token."), code="inactive")})
    if days is not None and not 1 <= days <= MAX_TOKEN_DAYS:
        message = _("A token lasts from 1 to %(most)s days.")
        raise ValidationError({"days": ValidationError(message, code="invalid", params={"most": MAX_TOKEN_DAYS})})
    plaintext = TOKEN_START + secrets.token_urlsafe(32)
    token = AccessToken(
        user=user,
        name=name,
        prefix=plaintext[:SHOWN_CHARACTERS],
        sha256=_digest(plaintext),
        read_only=read_only,
        expires_at=timezone.now() + timedelta(days=days) if days is not None else None,
    )
    token.full_clean(exclude=["created_at"])
    token.save(force_insert=True)
    after = {"user": user.get_username(), "readOnly": read_only, "expiresAt": token.expires_at}
    record(actor=actor or user, action="token.created", target=token, after=after)
    return token, plaintext


@transaction.atomic
def revoke_token(token: AccessToken, *, actor: Actor) -> bool:
    """Make a token useless from now on; False if it already was revoked."""
    now = timezone.now()
    won = AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now) == 1
    if won:
        token.revoked_at = now
        record(actor=actor, action="token.revoked", target=token, after={"user": token.user.get_username()})
    return won


def authenticate_token(plaintext: str) -> AccessToken | None:
    """The usable token with its active user, or None; notes the use at most once a minute."""
    token = AccessToken.objects.select_related("user").filter(sha256=_digest(plaintext)).first()
    if token is None or not token.is_usable or not token.user.is_active:
        return None
    _note_use(token)
    return token


def _note_use(token: AccessToken) -> None:
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - _USE_IS_NOTED_EVERY:
        return
    not_just_noted = models.Q(last_used_at=None) | models.Q(last_used_at__lte=now - _USE_IS_NOTED_EVERY)
    AccessToken.objects.filter(not_just_noted, pk=token.pk).update(last_used_at=now)


def _digest(plaintext: str) -> str:
    # 32 random bytes cannot be guessed, so a plain hash is enough and can be looked up by index
    return hashlib.sha256(plaintext.encode("utf-8", "surrogateescape")).hexdigest()
