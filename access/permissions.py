"""Default deny: a view says per action which permission it needs, or nobody gets in."""

from typing import Any, Final

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from access.models import AccessToken

SIGNED_IN: Final = "*"  # any signed-in user, of whatever role


class DeclaredPermission(BasePermission):
    """Reads `view.permissions`: {action or lower-case method: "app.codename" | SIGNED_IN}.

    What is not declared is refused, for superusers too. A read-only token changes nothing anywhere.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        if not _is_served(request, view):
            return True  # nothing to protect: DRF goes on to answer 405
        if isinstance(request.auth, AccessToken) and request.auth.read_only and request.method not in SAFE_METHODS:
            raise PermissionDenied(_("This token may only read."), code="read-only-token")
        needed = _declared(request, view)
        return needed is not None and (needed == SIGNED_IN or request.user.has_perm(needed))


def _is_served(request: Request, view: Any) -> bool:
    method = str(request.method).lower()
    if method == "options" and view.metadata_class is None:
        return False
    return method in view.http_method_names and hasattr(view, method)


def _declared(request: Request, view: Any) -> str | None:
    declared: dict[str, str] = getattr(view, "permissions", {})
    method = str(request.method).lower()
    key = getattr(view, "action", None) or ("get" if method == "head" else method)
    return declared.get(key)
