"""Writes sign-ins, sign-outs and refused sign-ins to the audit log (receivers of Django's signals)."""

from typing import Any

from access.services import record


def note_sign_in(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    record(actor=user, action="user.signed-in", target=user)


def note_sign_out(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    if user is not None:  # signing out without being signed in is no event
        record(actor=user, action="user.signed-out", target=user)


def note_refused_sign_in(sender: Any, credentials: dict[str, Any], **kwargs: Any) -> None:
    # jsonb cannot hold NUL, and a name nobody has may be as long as the form allows
    name = str(credentials.get("username", ""))[:150].replace("\0", "")
    record(actor=None, action="user.sign-in-refused", after={"username": name})
