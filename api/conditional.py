"""Polling that costs next to nothing: a detail answer carries an ETag and can be asked "still the same?"."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import parse_etags
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.codec import encode
from api.problems import Problem

Handler = Callable[..., HttpResponseBase]

_LANGUAGE_ENDS = [f'-{code}"' for code, _name in settings.LANGUAGES]


def etag(pk: Any, version: Any) -> str:
    """`"<id>-<version>-<language>"`: the texts of an answer follow the reader's language."""
    word = f"{version.timestamp():.6f}" if isinstance(version, datetime) else str(version)
    return f'"{pk}-{word}-{get_language()}"'


def etag_of_body(pk: Any, data: Any) -> str:
    """For answers no single column knows the version of: a hash of what would be sent."""
    return etag(pk, hashlib.sha256(encode(data)).hexdigest()[:24])


def answer(request: Request, response: Response, tag: str) -> HttpResponseBase:
    """The response with its ETag, or 304 when the client already has just that."""
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache"  # keep it, but ask each time
    patch_vary_headers(response, ["Accept-Language", "Authorization", "Cookie"])
    if "If-None-Match" not in request.headers:
        return response
    return get_conditional_response(request._request, etag=tag, response=response) or response


def conditional(handler: Handler) -> Handler:
    """Marks a method that answers through answer(), for the API's description."""
    handler.is_conditional = True  # type: ignore[attr-defined]
    return handler


def require_match(request: Request, tag: str, *, always: bool = False) -> None:
    """412 `stale` when the client sends If-Match and has seen another version; with `always` it has to: 428."""
    wanted = request.headers.get("If-Match")
    if wanted is None and always:
        detail = _("Send the ETag of what you have read as If-Match.")
        raise Problem("precondition-required", status=428, detail=detail)
    if wanted is None:
        return
    tags = parse_etags(wanted)
    if tags != ["*"] and _without_language(tag) not in map(_without_language, tags):
        raise Problem("stale", status=412, detail=_("Somebody changed it after you looked. Read it again."))


def _without_language(tag: str) -> str:
    """Whoever reads in one language may write in another: a version is the same in all."""
    return next((tag.removesuffix(end) for end in _LANGUAGE_ENDS if tag.endswith(end)), tag)


class ConditionalRetrieve(GenericAPIView):
    """A viewset's `retrieve` with ETag.

    `version_field` names the column that changes with the row; then a repeated question costs one
    narrow query. With None the body is made and hashed.
    """

    version_field: str | None = "updated_at"

    @conditional
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.version_field and "If-None-Match" in request.headers:
            unchanged = self._unchanged(request, self.version_field)
            if unchanged is not None:
                return unchanged
        row: models.Model = self.get_object()
        data = self.get_serializer(row).data
        tag = etag(row.pk, getattr(row, self.version_field)) if self.version_field else etag_of_body(row.pk, data)
        return answer(request, Response(data), tag)

    def _unchanged(self, request: Request, version_field: str) -> HttpResponseBase | None:
        key = self.kwargs[self.lookup_url_kwarg or self.lookup_field]
        rows = self.get_queryset().order_by().filter(**{self.lookup_field: key})
        seen = rows.values_list("pk", version_field).first()
        if seen is None:
            return None
        response = answer(request, Response(), etag(*seen))
        return response if response.status_code == 304 else None
