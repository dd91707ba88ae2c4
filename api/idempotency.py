"""Idempotency-Key: a POST that is sent again is answered again, and its work is done once.

The order at the door: retry → one transaction → try the lock of (user, route, key) → the stored answer, if
there is one → the view → store its answer → commit. Work and answer are one commit, so a crash anywhere
leaves both or neither.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, HttpResponseBase
from django.utils.datastructures import MultiValueDict
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.codec import canonical, encode
from api.headers import IDEMPOTENCY_KEY, REPLAYED
from api.models import IdempotencyKey
from api.problems import Problem

KEPT_HEADERS = ("Location", "ETag", "Retry-After")

# by name, because the room of transactions that are retried builds on this one
ATOMIC_RETRIED = "runs.transactions.atomic_retried"

_SYNTAX = re.compile(r"[\x20-\x7e]{1,255}")
_MOUNT = re.compile(r"^/api/(v1/)?")

Handler = Callable[..., HttpResponseBase]


def idempotent(handler: Handler) -> Handler:
    """Decorates a view's method (under @extend_schema, under @action) that creates work.

    The method then runs in one transaction when the request carries a key, and may run again when that
    transaction loses: work that must stay outside of transactions belongs into its background run.
    """

    @wraps(handler)
    def at_the_door(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        given = request.headers.get(IDEMPOTENCY_KEY)
        if given is None:
            return handler(view, request, *args, **kwargs)
        wish = _Wish(request, given)
        return import_string(ATOMIC_RETRIED)(lambda: wish.answer(lambda: handler(view, request, *args, **kwargs)))

    at_the_door.is_idempotent = True  # type: ignore[attr-defined]
    return at_the_door


class _Wish:
    """One request with a key."""

    def __init__(self, request: Request, key: str) -> None:
        if not _SYNTAX.fullmatch(key):
            detail = _("Idempotency-Key must be 1 to 255 printable ASCII characters.")
            raise Problem("invalid-header", detail=detail, header=IDEMPOTENCY_KEY)
        self.place = {"user_id": request.user.pk, "route": route_of(request), "key": key}
        self.fingerprint = fingerprint(request)

    def answer(self, work: Callable[[], HttpResponseBase]) -> HttpResponseBase:
        """The stored answer, or that of `work`, stored; runs inside a transaction."""
        if not IdempotencyKey.objects.try_lock(self._lock_number()):
            detail = _("A request with this key is being worked on. Ask again in a moment.")
            raise Problem("idempotency-in-flight", status=409, detail=detail, headers={"Retry-After": "1"})
        stored = IdempotencyKey.objects.with_expired().filter(**self.place).first()
        if stored is not None and not stored.has_expired:  # type: ignore[attr-defined]
            return self._replay(stored)
        if stored is not None:
            stored.delete()
        response = work()
        if 200 <= response.status_code < 300:
            self._store(response)
        return response

    def _replay(self, stored: IdempotencyKey) -> HttpResponse:
        if stored.fingerprint != self.fingerprint:
            detail = _("This key was used for another request. Take a new key for a new wish.")
            raise Problem("idempotency-mismatch", status=422, detail=detail)
        headers = {**stored.headers, REPLAYED: "true"}
        return HttpResponse(stored.body, status=stored.status, headers=headers, content_type="application/json")

    def _store(self, response: HttpResponseBase) -> None:
        assert isinstance(response, Response), "only what a serializer made can be given again"
        IdempotencyKey.objects.create(
            **self.place,
            fingerprint=self.fingerprint,
            status=response.status_code,
            headers={name: response[name] for name in KEPT_HEADERS if name in response},
            body="" if response.data is None else encode(response.data).decode(),
        )

    def _lock_number(self) -> int:
        digest = hashlib.sha256(canonical(["idempotency", *self.place.values()])).digest()
        return int.from_bytes(digest[:8], signed=True)


def route_of(request: Request) -> str:
    """Method and path; the two mounts of the API are one route."""
    return f"{request.method} {_MOUNT.sub('', request.path)}"


def fingerprint(request: Request) -> str:
    """SHA-256 of what is asked: query parameters and body.

    The order of parameters, of keys and the whitespace of JSON do not count; the digits of a number do
    (1.1 is not 1.10). A file counts by its field, its name and the SHA-256 of its content.
    """
    query = sorted((name, request.query_params.getlist(name)) for name in request.query_params)
    return hashlib.sha256(canonical([query, _plain(request.data)])).hexdigest()


def _plain(data: Any) -> Any:
    if not isinstance(data, MultiValueDict):
        return data
    return sorted((name, list(_form_values(values))) for name, values in data.lists())


def _form_values(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if not isinstance(value, UploadedFile):
            yield value
            continue
        digest = hashlib.sha256()
        for chunk in value.chunks():
            digest.update(chunk)
        value.seek(0)
        yield {"file": value.name, "sha256": digest.hexdigest()}
