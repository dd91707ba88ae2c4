"""Bearer tokens at the door of the API."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from access.models import AccessToken
from access.services import authenticate_token


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer pr_…`; request.auth is the AccessToken."""

    def authenticate(self, request: Request) -> tuple[Any, AccessToken] | None:
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() != "bearer":
            return None
        # one message for every reason: a stranger must not learn which tokens once worked
        token = authenticate_token(words[1]) if len(words) == 2 else None
        if token is None:
            raise AuthenticationFailed(_("The token is unknown, expired or revoked."), code="invalid-token")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
